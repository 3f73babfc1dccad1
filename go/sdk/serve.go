package sdk

import (
	"context"
	"errors"
	"os"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// The cookie tells a person who starts the plugin by hand from a gateway; it is no secret.
var handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "PLUGBAY_PLUGIN",
	MagicCookieValue: "c0f2b7f1-hook-v1",
}

// Serve serves a plugin to the gateway that has started this program, until that says stop. What is
// printed before it breaks the handshake.
func Serve(plugin Plugin) {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake,
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr, JSONFormat: true}),
		Plugins:         goplugin.PluginSet{"hook": &adapter{plugin: plugin}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(maxMessage))...)
		},
	})
}

const maxMessage = 1 << 30

type adapter struct {
	goplugin.NetRPCUnsupportedPlugin
	plugin Plugin
}

func (a *adapter) GRPCServer(_ *goplugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&service, newServer(a.plugin))
	return nil
}

func (a *adapter) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this program is a plugin, not a host")
}
