// Body-upper turns the letters of requests' and responses' bodies into capitals, as they stream.
package main

import (
	"bytes"
	"context"
	"io"

	"plugbay.dev/sdk"
)

type plugin struct{}

func (plugin) Info() sdk.Info { return sdk.Info{ID: "body-upper", Version: "1.0.0"} }

func (plugin) RequestBody(_ context.Context, _ *sdk.Request, in io.Reader, out io.Writer) error {
	return upper(in, out)
}

func (plugin) ResponseBody(
	_ context.Context, _ *sdk.Request, _ *sdk.Response, in io.Reader, out io.Writer,
) error {
	return upper(in, out)
}

func upper(in io.Reader, out io.Writer) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := out.Write(bytes.ToUpper(buffer[:n])); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func main() { sdk.Serve(plugin{}) }
