package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"reflect"
	"runtime"
	"sync"

	"github.com/labstack/echo/v4"
)

type open struct {
	File   string                 `json:"file"`
	Symbol string                 `json:"symbol"`
	Config map[string]interface{} `json:"config"`
}

// session serves one gateway over one connection, with one plugin.
type session struct {
	link   *link
	echo   *echo.Echo
	plugin middleware
	mutex  sync.Mutex
	calls  map[uint32]*call
}

func newSession(l *link) *session {
	e := echo.New()
	e.Logger.SetOutput(os.Stderr)
	believeGateway(e)
	return &session{link: l, echo: e, calls: map[uint32]*call{}}
}

// believeGateway makes c.RealIP() the client that the gateway sees through the proxies it trusts, not
// one that the client claims to be. Old versions of Echo have no such field.
func believeGateway(e *echo.Echo) {
	field := reflect.ValueOf(e).Elem().FieldByName("IPExtractor")
	if !field.IsValid() {
		return
	}
	client := func(request *http.Request) string {
		host, _, _ := net.SplitHostPort(request.RemoteAddr)
		return host
	}
	field.Set(reflect.ValueOf(client).Convert(field.Type()))
}

// serve returns when the gateway has closed the connection.
func (s *session) serve() error {
	for {
		kind, id, payload, err := s.link.receive()
		if err != nil {
			return err
		}
		switch kind {
		case kindOpen:
			if err := s.open(payload); err != nil {
				return err
			}
		case kindRequest:
			if s.plugin == nil {
				return errMalformed
			}
			c := newCall(s, id)
			s.mutex.Lock()
			s.calls[id] = c
			s.mutex.Unlock()
			go c.run(payload)
		case kindPing:
			s.link.send(kindPong, id)
		default:
			if err := s.hand(kind, id, payload); err != nil {
				return err
			}
		}
	}
}

// hand gives a frame to its call; a call that has ended meanwhile does not need it any more.
func (s *session) hand(kind byte, id uint32, payload []byte) error {
	s.mutex.Lock()
	c := s.calls[id]
	s.mutex.Unlock()
	if c == nil {
		return nil
	}
	p := cursor{data: payload}
	switch kind {
	case kindResponse:
		r := response{flags: p.number8(), status: int(p.number16()), fields: p.fields()}
		select {
		case c.response <- r:
		default:
			return errMalformed
		}
	case kindData:
		flags := p.number8()
		body := c.body
		if flags&1 == streamResponse {
			body = c.passed
		}
		body.put(flags, p.data)
	case kindWindow:
		flow := c.replaced
		if p.number8() == streamResponse {
			flow = c.sink.flow
		}
		flow.granted(int(p.number32()))
	case kindCancel:
		c.cancel(errGone)
	default:
		return errMalformed
	}
	if p.short {
		return errMalformed
	}
	return nil
}

func (s *session) forget(c *call) {
	s.mutex.Lock()
	delete(s.calls, c.id)
	s.mutex.Unlock()
}

// end cancels what is under way: nobody waits for it.
func (s *session) end() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, c := range s.calls {
		c.cancel(context.Canceled)
	}
}

// open loads the plugin and says how that went. A panic in it is reported like an error; one in
// the initialisation of its packages ends the process, and the last stage says where.
func (s *session) open(payload []byte) error {
	var wanted open
	if err := json.Unmarshal(payload, &wanted); err != nil || s.plugin != nil {
		return errMalformed
	}
	if wanted.Config == nil {
		wanted.Config = map[string]interface{}{}
	}
	last := ""
	facts, err := s.load(wanted, func(name string) {
		last = name
		s.link.send(kindStage, 0, []byte(name))
	})
	if err != nil {
		said, _ := json.Marshal(map[string]string{"stage": last, "detail": err.Error()})
		return s.link.send(kindFailed, 0, said)
	}
	said, _ := json.Marshal(struct {
		opened
		Go string `json:"go"`
	}{facts, runtime.Version()})
	return s.link.send(kindReady, 0, said)
}

func (s *session) load(wanted open, stage func(string)) (facts opened, err error) {
	defer func() {
		if said := recover(); said != nil {
			report(said)
			err = fmt.Errorf("panic: %v", said)
		}
	}()
	s.plugin, facts, err = load(wanted, stage)
	return
}
