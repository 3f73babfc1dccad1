// Package main tries to break out when it is made, and says of each attempt what came of it.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"
)

func New(config map[string]interface{}) (interface{}, error) {
	text := func(name string) string { return fmt.Sprint(config[name]) }
	said := []string{}
	for _, one := range []struct {
		name string
		work func() error
	}{
		{"inside", func() error { _, err := os.ReadFile(text("inside")); return err }},
		{"list", func() error { _, err := os.ReadDir(text("data")); return err }},
		{"environment", func() error {
			_, err := os.ReadFile(fmt.Sprintf("/proc/%v/environ", config["parent"]))
			return err
		}},
		{"outside", func() error { return os.WriteFile(text("outside")+"/escaped", nil, 0o600) }},
		{"loopback", func() error { return dial("tcp", "127.0.0.1:"+text("port")) }},
		{"out", func() error { return dial("tcp", "192.0.2.1:9") }},
		{"udp", func() error { return send("192.0.2.1:9") }},
		{"socket", func() error { return dial("unix", text("socket")) }},
		{"abstract", func() error { return dial("unix", "@"+text("abstract")) }},
		{"user", func() error { return syscall.Setuid(1) }},
		{"shell", func() error { return exec.Command("/bin/sh", "-c", "cat "+text("inside")).Run() }},
		{"own", func() error { return os.WriteFile(os.TempDir()+"/own", nil, 0o600) }},
		{"files", many},
	} {
		said = append(said, one.name+"="+name(one.work()))
	}
	return nil, errors.New(strings.Join(said, " "))
}

func Handle(next echo.HandlerFunc) echo.HandlerFunc { return next }

func dial(network, address string) error {
	connection, err := net.DialTimeout(network, address, 2*time.Second)
	if err == nil {
		connection.Close()
	}
	return err
}

func send(address string) error {
	connection, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = connection.Write([]byte("x"))
	return err
}

func many() error {
	for count := 0; count < 10_000; count++ {
		file, err := os.Open("/dev/null")
		if err != nil {
			return err
		}
		defer file.Close()
	}
	return nil
}

func name(err error) string {
	var number syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &number):
		for name, known := range map[string]syscall.Errno{
			"EACCES": syscall.EACCES, "EPERM": syscall.EPERM, "ENOENT": syscall.ENOENT,
			"EROFS": syscall.EROFS, "EMFILE": syscall.EMFILE, "EINVAL": syscall.EINVAL,
			"ECONNREFUSED": syscall.ECONNREFUSED, "ENETUNREACH": syscall.ENETUNREACH,
		} {
			if known == number {
				return name
			}
		}
		return fmt.Sprintf("errno-%d", int(number))
	default:
		return "failed"
	}
}
