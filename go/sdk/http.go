package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"plugbay.dev/sdk/hookpb"
)

// ErrTooLarge says that a body is longer than the plugin was willing to buffer.
var ErrTooLarge = errors.New("the request body is longer than the limit")

// Header is a list of header fields. What is changed through its methods is what is sent.
type Header struct {
	fields  [][]byte // name, value, name, value …; names in lower case
	changes []*hookpb.FieldChange
}

// NewHeader makes one of names and values in turn.
func NewHeader(pairs ...string) Header {
	var h Header
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// Get returns the first value of a name, or "".
func (h *Header) Get(name string) string {
	name = strings.ToLower(name)
	for i := 0; i+1 < len(h.fields); i += 2 {
		if string(h.fields[i]) == name {
			return string(h.fields[i+1])
		}
	}
	return ""
}

// Values returns every value of a name, in order.
func (h *Header) Values(name string) []string {
	name = strings.ToLower(name)
	var found []string
	for i := 0; i+1 < len(h.fields); i += 2 {
		if string(h.fields[i]) == name {
			found = append(found, string(h.fields[i+1]))
		}
	}
	return found
}

// All calls yield with each name and value, in order, until it returns false.
func (h *Header) All(yield func(name, value string) bool) {
	for i := 0; i+1 < len(h.fields); i += 2 {
		if !yield(string(h.fields[i]), string(h.fields[i+1])) {
			return
		}
	}
}

// Set replaces every field of a name by one.
func (h *Header) Set(name, value string) { h.change(hookpb.FieldChange_SET, name, value) }

// Add appends a field.
func (h *Header) Add(name, value string) { h.change(hookpb.FieldChange_ADD, name, value) }

// Del removes every field of a name.
func (h *Header) Del(name string) { h.change(hookpb.FieldChange_REMOVE, name, "") }

func (h *Header) change(action hookpb.FieldChange_Action, name, value string) {
	name = strings.ToLower(name)
	if action != hookpb.FieldChange_ADD {
		kept := make([][]byte, 0, len(h.fields)+2)
		for i := 0; i+1 < len(h.fields); i += 2 {
			if string(h.fields[i]) != name {
				kept = append(kept, h.fields[i], h.fields[i+1])
			}
		}
		h.fields = kept
	}
	if action != hookpb.FieldChange_REMOVE {
		h.fields = append(h.fields, []byte(name), []byte(value))
	}
	change := &hookpb.FieldChange{Action: action, Name: []byte(name), Value: []byte(value)}
	h.changes = append(h.changes, change)
}

// Request is a request on its way to an upstream. A filter changes Method, Target and Header in
// place; the other fields are for reading.
type Request struct {
	Method      string
	Target      string // the path, and the query if any, as received
	Header      Header
	Authority   string
	Scheme      string
	Client      string // the address of the client
	ID          string
	Route       string
	HTTPVersion string
	HasBody     bool
	read        func(ctx context.Context, limit uint64) ([]byte, error)
	head        *hookpb.RequestHead
}

// Path returns the path, percent-encoded as received.
func (r *Request) Path() string {
	path, _, _ := strings.Cut(r.Target, "?")
	return path
}

// Query returns the query without the question mark, as received.
func (r *Request) Query() string {
	_, query, _ := strings.Cut(r.Target, "?")
	return query
}

// Body buffers the whole body and returns it; the upstream still gets it. It returns ErrTooLarge
// for one that is longer than limit bytes. Only OnRequest can call it.
func (r *Request) Body(ctx context.Context, limit int) ([]byte, error) {
	if !r.HasBody {
		return nil, nil
	}
	if r.read == nil {
		return nil, errors.New("the body can be read in OnRequest only")
	}
	return r.read(ctx, uint64(limit))
}

// Response is one that a filter answers with, or the upstream's on its way back, whose Body is nil.
type Response struct {
	Status int
	Header Header
	Body   []byte
	head   *hookpb.ResponseHead
}

// Text answers with plain text in UTF-8.
func Text(status int, text string) *Response {
	header := NewHeader("content-type", "text/plain; charset=utf-8")
	return &Response{Status: status, Header: header, Body: []byte(text)}
}

// JSON answers with a value as JSON; one that cannot be encoded is answered with 500.
func JSON(status int, value any) *Response {
	body, err := json.Marshal(value)
	if err != nil {
		return Problem(500, "the answer cannot be encoded", err.Error())
	}
	return &Response{Status: status, Header: NewHeader("content-type", "application/json"), Body: body}
}

// Problem answers with problem details (RFC 9457).
func Problem(status int, title, detail string) *Response {
	content := map[string]any{"type": "about:blank", "title": title, "status": status}
	if detail != "" {
		content["detail"] = detail
	}
	response := JSON(status, content)
	response.Header.Set("content-type", "application/problem+json")
	return response
}

func requestOf(head *hookpb.RequestHead) *Request {
	return &Request{
		Method:      string(head.Method),
		Target:      string(head.Target),
		Header:      Header{fields: head.Fields},
		Authority:   head.Authority,
		Scheme:      head.Scheme,
		Client:      head.Client,
		ID:          head.RequestId,
		Route:       head.Route,
		HTTPVersion: head.HttpVersion,
		HasBody:     head.HasBody,
		head:        head,
	}
}

func responseOf(head *hookpb.ResponseHead) *Response {
	if head == nil {
		return nil
	}
	return &Response{Status: int(head.Status), Header: Header{fields: head.Fields}, head: head}
}

func (r *Request) passed() *hookpb.Frame {
	proceed := &hookpb.Proceed{Changes: r.Header.changes}
	if r.Method != string(r.head.Method) {
		proceed.Method = []byte(r.Method)
	}
	if r.Target != string(r.head.Target) {
		proceed.Target = []byte(r.Target)
	}
	return &hookpb.Frame{What: &hookpb.Frame_Proceed{Proceed: proceed}}
}

func (r *Response) passed() *hookpb.Frame {
	proceed := &hookpb.Proceed{Changes: r.Header.changes}
	if r.Status != int(r.head.Status) {
		proceed.Status = uint32(r.Status)
	}
	return &hookpb.Frame{What: &hookpb.Frame_Proceed{Proceed: proceed}}
}

func (r *Response) answered() *hookpb.Frame {
	respond := &hookpb.Respond{Status: uint32(r.Status), Fields: r.Header.fields, Body: r.Body}
	return &hookpb.Frame{What: &hookpb.Frame_Respond{Respond: respond}}
}
