package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

var errBroken = errors.New("the body ended before it was complete")

// inflow is a body that comes from the gateway: asked for by the first read, and no faster than
// it is read. It is what a plugin finds in `c.Request().Body`.
type inflow struct {
	call    *call
	stream  byte
	mutex   sync.Mutex
	chunks  [][]byte
	ended   error
	asked   bool
	eaten   int
	arrived chan struct{}
}

func newInflow(call *call, stream byte, asked bool) *inflow {
	return &inflow{call: call, stream: stream, asked: asked, arrived: make(chan struct{}, 1)}
}

func (b *inflow) put(flags byte, data []byte) {
	b.mutex.Lock()
	if len(data) > 0 {
		b.chunks = append(b.chunks, data)
	}
	if flags&dataBroken != 0 {
		b.ended = errBroken
	} else if flags&dataEnd != 0 {
		b.ended = io.EOF
	}
	b.mutex.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

func (b *inflow) Read(to []byte) (int, error) {
	if len(to) == 0 {
		return 0, nil
	}
	for {
		n, err := b.next(to)
		if n > 0 || err != nil {
			return n, err
		}
		select {
		case <-b.arrived:
		case <-b.call.context.Done():
			return 0, b.call.context.Err()
		}
	}
}

// next reads what is there. It grants the gateway another half window when that much is read.
func (b *inflow) next(to []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if !b.asked {
		b.asked = true
		b.grant(window)
	}
	if len(b.chunks) == 0 {
		return 0, b.ended
	}
	n := copy(to, b.chunks[0])
	if n == len(b.chunks[0]) {
		b.chunks = b.chunks[1:]
	} else {
		b.chunks[0] = b.chunks[0][n:]
	}
	b.eaten += n
	if b.eaten >= window/2 && b.ended == nil {
		b.grant(b.eaten)
		b.eaten = 0
	}
	return n, nil
}

func (b *inflow) grant(size int) {
	var payload [5]byte
	payload[0] = b.stream
	binary.BigEndian.PutUint32(payload[1:], uint32(size))
	b.call.session.link.send(kindWindow, b.call.id, payload[:])
}

func (b *inflow) Close() error { return nil }

// outflow is a body that goes to the gateway, no faster than the gateway takes it.
type outflow struct {
	call   *call
	stream byte
	mutex  sync.Mutex
	credit int
	more   chan struct{}
}

func newOutflow(call *call, stream byte) *outflow {
	return &outflow{call: call, stream: stream, credit: window, more: make(chan struct{}, 1)}
}

func (o *outflow) granted(size int) {
	o.mutex.Lock()
	o.credit += size
	o.mutex.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
}

func (o *outflow) Write(data []byte) (int, error) {
	written := 0
	for len(data) > 0 {
		size, err := o.take(min(len(data), chunk))
		if err != nil {
			return written, err
		}
		if err := o.send(0, data[:size]); err != nil {
			return written, err
		}
		written += size
		data = data[size:]
	}
	return written, nil
}

func (o *outflow) take(wanted int) (int, error) {
	for {
		o.mutex.Lock()
		size := min(wanted, o.credit)
		o.credit -= size
		o.mutex.Unlock()
		if size > 0 {
			return size, nil
		}
		select {
		case <-o.more:
		case <-o.call.context.Done():
			return 0, context.Cause(o.call.context)
		}
	}
}

func (o *outflow) send(flags byte, data []byte) error {
	return o.call.session.link.send(kindData, o.call.id, []byte{o.stream | flags}, data)
}

// pump sends a whole body and says how it ended.
func (o *outflow) pump(body io.ReadCloser) {
	defer body.Close()
	defer func() {
		if said := recover(); said != nil {
			report(said)
			o.send(dataBroken, nil)
		}
	}()
	if _, err := io.Copy(onlyWriter{o}, body); err != nil {
		o.send(dataBroken, nil)
	} else {
		o.send(dataEnd, nil)
	}
}

type onlyWriter struct{ io.Writer }
