// Package sdk is what an author of a Plugbay plugin in Go imports. A plugin is a value that
// implements Plugin and any of the other interfaces of this package; main calls Serve with it.
package sdk

import (
	"context"
	"io"
)

// API is the version of this package's contract with the gateway.
const API = 1

// Info is what a plugin says of itself.
type Info struct {
	ID      string // as in plugbay.toml; empty: not compared
	Version string
	Summary string
	// Config is a pointer to the struct of the configuration, filled with its defaults. Its JSON
	// Schema is derived from the fields and their tags `json` and `doc`; it is filled before Start.
	Config any
	// Headers are the request's header fields that the plugin reads; empty: all are sent to it.
	Headers []string
	// ResponseHeaders are the same for responses.
	ResponseHeaders []string
}

// Plugin is all that is required.
type Plugin interface {
	Info() Info
}

// Starter acquires resources. An error fails the load and leaves traffic as it was.
type Starter interface {
	Start(ctx context.Context) error
}

// Stopper releases everything. It is called once, when no request is inside any more.
type Stopper interface {
	Stop(ctx context.Context) error
}

// HealthChecker returns nil when healthy. It is asked before traffic comes and regularly after.
type HealthChecker interface {
	Health(ctx context.Context) error
}

// RequestFilter sees a request before it is sent on. It returns nil to let it pass, changed in
// place, or a response to answer it.
type RequestFilter interface {
	OnRequest(ctx context.Context, r *Request) (*Response, error)
}

// ResponseFilter sees a response before it is sent back. It returns nil to let it pass, changed in
// place, or another one instead.
type ResponseFilter interface {
	OnResponse(ctx context.Context, r *Request, response *Response) (*Response, error)
}

// RequestBodyFilter transforms a request's body as it streams, with back-pressure.
type RequestBodyFilter interface {
	RequestBody(ctx context.Context, r *Request, in io.Reader, out io.Writer) error
}

// ResponseBodyFilter transforms a response's body as it streams, with back-pressure.
type ResponseBodyFilter interface {
	ResponseBody(ctx context.Context, r *Request, response *Response, in io.Reader, out io.Writer) error
}

// Observer learns of every finished request, off its path. The response is nil if the client got
// none.
type Observer interface {
	OnComplete(ctx context.Context, r *Request, response *Response, timing Timing)
}

// EventHandler listens to topics of the event bus: exact names, or a prefix with `*` at the end.
type EventHandler interface {
	Topics() []string
	OnEvent(ctx context.Context, event Event) error
}

// Stateful hands its state to the next generation when it is swapped. Snapshot is called while
// this generation still serves; an error of Restore fails the swap.
type Stateful interface {
	Snapshot() ([]byte, error)
	Restore(state []byte) error
}

// HostUser is given the host before Start. Embed Base to have it as a field.
type HostUser interface {
	UseHost(host *Host)
}

// Base keeps the host in a field.
type Base struct {
	Host *Host
}

// UseHost implements HostUser.
func (b *Base) UseHost(host *Host) { b.Host = host }

// Timing says how long a request took, in seconds, and how much was sent, in bytes.
type Timing struct {
	Total, Upstream, Plugins    float64
	RequestBytes, ResponseBytes uint64
	Outcome                     string
}

// Event is something that happened; Data is a JSON object.
type Event struct {
	Topic, Source string
	Time          float64
	Data          []byte
}
