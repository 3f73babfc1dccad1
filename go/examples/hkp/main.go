// Hkp is a plugin that speaks the contract of HKP gateway plugins: it refuses clients by their
// user agent.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"

	"plugbay.dev/examples/hkp/hkppb"
)

type plugin struct {
	server *grpc.Server
	agents []string
	ready  bool
}

func (p *plugin) initialize(q *hkppb.InitRequest) *hkppb.InitResponse {
	var config struct{ Agents []string }
	if err := json.Unmarshal([]byte(q.ConfigJson), &config); err != nil {
		return &hkppb.InitResponse{Error: err.Error()}
	}
	if p.ready {
		return &hkppb.InitResponse{Error: "already initialized"}
	}
	p.agents, p.ready = config.Agents, true
	return &hkppb.InitResponse{Success: true}
}

func (p *plugin) handle(q *hkppb.HTTPRequest) *hkppb.HTTPResponse {
	for _, agent := range p.agents {
		if strings.Contains(q.Headers["user-agent"], agent) {
			reason := map[string]string{"x-block-reason": "user-agent"}
			return &hkppb.HTTPResponse{StatusCode: 403, Headers: reason, Body: []byte(q.Path + string(q.Body))}
		}
	}
	if q.QueryParams["crash"] != "" {
		os.Exit(4)
	}
	return &hkppb.HTTPResponse{StatusCode: 200, ContinueChain: true}
}

func (p *plugin) shutdown(*hkppb.ShutdownRequest) *hkppb.ShutdownResponse {
	go p.server.GracefulStop()
	return &hkppb.ShutdownResponse{Success: true}
}

func (p *plugin) check(*hkppb.Empty) *hkppb.HealthStatus {
	return &hkppb.HealthStatus{Status: hkppb.HealthStatus_HEALTHY}
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
	ServiceName: "hkpplugin.HKPPlugin",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		method("Initialize", fresh[hkppb.InitRequest], (*plugin).initialize),
		method("HandleHTTPRequest", fresh[hkppb.HTTPRequest], (*plugin).handle),
		method("Shutdown", fresh[hkppb.ShutdownRequest], (*plugin).shutdown),
		method("HealthCheck", fresh[hkppb.Empty], (*plugin).check),
	},
}

func main() {
	listener, err := net.Listen("tcp", os.Getenv("PLUGIN_GRPC_ADDRESS"))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	server.RegisterService(&service, &plugin{server: server})
	healthpb.RegisterHealthServer(server, health.NewServer())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
