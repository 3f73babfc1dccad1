package sdk

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"plugbay.dev/sdk/hookpb"
)

var service = grpc.ServiceDesc{
	ServiceName: "plugbay.hook.v1.Hook",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{
		unary("Describe", fresh[hookpb.DescribeRequest], (*server).describe),
		unary("Configure", fresh[hookpb.Configuration], (*server).configure),
		unary("Start", fresh[hookpb.StartRequest], (*server).start),
		unary("Health", fresh[hookpb.HealthRequest], (*server).health),
		unary("Snapshot", fresh[hookpb.SnapshotRequest], (*server).snapshot),
		unary("Restore", fresh[hookpb.State], (*server).restore),
		unary("Stop", fresh[hookpb.StopRequest], (*server).stop),
		unary("Handle", fresh[hookpb.Frame], (*server).handle),
	},
	Streams: []grpc.StreamDesc{{
		StreamName: "Stream",
		Handler: func(srv any, stream grpc.ServerStream) error {
			return srv.(*server).stream(stream)
		},
		ServerStreams: true,
		ClientStreams: true,
	}},
}

func unary[Q, A proto.Message](
	name string, empty func() Q, call func(*server, context.Context, Q) A,
) grpc.MethodDesc {
	handler := func(
		srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
	) (any, error) {
		question := empty()
		if err := decode(question); err != nil {
			return nil, err
		}
		return call(srv.(*server), ctx, question), nil
	}
	return grpc.MethodDesc{MethodName: name, Handler: handler}
}

func fresh[T any]() *T { return new(T) }
