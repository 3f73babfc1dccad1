// Subject is the plugin of the conformance suite, and one that misbehaves as it is told.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"plugbay.dev/sdk"
)

// Version is set by the build.
var Version = "1.0"

type plugin struct {
	sdk.Base
	config struct {
		Greeting string `json:"greeting"`
		Fail     string `json:"fail" doc:"the step that fails"`
		Hang     string `json:"hang" doc:"the step that never ends"`
	}
	mutex  sync.Mutex
	count  int
	events []string
}

func (p *plugin) Info() sdk.Info { return sdk.Info{Config: &p.config} }

func (p *plugin) step(ctx context.Context, name string) error {
	p.Host.Log.Info(name)
	if p.config.Hang == name {
		<-make(chan struct{})
	}
	return p.check(name)
}

func (p *plugin) check(name string) error {
	if p.config.Fail == name {
		return fmt.Errorf("%s was told to fail", name)
	}
	return nil
}

func (p *plugin) Start(ctx context.Context) error  { return p.step(ctx, "start") }
func (p *plugin) Stop(ctx context.Context) error   { return p.step(ctx, "stop") }
func (p *plugin) Health(ctx context.Context) error { return p.step(ctx, "health") }

func (p *plugin) OnRequest(ctx context.Context, r *sdk.Request) (*sdk.Response, error) {
	if err := p.check("on_request"); err != nil {
		return nil, err
	}
	p.mutex.Lock()
	p.count++
	count := p.count
	p.mutex.Unlock()
	r.Header.Set("x-count", strconv.Itoa(count))
	if r.Path() == "/answer" {
		return sdk.Text(418, p.config.Greeting+" from "+Version), nil
	}
	return p.misbehave(ctx, r)
}

func (p *plugin) misbehave(ctx context.Context, r *sdk.Request) (*sdk.Response, error) {
	switch r.Path() {
	case "/hang":
		<-ctx.Done()
		p.Host.Log.Info("cancelled: " + ctx.Err().Error())
		return nil, ctx.Err()
	case "/panic":
		panic("it was told to panic")
	case "/exit":
		os.Exit(3)
	case "/freeze":
		return nil, syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "/memory":
		var held [][]byte
		for {
			block := make([]byte, 8<<20)
			for i := range block {
				block[i] = 1
			}
			held = append(held, block)
		}
	case "/flood":
		line := strings.Repeat("x", 1000)
		for range 4000 {
			fmt.Println(line)
		}
		return sdk.Text(200, "flooded"), nil
	case "/body":
		body, err := r.Body(ctx, 1000)
		if errors.Is(err, sdk.ErrTooLarge) {
			return sdk.Problem(413, "too large", ""), nil
		}
		return sdk.Text(200, "["+string(body)+"]"), err
	case "/rewrite":
		r.Method, r.Target = "PUT", "/elsewhere?x=1"
		r.Header.Add("x-multi", "one")
		r.Header.Add("x-multi", "two")
		r.Header.Del("cookie")
	case "/split":
		r.Header.Set("x-bad", "a\r\nx-smuggled: 1")
	case "/network":
		return sdk.Text(200, p.dial(r.Query())), nil
	case "/kv":
		return p.keep(ctx)
	case "/metrics":
		p.Host.Count("seen_total", "Seen.", 2, map[string]string{"kind": "a"})
		p.Host.Gauge("level", "Level.", 7, nil)
		p.Host.Observe("wait_seconds", "Waited.", 0.5, nil, []float64{0.1, 1})
		p.Host.Publish("subject.seen", map[string]any{"n": 1})
	case "/secret":
		value, err := p.Host.Secret("token")
		return sdk.Text(200, value), err
	case "/events":
		p.mutex.Lock()
		defer p.mutex.Unlock()
		return sdk.Text(200, strings.Join(p.events, ",")), nil
	}
	return nil, nil
}

func (p *plugin) keep(ctx context.Context) (*sdk.Response, error) {
	if err := p.Host.KV.Set(ctx, "a/1", []byte("one"), time.Hour); err != nil {
		return nil, err
	}
	value, found, err := p.Host.KV.Get(ctx, "a/1")
	if err != nil {
		return nil, err
	}
	keys, err := p.Host.KV.Keys(ctx, "a/")
	if err != nil {
		return nil, err
	}
	if err := p.Host.KV.Delete(ctx, "a/1"); err != nil {
		return nil, err
	}
	_, left, err := p.Host.KV.Get(ctx, "a/1")
	return sdk.Text(200, fmt.Sprint(string(value), found, keys, left)), err
}

func (p *plugin) OnResponse(
	ctx context.Context, r *sdk.Request, response *sdk.Response,
) (*sdk.Response, error) {
	response.Header.Set("x-version", Version)
	switch r.Path() {
	case "/teapot":
		response.Status = 418
	case "/other":
		return sdk.Text(404, "another one"), nil
	case "/fail-response":
		return nil, errors.New("the response was told to fail")
	}
	return nil, nil
}

func (p *plugin) Snapshot() ([]byte, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	state, _ := json.Marshal(map[string]int{"count": p.count})
	return state, p.check("snapshot")
}

func (p *plugin) Restore(state []byte) error {
	var found map[string]int
	if err := json.Unmarshal(state, &found); err != nil {
		return err
	}
	p.count = found["count"]
	return p.check("restore")
}

// full is the plugin with every hook.
type full struct{ *plugin }

func (f full) RequestBody(ctx context.Context, r *sdk.Request, in io.Reader, out io.Writer) error {
	return f.echo(r, in, out)
}

func (f full) ResponseBody(
	ctx context.Context, r *sdk.Request, _ *sdk.Response, in io.Reader, out io.Writer,
) error {
	return f.echo(r, in, out)
}

func (f full) echo(r *sdk.Request, in io.Reader, out io.Writer) error {
	switch r.Path() {
	case "/broken":
		return errors.New("the body was told to fail")
	case "/early":
		_, err := io.WriteString(out, "enough")
		return err
	}
	_, err := io.Copy(out, in)
	return err
}

func (f full) OnComplete(_ context.Context, r *sdk.Request, response *sdk.Response, timing sdk.Timing) {
	status := 0
	if response != nil {
		status = response.Status
	}
	f.Host.Log.Info("completed", "path", r.Path(), "status", status, "outcome", timing.Outcome)
}

func (f full) Topics() []string { return []string{"subject.*"} }

func (f full) OnEvent(_ context.Context, event sdk.Event) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.events = append(f.events, event.Topic+string(event.Data))
	if event.Topic == "subject.fail" {
		return errors.New("the event was told to fail")
	}
	return nil
}

func main() {
	p := &plugin{}
	p.config.Greeting = "hello"
	if os.Getenv("SUBJECT_BROKEN") != "" || Version == "broken" {
		fmt.Fprintln(os.Stderr, "it is broken")
		os.Exit(1)
	}
	if strings.HasPrefix(Version, "full") {
		sdk.Serve(full{p})
	} else {
		sdk.Serve(p)
	}
}
