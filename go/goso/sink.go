package main

import (
	"encoding/binary"
	"net/http"
)

// sink is the writer at the bottom of `c.Response()`: what reaches it goes to the gateway.
//
// While the plugin has not called next, or after that, what it writes is an answer of its own.
// Only while the response that came back from next passes through a writer of the plugin is it
// that response's body.
type sink struct {
	call    *call
	header  http.Header
	base    []field // the header fields that came back from next
	status  int
	passing bool // the response from next goes through the plugin's writer
	quiet   bool // next itself sets the head: the gateway has it already
	sent    bool // the head has gone to the gateway
	answer  bool // the plugin has written a response of its own
	buffer  []byte
	flow    *outflow
}

func newSink(call *call) *sink {
	return &sink{call: call, header: http.Header{}, flow: newOutflow(call, streamResponse)}
}

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) {
	if s.sent || (status >= 100 && status < 200 && status != http.StatusSwitchingProtocols) {
		return // an interim response: the gateway sends its own
	}
	s.status = status
	if s.quiet {
		return
	}
	if s.passing {
		s.sendHead()
	} else if !s.answer {
		s.answer, s.base = true, nil
	}
}

func (s *sink) Write(data []byte) (int, error) {
	if s.passing {
		if !s.sent {
			s.sendHead()
		}
		return s.flow.Write(data)
	}
	if !s.answer {
		s.WriteHeader(max(s.status, http.StatusOK))
	}
	if !s.sent && len(s.buffer)+len(data) <= chunk {
		s.buffer = append(s.buffer, data...)
		return len(data), nil
	}
	s.spill()
	return s.flow.Write(data)
}

// Flush sends what is there: a plugin that streams its answer wants it to be seen.
func (s *sink) Flush() {
	if s.answer {
		s.spill()
	}
}

func (s *sink) spill() {
	if !s.sent {
		s.sendHead()
	}
	if len(s.buffer) > 0 {
		s.flow.Write(s.buffer)
		s.buffer = nil
	}
}

func (s *sink) sendHead() {
	s.sent = true
	flags := byte(0)
	if s.answer {
		flags = headAnswer
	}
	payload := binary.BigEndian.AppendUint16([]byte{flags}, uint16(max(s.status, 100)))
	s.call.session.link.send(kindHead, s.call.id, putChanges(payload, s.base, s.header))
}
