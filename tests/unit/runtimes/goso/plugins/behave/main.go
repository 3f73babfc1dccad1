// Package main does what its configuration and the path of a request say.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// version is set by the linker, so that versions differ in their bytes.
var version = "1.0.0"

type behave struct {
	stamp  string
	always string // what it does whatever the path
	count  atomic.Int64
}

func New(config map[string]interface{}) (interface{}, error) {
	switch config["new"] {
	case "panic":
		panic("New was told to panic")
	case "hang":
		time.Sleep(time.Hour)
	case "error":
		return nil, errors.New("it was told to fail")
	case "exit":
		os.Exit(3)
	case "nil":
		return nil, nil
	case "memory":
		for taken := [][]byte{}; ; {
			taken = append(taken, bytes.Repeat([]byte{1}, 1<<24))
		}
	}
	stamp, _ := config["stamp"].(string)
	always, _ := config["always"].(string)
	return &behave{stamp: stamp, always: always}, nil
}

func (b *behave) Handle(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		act := "/" + path.Base(c.Request().URL.Path)
		if b.always != "" {
			act = "/" + b.always
		}
		switch act {
		case "/answer":
			c.Response().Header().Set("X-From", "go")
			return c.String(http.StatusTeapot, "answered "+c.RealIP())
		case "/refuse":
			return echo.NewHTTPError(http.StatusForbidden, "not you")
		case "/error":
			return errors.New("it does not work")
		case "/panic":
			panic("Handle was told to panic")
		case "/exit":
			os.Exit(4)
		case "/hang":
			<-c.Request().Context().Done()
			fmt.Fprintln(os.Stderr, "cancelled "+c.Request().Header.Get("X-Mark"))
			return c.Request().Context().Err()
		case "/waits":
			err := next(c)
			fmt.Fprintf(os.Stderr, "next gave %v for %s\n", err, c.Request().Header.Get("X-Mark"))
			return err
		case "/rewrite":
			c.Request().URL.Path = "/rewritten"
			c.Request().URL.RawQuery = "a=1"
			c.Request().Method = http.MethodPut
			c.Request().Host = "other.example"
			return next(c)
		case "/twice":
			if err := next(c); err != nil {
				return err
			}
			return next(c)
		case "/sum":
			size, err := io.Copy(io.Discard, c.Request().Body)
			if err != nil {
				return err
			}
			return c.String(http.StatusOK, fmt.Sprint(size))
		case "/read":
			body, err := io.ReadAll(c.Request().Body)
			if err != nil {
				return err
			}
			c.Request().Header.Set("X-Length", fmt.Sprint(len(body)))
			return next(c)
		case "/body":
			c.Request().Body = io.NopCloser(&upperReader{c.Request().Body})
			return next(c)
		case "/upper", "/late":
			c.Response().Writer = &upperWriter{ResponseWriter: c.Response().Writer, late: act == "/late"}
			err := next(c)
			c.Response().Writer.(*upperWriter).finish()
			return err
		case "/instead":
			if err := next(c); err != nil {
				return err
			}
			return c.JSON(http.StatusBadGateway, map[string]int{"was": c.Response().Status})
		case "/stream":
			c.Response().WriteHeader(http.StatusOK)
			for i := 0; i < 3; i++ {
				fmt.Fprintf(c.Response(), "part %d\n", i)
				c.Response().Flush()
			}
			return nil
		case "/large":
			_, err := io.Copy(c.Response(), io.LimitReader(zeros{}, 4<<20))
			return err
		case "/before":
			c.Response().Before(func() { c.Response().Header().Set("X-Before", "ran") })
			return next(c)
		case "/break":
			c.Response().Header().Set("X-Bad", "a\r\nX-Injected: yes")
			return next(c)
		}
		c.Request().Header.Set("X-Count", fmt.Sprint(b.count.Add(1)))
		c.Request().Header.Del("X-Remove")
		if err := next(c); err != nil {
			return err
		}
		c.Response().Header().Set("X-Stamp", b.stamp)
		c.Response().Header().Set("X-Version", version)
		c.Response().Header().Add("Set-Cookie", "go=1")
		c.Response().Header().Del("X-Gone")
		return nil
	}
}

type zeros struct{}

func (zeros) Read(to []byte) (int, error) { clear(to); return len(to), nil }

type upperReader struct{ io.Reader }

func (u *upperReader) Read(to []byte) (int, error) {
	n, err := u.Reader.Read(to)
	copy(to, bytes.ToUpper(to[:n]))
	return n, err
}

// upperWriter writes in upper case; a late one keeps all of it until the end.
type upperWriter struct {
	http.ResponseWriter
	late   bool
	status int
	kept   strings.Builder
}

func (u *upperWriter) WriteHeader(status int) {
	u.status = status
	if !u.late {
		u.ResponseWriter.Header().Set("X-Upper", "now")
		u.ResponseWriter.WriteHeader(status)
	}
}

func (u *upperWriter) Write(data []byte) (int, error) {
	if u.late {
		return u.kept.Write(data)
	}
	return u.ResponseWriter.Write(bytes.ToUpper(data))
}

func (u *upperWriter) finish() {
	if u.late {
		u.ResponseWriter.Header().Set("X-Length", fmt.Sprint(u.kept.Len()))
		u.ResponseWriter.WriteHeader(u.status + 1)
		u.ResponseWriter.Write([]byte(strings.ToUpper(u.kept.String())))
	}
}
