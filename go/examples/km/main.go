// Km is a plugin that speaks the contract of Kilometers monitoring plugins: it prints a line for
// each message, as long as it is authenticated.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plugbay.dev/examples/km/kmpb"
)

const (
	validFor   = 5 * time.Minute
	shortestID = 10
)

type plugin struct {
	mutex sync.Mutex
	until time.Time
}

func (p *plugin) authenticate(q *kmpb.AuthenticateRequest) *kmpb.AuthenticateResponse {
	if len(q.ApiKey) < shortestID {
		return &kmpb.AuthenticateResponse{Error: "invalid API key format"}
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.until = time.Now().Add(validFor)
	return &kmpb.AuthenticateResponse{Success: true, AuthResponse: &kmpb.AuthResponse{
		Authorized: true, UserTier: "Free", Features: []string{"console_logging"},
		ExpiresAt: p.until.UTC().Format(time.RFC3339),
	}}
}

func (p *plugin) active() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return time.Now().Before(p.until)
}

func (p *plugin) initialize(*kmpb.InitializeRequest) *kmpb.Result {
	if !p.active() {
		return &kmpb.Result{Error: "plugin not authenticated"}
	}
	return &kmpb.Result{Success: true}
}

func (p *plugin) message(q *kmpb.HandleMessageRequest) *kmpb.Result {
	if p.active() {
		fmt.Fprintf(os.Stderr, "%s %d bytes [%s]\n", q.Direction, len(q.Data), q.CorrelationId)
	}
	return &kmpb.Result{Success: true}
}

func (p *plugin) failure(q *kmpb.HandleErrorRequest) *kmpb.Result {
	if q.ErrorMessage == "" {
		return &kmpb.Result{Error: "an error without a message"}
	}
	fmt.Fprintf(os.Stderr, "error %s (%s)\n", q.ErrorMessage, q.ErrorType)
	return &kmpb.Result{Success: true}
}

func (p *plugin) stream(q *kmpb.HandleStreamEventRequest) *kmpb.Result {
	at := q.Event.Timestamp.AsTime().UTC().Format(time.RFC3339)
	fmt.Fprintf(os.Stderr, "stream %s at %s %v\n", q.Event.Type, at, q.Event.Data)
	return &kmpb.Result{Success: true}
}

func text(value string) func(*plugin, *kmpb.Empty) *kmpb.StringResponse {
	return func(*plugin, *kmpb.Empty) *kmpb.StringResponse { return &kmpb.StringResponse{Value: value} }
}

func method[Q, A proto.Message](name string, empty func() Q, call func(*plugin, Q) A) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(
		srv any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
	) (any, error) {
		question := empty()
		if err := decode(question); err != nil {
			return nil, err
		}
		return call(srv.(*plugin), question), nil
	}}
}

func fresh[T any]() *T { return new(T) }

var service = grpc.ServiceDesc{
	ServiceName: "kilometersplugin.KilometersPlugin",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		method("GetName", fresh[kmpb.Empty], text("console-logger")),
		method("GetVersion", fresh[kmpb.Empty], text("1.0.0")),
		method("GetRequiredTier", fresh[kmpb.Empty], text("Free")),
		method("Authenticate", fresh[kmpb.AuthenticateRequest], (*plugin).authenticate),
		method("Initialize", fresh[kmpb.InitializeRequest], (*plugin).initialize),
		method("HandleMessage", fresh[kmpb.HandleMessageRequest], (*plugin).message),
		method("HandleError", fresh[kmpb.HandleErrorRequest], (*plugin).failure),
		method("HandleStreamEvent", fresh[kmpb.HandleStreamEventRequest], (*plugin).stream),
		method("Shutdown", fresh[kmpb.Empty], func(*plugin, *kmpb.Empty) *kmpb.Result {
			return &kmpb.Result{Success: true}
		}),
	},
}

type adapter struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (adapter) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&service, &plugin{})
	return nil
}

func (adapter) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this program is a plugin, not a host")
}

func main() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{
			ProtocolVersion:  1,
			MagicCookieKey:   "KILOMETERS_PLUGIN",
			MagicCookieValue: "kilometers_monitoring_plugin",
		},
		Plugins:    goplugin.PluginSet{"kilometers": adapter{}},
		GRPCServer: goplugin.DefaultGRPCServer,
	})
}
