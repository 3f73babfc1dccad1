// Command goso runs one Go plugin (`go build -buildmode=plugin`) with an Echo middleware in it, in
// a process of its own, and serves it to the Plugbay gateway in frames over a Unix socket.
//
// It is built for the Go version, the flags and the module versions of the plugin that it is to
// open, so it may import nothing beside the standard library and Echo.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

const (
	cookie      = "PLUGBAY_RUNNER"
	cookieValue = "goso"
	pdeathsig   = 1
)

func init() {
	// Whatever becomes of the gateway, this process does not outlive it. The request is gone with
	// the thread that has made it; initialisation runs on the main thread, which stays.
	syscall.RawSyscall(syscall.SYS_PRCTL, pdeathsig, uintptr(syscall.SIGKILL), 0)
}

func main() {
	if os.Getenv(cookie) != cookieValue {
		fmt.Fprintln(os.Stderr, "This program is started by the Plugbay gateway and not by hand.")
		os.Exit(1)
	}
	if err := run(os.Getenv("PLUGIN_UNIX_SOCKET_DIR")); err != nil {
		fmt.Fprintln(os.Stderr, "goso:", err)
		os.Exit(1)
	}
}

// run says where it listens, in the way of go-plugin, and serves the first that connects.
func run(folder string) error {
	if folder == "" {
		folder = os.TempDir()
	}
	path := filepath.Join(folder, "runner.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Printf("1|1|unix|%s|frame|\n", path)
	connection, err := listener.Accept()
	listener.Close()
	if err != nil {
		return err
	}
	s := newSession(newLink(connection))
	defer s.end()
	if err := s.serve(); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
