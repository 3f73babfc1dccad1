package sdk

import (
	"context"
	"errors"
	"io"
	"sync"

	"plugbay.dev/sdk/hookpb"
)

const window = 256 << 10

var errNoHook = errors.New("the plugin has no such hook")

// inbox holds what the gateway says of a call until it is asked for.
type inbox struct {
	mutex  sync.Mutex
	frames []*hookpb.Frame
	ready  chan struct{}
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (i *inbox) put(frame *hookpb.Frame) {
	i.mutex.Lock()
	i.frames = append(i.frames, frame)
	i.mutex.Unlock()
	select {
	case i.ready <- struct{}{}:
	default:
	}
}

func (i *inbox) poll() *hookpb.Frame {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if len(i.frames) == 0 {
		return nil
	}
	frame := i.frames[0]
	i.frames = i.frames[1:]
	return frame
}

func (i *inbox) get(ctx context.Context) (*hookpb.Frame, error) {
	for {
		if frame := i.poll(); frame != nil {
			return frame, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-i.ready:
		}
	}
}

func (s *server) readBody(ctx context.Context, call *call, limit uint64) ([]byte, error) {
	read := &hookpb.ReadBody{Limit: limit}
	s.out.put(&hookpb.Frame{Id: call.id, What: &hookpb.Frame_ReadBody{ReadBody: read}})
	frame, err := call.in.get(ctx)
	if err != nil {
		return nil, err
	}
	body := frame.GetBody()
	switch {
	case body == nil || body.Broken:
		return nil, io.ErrUnexpectedEOF
	case body.TooLarge:
		return nil, ErrTooLarge
	}
	return body.Data, nil
}

// pipe is both ends of a body that is filtered. One goroutine sorts what comes in.
type pipe struct {
	ctx    context.Context
	server *server
	call   *call
	mutex  sync.Mutex
	chunks [][]byte
	ended  bool
	credit int
	used   int
	wake   chan struct{}
	room   chan struct{}
	rest   []byte
}

func (s *server) filterBody(ctx context.Context, open *hookpb.OpenBody, call *call) (*hookpb.Frame, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &pipe{
		ctx: ctx, server: s, call: call, credit: window,
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	go p.sort()
	request := requestOf(open.Request)
	var err error
	if open.Response == nil {
		filter, ok := s.plugin.(RequestBodyFilter)
		if !ok {
			return nil, errNoHook
		}
		err = filter.RequestBody(ctx, request, p, p)
	} else {
		filter, ok := s.plugin.(ResponseBodyFilter)
		if !ok {
			return nil, errNoHook
		}
		err = filter.ResponseBody(ctx, request, responseOf(open.Response), p, p)
	}
	if err != nil {
		return nil, err
	}
	return &hookpb.Frame{What: &hookpb.Frame_Chunk{Chunk: &hookpb.Chunk{End: true}}}, nil
}

func (p *pipe) sort() {
	for {
		frame, err := p.call.in.get(p.ctx)
		if err != nil {
			return
		}
		p.mutex.Lock()
		if chunk := frame.GetChunk(); chunk != nil {
			if len(chunk.Data) > 0 {
				p.chunks = append(p.chunks, chunk.Data)
			}
			p.ended = p.ended || chunk.End
			signal(p.wake)
		} else if credit := frame.GetCredit(); credit != nil {
			p.credit += int(credit.Bytes)
			signal(p.room)
		}
		p.mutex.Unlock()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Read returns the next bytes of the body, and io.EOF behind its end.
func (p *pipe) Read(into []byte) (int, error) {
	for len(p.rest) == 0 {
		p.mutex.Lock()
		if len(p.chunks) > 0 {
			p.rest, p.chunks = p.chunks[0], p.chunks[1:]
		}
		ended := p.ended
		p.mutex.Unlock()
		if len(p.rest) > 0 {
			break
		}
		if ended {
			return 0, io.EOF
		}
		select {
		case <-p.ctx.Done():
			return 0, io.ErrUnexpectedEOF
		case <-p.wake:
		}
	}
	n := copy(into, p.rest)
	p.rest = p.rest[n:]
	p.use(n)
	return n, nil
}

func (p *pipe) use(n int) {
	p.used += n
	if p.used >= window/4 {
		credit := &hookpb.Credit{Bytes: uint64(p.used)}
		p.server.out.put(&hookpb.Frame{Id: p.call.id, What: &hookpb.Frame_Credit{Credit: credit}})
		p.used = 0
	}
}

// Write sends bytes, when the gateway has room for them.
func (p *pipe) Write(data []byte) (int, error) {
	written := 0
	for written < len(data) {
		p.mutex.Lock()
		n := min(p.credit, len(data)-written)
		p.credit -= n
		p.mutex.Unlock()
		if n == 0 {
			select {
			case <-p.ctx.Done():
				return written, io.ErrClosedPipe
			case <-p.room:
			}
			continue
		}
		part := append([]byte(nil), data[written:written+n]...)
		chunk := &hookpb.Chunk{Data: part}
		p.server.out.put(&hookpb.Frame{Id: p.call.id, What: &hookpb.Frame_Chunk{Chunk: chunk}})
		written += n
	}
	return written, nil
}
