// Key-auth lets only requests with a known key pass.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"

	"plugbay.dev/sdk"
)

type plugin struct {
	sdk.Base
	config struct {
		Header string   `json:"header" doc:"the field that carries the key"`
		Keys   []string `json:"keys" doc:"the keys that are let in; refer to secrets: ${secret:name}"`
	}
	digests [][32]byte
}

func (p *plugin) Info() sdk.Info {
	return sdk.Info{ID: "key-auth", Version: "1.0.0", Config: &p.config}
}

func (p *plugin) Start(context.Context) error {
	if len(p.config.Keys) == 0 {
		return errors.New("no keys are configured: nobody could come in")
	}
	for _, key := range p.config.Keys {
		p.digests = append(p.digests, sha256.Sum256([]byte(key)))
	}
	return nil
}

func (p *plugin) OnRequest(_ context.Context, r *sdk.Request) (*sdk.Response, error) {
	given, known := sha256.Sum256([]byte(r.Header.Get(p.config.Header))), 0
	for i := range p.digests {
		known |= subtle.ConstantTimeCompare(given[:], p.digests[i][:])
	}
	r.Header.Del(p.config.Header)
	if known == 1 {
		return nil, nil
	}
	p.Host.Count("refused_total", "Requests without a known key.", 1, nil)
	response := sdk.Problem(401, "Unauthorized", "a known key is required in "+p.config.Header)
	response.Header.Set("www-authenticate", "Key")
	return response, nil
}

func main() {
	p := &plugin{}
	p.config.Header = "x-api-key"
	sdk.Serve(p)
}
