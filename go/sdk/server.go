package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"

	"plugbay.dev/sdk/hookpb"
)

// server is the plugin's side of plugbay.hook.v1.
type server struct {
	plugin Plugin
	info   Info
	host   *Host
	out    *outbox
	events chan *hookpb.Event
}

func newServer(plugin Plugin) *server {
	out := newOutbox()
	s := &server{
		plugin: plugin, info: plugin.Info(), host: newHost(out), out: out,
		events: make(chan *hookpb.Event, 1024),
	}
	go s.hear()
	return s
}

func (s *server) describe(context.Context, *hookpb.DescribeRequest) *hookpb.Description {
	description := &hookpb.Description{
		Id: s.info.ID, Version: s.info.Version, Summary: s.info.Summary, Api: API,
		RequestFields:  selection(s.info.Headers),
		ResponseFields: selection(s.info.ResponseHeaders),
	}
	schema, err := schemaOf(s.info.Config)
	if err != nil {
		description.Failure = &hookpb.Failure{Kind: "SchemaError", Detail: err.Error()}
		return description
	}
	description.ConfigSchema = schema
	description.Hooks = hooksOf(s.plugin)
	if handler, ok := s.plugin.(EventHandler); ok {
		description.Topics = handler.Topics()
	}
	_, description.Stateful = s.plugin.(Stateful)
	return description
}

func hooksOf(plugin Plugin) []string {
	var found []string
	add := func(name string, has bool) {
		if has {
			found = append(found, name)
		}
	}
	_, has := plugin.(RequestFilter)
	add("on_request", has)
	_, has = plugin.(ResponseFilter)
	add("on_response", has)
	_, has = plugin.(RequestBodyFilter)
	add("request_body", has)
	_, has = plugin.(ResponseBodyFilter)
	add("response_body", has)
	_, has = plugin.(Observer)
	add("on_complete", has)
	_, has = plugin.(EventHandler)
	add("on_event", has)
	return found
}

func selection(names []string) *hookpb.FieldSelection {
	if len(names) == 0 {
		return nil
	}
	selected := &hookpb.FieldSelection{}
	for _, name := range names {
		selected.Names = append(selected.Names, lower(name))
	}
	return selected
}

func (s *server) configure(_ context.Context, c *hookpb.Configuration) *hookpb.Outcome {
	if failure := fill(s.info.Config, []byte(c.Config)); failure != nil {
		return &hookpb.Outcome{Failure: failure}
	}
	s.host.secrets = c.Secrets
	s.host.Generation = c.Generation
	s.host.Plugin, s.host.Version = c.Id, c.Version
	if user, ok := s.plugin.(HostUser); ok {
		user.UseHost(s.host)
	}
	if checker, ok := s.info.Config.(interface{ Validate() error }); ok {
		return outcome(checker.Validate)
	}
	return &hookpb.Outcome{}
}

func (s *server) start(ctx context.Context, _ *hookpb.StartRequest) *hookpb.Outcome {
	starter, ok := s.plugin.(Starter)
	if !ok {
		return &hookpb.Outcome{}
	}
	return outcome(func() error { return starter.Start(ctx) })
}

func (s *server) stop(ctx context.Context, _ *hookpb.StopRequest) *hookpb.Outcome {
	stopper, ok := s.plugin.(Stopper)
	if !ok {
		return &hookpb.Outcome{}
	}
	return outcome(func() error { return stopper.Stop(ctx) })
}

func (s *server) health(ctx context.Context, _ *hookpb.HealthRequest) *hookpb.Outcome {
	checker, ok := s.plugin.(HealthChecker)
	if !ok {
		return &hookpb.Outcome{}
	}
	return outcome(func() error { return checker.Health(ctx) })
}

func (s *server) snapshot(context.Context, *hookpb.SnapshotRequest) *hookpb.State {
	state := &hookpb.State{}
	stateful, ok := s.plugin.(Stateful)
	if !ok {
		return state
	}
	state.Failure = attempt(func() (err error) {
		state.State, err = stateful.Snapshot()
		return err
	})
	return state
}

func (s *server) restore(_ context.Context, state *hookpb.State) *hookpb.Outcome {
	stateful, ok := s.plugin.(Stateful)
	if !ok {
		return &hookpb.Outcome{}
	}
	return outcome(func() error { return stateful.Restore(state.State) })
}

func outcome(work func() error) *hookpb.Outcome {
	return &hookpb.Outcome{Failure: attempt(work)}
}

// attempt is the border to the author's code: what it returns or panics with becomes a failure.
func attempt(work func() error) (failure *hookpb.Failure) {
	defer func() {
		if cause := recover(); cause != nil {
			logger.Error("panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			failure = &hookpb.Failure{Kind: "panic", Detail: fmt.Sprint(cause)}
		}
	}()
	if err := work(); err != nil {
		return &hookpb.Failure{Kind: fmt.Sprintf("%T", err), Detail: err.Error()}
	}
	return nil
}

func encode(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		return "{}"
	}
	return string(data)
}
