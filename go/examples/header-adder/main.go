// Header-adder adds a header field to every request and response.
package main

import (
	"context"

	"plugbay.dev/sdk"
)

// Version is set by the build: -ldflags "-X main.Version=1.2.3".
var Version = "1.0.0"

// Config says what is added.
type Config struct {
	Name  string `json:"name" doc:"the field's name"`
	Value string `json:"value" doc:"its value; empty: the version of the plugin"`
}

type plugin struct{ config Config }

func (p *plugin) Info() sdk.Info {
	return sdk.Info{ID: "header-adder", Version: Version, Config: &p.config, Headers: []string{"host"}}
}

func (p *plugin) Start(context.Context) error {
	if p.config.Value == "" {
		p.config.Value = Version
	}
	return nil
}

func (p *plugin) OnRequest(_ context.Context, r *sdk.Request) (*sdk.Response, error) {
	r.Header.Set(p.config.Name, p.config.Value)
	return nil, nil
}

func (p *plugin) OnResponse(_ context.Context, _ *sdk.Request, response *sdk.Response) (*sdk.Response, error) {
	response.Header.Set(p.config.Name, p.config.Value)
	return nil, nil
}

func main() { sdk.Serve(&plugin{config: Config{Name: "x-added"}}) }
