package main

import (
	"errors"
	"io"
	"net/http"
	"strconv"
)

// merge puts the fields of a response beside those that the plugin has set before next: a field
// of the same name takes their place, except for the two that add up.
func merge(to http.Header, fields []field) {
	for i, f := range fields {
		if f.name != "Set-Cookie" && f.name != "Vary" && !named(fields[:i], f.name) {
			delete(to, f.name)
		}
		to[f.name] = append(to[f.name], f.value)
	}
}

func contentLength(header http.Header) int64 {
	length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return length
}

func flush(writer http.ResponseWriter) {
	if flusher, ok := writer.(http.Flusher); ok {
		flusher.Flush()
	}
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
