package sdk

import (
	"context"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"

	"plugbay.dev/sdk/hookpb"
)

// outbox gathers frames; whatever has gathered while one batch was sent goes into the next.
type outbox struct {
	mutex  sync.Mutex
	frames []*hookpb.Frame
	ready  chan struct{}
}

func newOutbox() *outbox { return &outbox{ready: make(chan struct{}, 1)} }

func (o *outbox) put(frame *hookpb.Frame) {
	o.mutex.Lock()
	o.frames = append(o.frames, frame)
	o.mutex.Unlock()
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

func (o *outbox) take() []*hookpb.Frame {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	frames := o.frames
	o.frames = nil
	return frames
}

// settle lets the hooks that are about to answer do so first: a batch costs the gateway as much as
// dozens of frames in it.
func (o *outbox) settle() {
	for size := -1; ; {
		o.mutex.Lock()
		now := len(o.frames)
		o.mutex.Unlock()
		if now == size {
			return
		}
		size = now
		runtime.Gosched()
	}
}

// run sends until the stream ends.
func (o *outbox) run(stream grpc.ServerStream) {
	for {
		select {
		case <-stream.Context().Done():
			return
		case <-o.ready:
		}
		o.settle()
		if frames := o.take(); len(frames) > 0 {
			if stream.SendMsg(&hookpb.Batch{Frames: frames}) != nil {
				return
			}
		}
	}
}

// calls are those that go on in one stream, by id.
type calls struct {
	server *server
	mutex  sync.Mutex
	open   map[uint64]*call
}

// call is one call of a hook: what the gateway says of it while it goes on arrives at `in`.
type call struct {
	id     uint64
	cancel context.CancelFunc
	in     *inbox
}

func (s *server) stream(stream grpc.ServerStream) error {
	calls := &calls{server: s, open: map[uint64]*call{}}
	go s.out.run(stream)
	for {
		var batch hookpb.Batch
		if err := stream.RecvMsg(&batch); err != nil {
			calls.abandon()
			return nil // the gateway has closed it, or has gone
		}
		for _, frame := range batch.Frames {
			calls.take(stream.Context(), frame)
		}
	}
}

func (c *calls) take(ctx context.Context, frame *hookpb.Frame) {
	switch what := frame.What.(type) {
	case *hookpb.Frame_Request:
		c.begin(ctx, frame, what.Request.DeadlineMs)
	case *hookpb.Frame_Response:
		c.begin(ctx, frame, what.Response.Request.GetDeadlineMs())
	case *hookpb.Frame_OpenBody:
		c.begin(ctx, frame, 0)
	case *hookpb.Frame_Complete:
		go c.server.complete(ctx, what.Complete)
	case *hookpb.Frame_Event:
		c.server.heard(what.Event)
	case *hookpb.Frame_HostReply:
		c.server.host.replied(frame.Id, what.HostReply)
	case *hookpb.Frame_Cancel:
		if found := c.find(frame.Id); found != nil {
			found.cancel()
		}
	default:
		if found := c.find(frame.Id); found != nil {
			found.in.put(frame)
		}
	}
}

func (c *calls) begin(parent context.Context, frame *hookpb.Frame, deadline uint32) {
	ctx, cancel := limited(parent, deadline)
	call := &call{id: frame.Id, cancel: cancel, in: newInbox()}
	c.mutex.Lock()
	c.open[frame.Id] = call
	c.mutex.Unlock()
	go func() {
		defer c.end(call)
		answer := c.server.answer(ctx, frame, call)
		answer.Id = frame.Id
		c.server.out.put(answer)
	}()
}

func limited(parent context.Context, ms uint32) (context.Context, context.CancelFunc) {
	if ms == 0 {
		return context.WithCancel(parent)
	}
	return context.WithTimeout(parent, time.Duration(ms)*time.Millisecond)
}

func (c *calls) find(id uint64) *call {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.open[id]
}

func (c *calls) end(call *call) {
	call.cancel()
	c.mutex.Lock()
	delete(c.open, call.id)
	c.mutex.Unlock()
}

func (c *calls) abandon() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, call := range c.open {
		call.cancel()
	}
}

// handle is one call by itself, for gateways and tools that open no stream.
func (s *server) handle(ctx context.Context, frame *hookpb.Frame) *hookpb.Frame {
	answer := s.answer(ctx, frame, nil)
	answer.Id = frame.Id
	return answer
}

// answer runs a hook and returns the last frame of its answer.
func (s *server) answer(ctx context.Context, frame *hookpb.Frame, call *call) *hookpb.Frame {
	var answer *hookpb.Frame
	failure := attempt(func() (err error) {
		answer, err = s.run(ctx, frame, call)
		return err
	})
	if failure != nil {
		return &hookpb.Frame{What: &hookpb.Frame_Failure{Failure: failure}}
	}
	return answer
}

func (s *server) run(ctx context.Context, frame *hookpb.Frame, call *call) (*hookpb.Frame, error) {
	switch what := frame.What.(type) {
	case *hookpb.Frame_Request:
		request := requestOf(what.Request)
		if call != nil {
			request.read = func(ctx context.Context, limit uint64) ([]byte, error) {
				return s.readBody(ctx, call, limit)
			}
		}
		filter, ok := s.plugin.(RequestFilter)
		if !ok {
			return nil, errNoHook
		}
		response, err := filter.OnRequest(ctx, request)
		if err != nil {
			return nil, err
		}
		if response != nil {
			return response.answered(), nil
		}
		return request.passed(), nil
	case *hookpb.Frame_Response:
		request, response := requestOf(what.Response.Request), responseOf(what.Response)
		filter, ok := s.plugin.(ResponseFilter)
		if !ok {
			return nil, errNoHook
		}
		other, err := filter.OnResponse(ctx, request, response)
		if err != nil {
			return nil, err
		}
		if other != nil {
			return other.answered(), nil
		}
		return response.passed(), nil
	case *hookpb.Frame_OpenBody:
		if call == nil {
			return nil, errNoHook
		}
		return s.filterBody(ctx, what.OpenBody, call)
	}
	return nil, errNoHook
}

func (s *server) complete(ctx context.Context, c *hookpb.Complete) {
	observer, ok := s.plugin.(Observer)
	if !ok {
		return
	}
	timing := Timing{
		Total: c.Total, Upstream: c.Upstream, Plugins: c.Plugins,
		RequestBytes: c.RequestBytes, ResponseBytes: c.ResponseBytes, Outcome: c.Outcome,
	}
	_ = attempt(func() error {
		observer.OnComplete(ctx, requestOf(c.Request), responseOf(c.Response), timing)
		return nil
	})
}

// heard queues an event: handlers are called one after the other, off the stream.
func (s *server) heard(event *hookpb.Event) {
	select {
	case s.events <- event:
	default:
		logger.Warn("an event was dropped: the handler does not keep up", "topic", event.Topic)
	}
}

func (s *server) hear() {
	handler, ok := s.plugin.(EventHandler)
	if !ok {
		return
	}
	for e := range s.events {
		event := Event{Topic: e.Topic, Source: e.Source, Time: e.Time, Data: []byte(e.Data)}
		failure := attempt(func() error { return handler.OnEvent(context.Background(), event) })
		if failure != nil {
			logger.Error("on_event failed", "topic", e.Topic, "error", failure.Detail)
		}
	}
}
