package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

const requestID = "X-Request-Id"

var (
	errTwice = errors.New("next was called a second time")
	errGone  = errors.New("the exchange ended early")
)

// call is one request on its way through the plugin.
type call struct {
	session  *session
	id       uint32
	context  context.Context
	cancel   context.CancelCauseFunc
	flags    byte
	fields   []field
	host     string
	target   string // the target as Go writes it: what is compared after the plugin
	method   string
	body     *inflow // the request's
	passed   *inflow // the response's, for a plugin that has replaced the writer
	replaced *outflow
	sink     *sink
	called   atomic.Bool
	response chan response
	pumps    sync.WaitGroup // a body that the plugin has replaced may end after the plugin
}

type response struct {
	flags  byte
	status int
	fields []field
}

func newCall(session *session, id uint32) *call {
	c := &call{session: session, id: id, response: make(chan response, 1)}
	c.context, c.cancel = context.WithCancelCause(context.Background())
	c.body = newInflow(c, streamRequest, false)
	c.passed = newInflow(c, streamResponse, true)
	c.replaced = newOutflow(c, streamRequest)
	c.sink = newSink(c)
	return c
}

// run passes one request through the middleware and says how that ended.
func (c *call) run(payload []byte) {
	defer c.session.forget(c)
	defer c.cancel(context.Canceled)
	request, err := c.read(payload)
	if err == nil {
		x := c.session.echo.NewContext(request, c.sink)
		x.SetPath(request.URL.Path)
		if err = c.handle(x); err != nil {
			err = c.render(err, x)
		}
	}
	c.done(err)
	c.pumps.Wait()
}

func (c *call) handle(x echo.Context) (err error) {
	defer func() {
		if said := recover(); said != nil {
			report(said)
			err = fmt.Errorf("panic: %v", said)
		}
	}()
	return c.session.plugin.Handle(c.next)(x)
}

// render turns an error that is meant for the client into its response, as Echo does.
func (c *call) render(err error, x echo.Context) error {
	var refusal *echo.HTTPError
	if !errors.As(err, &refusal) || c.sink.sent || c.sink.answer {
		return err
	}
	defer func() { recover() }()
	x.Response().Committed = false
	x.Response().Writer = c.sink
	c.sink.passing = false
	c.session.echo.HTTPErrorHandler(err, x)
	if !c.sink.answer {
		return err
	}
	return nil
}

// next is what the plugin calls to let the request pass. It returns when the gateway has the head
// of the response, and a plugin that reads the response has been given all of it.
func (c *call) next(x echo.Context) error {
	if !c.called.CompareAndSwap(false, true) {
		return errTwice
	}
	request := x.Request()
	wrapped := x.Response().Writer != http.ResponseWriter(c.sink)
	other := request.Body != nil && request.Body != c.body
	c.sendNext(request, other, wrapped)
	if other {
		c.pumps.Add(1)
		go func() {
			defer c.pumps.Done()
			c.replaced.pump(request.Body)
		}()
	}
	if c.flags&requestOneLeg != 0 {
		return nil
	}
	select {
	case response := <-c.response:
		return c.pass(x.Response(), response, wrapped)
	case <-c.context.Done():
		return context.Cause(c.context)
	}
}

func (c *call) sendNext(request *http.Request, other, wrapped bool) {
	flags := byte(0)
	if other {
		flags |= nextBody
	}
	if wrapped {
		flags |= nextWriter
	}
	payload := []byte{flags}
	target := request.URL.RequestURI()
	if request.Method != c.method || target != c.target || request.Host != c.host {
		payload[0] |= nextLine
		for _, text := range []string{request.Method, target, request.Host} {
			payload = putText(payload, text)
		}
	}
	c.session.link.send(kindNext, c.id, putChanges(payload, c.fields, request.Header))
}

// pass writes the response that came back into the plugin's writers, as a handler would.
func (c *call) pass(to *echo.Response, from response, wrapped bool) error {
	if to.Committed {
		return nil // the plugin has answered before it called next
	}
	merge(to.Header(), from.fields)
	c.sink.base, c.sink.status = from.fields, from.status
	if !wrapped {
		c.sink.quiet = true
		to.WriteHeader(from.status) // runs what the plugin has registered by Before
		c.sink.quiet, to.Committed = false, false
		return nil
	}
	c.sink.passing = true
	to.WriteHeader(from.status)
	if from.flags&responseEnd != 0 {
		return nil
	}
	if !c.sink.sent {
		c.session.link.send(kindHead, c.id, []byte{headLate, 0, 0, 0, 0})
	}
	return c.copyBody(to)
}

func (c *call) copyBody(to *echo.Response) error {
	buffer := make([]byte, chunk)
	for {
		n, err := c.passed.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return err
			}
			if len(c.passed.arrived) == 0 {
				flush(to.Writer)
			}
		}
		if err != nil {
			return unlessEnd(err)
		}
	}
}

// done says how the call ended. An answer that fits goes along.
func (c *call) done(err error) {
	s, flags, text := c.sink, byte(0), ""
	if err != nil {
		flags, text = doneError, err.Error()
	}
	if s.answer {
		flags |= doneAnswer
	}
	if s.sent {
		flags |= donePassed
		if len(s.buffer) > 0 {
			s.spill()
		}
	}
	payload := binary.BigEndian.AppendUint16([]byte{flags}, uint16(s.status))
	if s.sent {
		payload = append(payload, 0, 0)
	} else {
		payload = putChanges(payload, s.base, s.header)
	}
	payload = putText(payload, text)
	c.session.link.send(kindDone, c.id, payload, s.buffer)
}

func (c *call) read(payload []byte) (*http.Request, error) {
	p := cursor{data: payload}
	c.flags = p.number8()
	method, target, host := p.text(), p.text(), p.text()
	client, id, protocol := p.text(), p.text(), p.text()
	c.fields = p.fields()
	if p.short {
		return nil, errMalformed
	}
	if !named(c.fields, requestID) {
		c.fields = append(c.fields, field{requestID, id})
	}
	location, err := url.ParseRequestURI(target)
	if err != nil {
		path, query, _ := strings.Cut(target, "?")
		location = &url.URL{Path: path, RawQuery: query}
	}
	c.method, c.target, c.host = method, location.RequestURI(), host
	request := &http.Request{
		Method: method, URL: location, RequestURI: target, Host: host,
		Proto: "HTTP/" + protocol, ProtoMajor: 1, ProtoMinor: 1,
		Header: header(c.fields), Body: c.body, RemoteAddr: net.JoinHostPort(client, "0"),
	}
	if protocol == "1.0" {
		request.ProtoMinor = 0
	}
	if c.flags&requestHasBody == 0 {
		c.body.put(dataEnd, nil)
		c.body.asked = true
	} else {
		request.ContentLength = contentLength(request.Header)
	}
	if c.flags&requestTLS != 0 {
		request.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	return request.WithContext(c.context), nil
}

func report(said any) {
	fmt.Fprintf(os.Stderr, "recovered from panic: %v\n%s\n", said, debug.Stack())
}
