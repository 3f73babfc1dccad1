// Runs h2spec, the conformance tests of HTTP/2, against a listener of this machine:
// h2spec PORT [tls]. It ends with status 1 if a test fails.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
)

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	passed, err := h2spec.Run(&config.Config{
		Host:         "127.0.0.1",
		Port:         port,
		Path:         "/",
		Timeout:      5 * time.Second,
		MaxHeaderLen: 4000,
		Strict:       true,
		TLS:          len(os.Args) > 2 && os.Args[2] == "tls",
		Insecure:     true, // the certificate was made for the test
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if !passed {
		os.Exit(1)
	}
}
