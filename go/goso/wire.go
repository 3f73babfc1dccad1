package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// The frames. Each is u32 length of what follows, u8 kind, u32 id of the call, payload; numbers
// are big-endian, and a text is u32 length and bytes. The other side is runtimes/goso/_frames.py.
const (
	kindOpen     = 1  // JSON: file, symbol, config
	kindRequest  = 2  // u8 flags; method, target, host, client, id, protocol; fields
	kindResponse = 3  // u8 flags; u16 status; fields
	kindData     = 4  // u8 stream and flags; bytes
	kindWindow   = 5  // u8 stream; u32 bytes that may be sent
	kindCancel   = 6  //
	kindPing     = 7  //
	kindReady    = 8  // JSON: what was opened
	kindFailed   = 9  // JSON: stage, detail
	kindStage    = 10 // text: what begins now
	kindNext     = 11 // u8 flags; method, target, host if changed; changes of fields
	kindHead     = 12 // u8 flags; u16 status; changes of fields
	kindDone     = 13 // u8 flags; u16 status; changes of fields; text of the error; bytes
	kindPong     = 14 //
)

const (
	requestOneLeg  = 1 // the response is of no interest: next returns at once
	requestHasBody = 2
	requestTLS     = 4

	responseEnd = 1 // no body follows

	nextBody   = 1 // the plugin has replaced the request's body
	nextWriter = 2 // the plugin has replaced the response's writer: it wants the body
	nextLine   = 4 // the method, the target or the host has changed

	headAnswer = 1 // it is the plugin's own response, not the one that came back from next
	headLate   = 2 // it is not known before the plugin has seen some of the body

	doneAnswer = 1
	doneError  = 2 // the plugin returned an error or panicked
	donePassed = 4 // what was sent before was all: there is no head in this frame

	streamRequest  = 0
	streamResponse = 1
	dataEnd        = 0x80
	dataBroken     = 0x40
)

const (
	window  = 256 << 10 // bytes of a stream that may be under way
	chunk   = 64 << 10
	largest = 16 << 20 // bytes of a frame
)

var errMalformed = errors.New("malformed frame")

// link is the one connection to the gateway. Frames that are written at the same time share a
// system call: whoever finds another one waiting leaves the flush to it.
type link struct {
	reader  *bufio.Reader
	writer  *bufio.Writer
	mutex   sync.Mutex
	waiting atomic.Int32
	broken  error
}

func newLink(connection io.ReadWriter) *link {
	return &link{
		reader: bufio.NewReaderSize(connection, chunk),
		writer: bufio.NewWriterSize(connection, chunk),
	}
}

func (l *link) send(kind byte, id uint32, parts ...[]byte) error {
	size := 5
	for _, part := range parts {
		size += len(part)
	}
	var head [9]byte
	binary.BigEndian.PutUint32(head[:], uint32(size))
	head[4] = kind
	binary.BigEndian.PutUint32(head[5:], id)
	l.waiting.Add(1)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.write(head[:])
	for _, part := range parts {
		l.write(part)
	}
	if l.waiting.Add(-1) == 0 && l.broken == nil {
		l.broken = l.writer.Flush()
	}
	return l.broken
}

func (l *link) write(part []byte) {
	if l.broken == nil {
		_, l.broken = l.writer.Write(part)
	}
}

func (l *link) receive() (kind byte, id uint32, payload []byte, err error) {
	var head [9]byte
	if _, err = io.ReadFull(l.reader, head[:]); err != nil {
		return
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 5 || size > largest {
		err = errMalformed
		return
	}
	payload = make([]byte, size-5)
	_, err = io.ReadFull(l.reader, payload)
	return head[4], binary.BigEndian.Uint32(head[5:]), payload, err
}

// cursor reads a payload. What is beyond its end reads as zero and sets `short`.
type cursor struct {
	data  []byte
	short bool
}

func (c *cursor) take(size int) []byte {
	if size < 0 || size > len(c.data) {
		c.short, c.data = true, nil
		return nil
	}
	taken := c.data[:size]
	c.data = c.data[size:]
	return taken
}

func (c *cursor) number8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) number16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) number32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) text() string { return string(c.take(int(c.number32()))) }

// field is one header field, with the name in the canonical form of Go.
type field struct{ name, value string }

func (c *cursor) fields() []field {
	count := int(c.number16())
	found := make([]field, 0, min(count, 64))
	for i := 0; i < count && !c.short; i++ {
		name := http.CanonicalHeaderKey(c.text())
		found = append(found, field{name, c.text()})
	}
	return found
}

func header(fields []field) http.Header {
	made := make(http.Header, len(fields)+2)
	for _, f := range fields {
		made[f.name] = append(made[f.name], f.value)
	}
	return made
}

func putText(to []byte, text string) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(text)))
	return append(to, text...)
}

// putChanges appends what differs between `before` and `now`: u16 count; for each name that
// differs its u16 count of values and those values. No values: the field has gone.
func putChanges(to []byte, before []field, now http.Header) []byte {
	at, count := len(to), 0
	to = append(to, 0, 0)
	for name, values := range now {
		if !same(before, name, values) {
			count++
			to = putValues(to, name, values)
		}
	}
	for i, f := range before {
		if _, there := now[f.name]; !there && !named(before[:i], f.name) {
			count++
			to = putValues(to, f.name, nil)
		}
	}
	binary.BigEndian.PutUint16(to[at:], uint16(count))
	return to
}

func putValues(to []byte, name string, values []string) []byte {
	to = putText(to, strings.ToLower(name))
	to = binary.BigEndian.AppendUint16(to, uint16(len(values)))
	for _, value := range values {
		to = putText(to, value)
	}
	return to
}

func same(before []field, name string, values []string) bool {
	n := 0
	for _, f := range before {
		if f.name == name {
			if n >= len(values) || values[n] != f.value {
				return false
			}
			n++
		}
	}
	return n == len(values)
}

func named(fields []field, name string) bool {
	for _, f := range fields {
		if f.name == name {
			return true
		}
	}
	return false
}
