package sdk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"plugbay.dev/sdk/hookpb"
)

var logger = hclog.New(&hclog.LoggerOptions{
	Level:      hclog.Debug,
	Output:     os.Stderr,
	JSONFormat: true,
})

// Host is what the gateway lends to a plugin.
type Host struct {
	Plugin     string
	Version    string
	Generation uint64
	Log        hclog.Logger
	KV         KeyValue
	secrets    map[string]string
	out        *outbox
}

func newHost(out *outbox) *Host {
	host := &Host{Log: logger, out: out}
	host.KV = KeyValue{out: out, waiting: map[uint64]chan *hookpb.HostReply{}, mutex: &sync.Mutex{}}
	return host
}

// Secret returns a secret that the manifest's permissions name and the operator has set.
func (h *Host) Secret(name string) (string, error) {
	value, ok := h.secrets[name]
	if !ok {
		return "", fmt.Errorf("no secret %q: name it in permissions.secrets, and let the operator set it", name)
	}
	return value, nil
}

// Publish publishes an event; data becomes a JSON object. It never waits.
func (h *Host) Publish(topic string, data any) {
	event := &hookpb.Event{Topic: topic, Data: encode(data)}
	h.out.put(&hookpb.Frame{What: &hookpb.Frame_Publish{Publish: event}})
}

// Count adds to a counter of the plugin, whose name ends in _total.
func (h *Host) Count(name, help string, amount float64, labels map[string]string) {
	h.measure(hookpb.Measurement_COUNTER, name, help, amount, labels, nil)
}

// Gauge sets a gauge of the plugin.
func (h *Host) Gauge(name, help string, value float64, labels map[string]string) {
	h.measure(hookpb.Measurement_GAUGE, name, help, value, labels, nil)
}

// Observe counts a value in a histogram of the plugin, in seconds or bytes.
func (h *Host) Observe(name, help string, value float64, labels map[string]string, buckets []float64) {
	h.measure(hookpb.Measurement_HISTOGRAM, name, help, value, labels, buckets)
}

func (h *Host) measure(
	kind hookpb.Measurement_Kind, name, help string, value float64,
	labels map[string]string, buckets []float64,
) {
	measurement := &hookpb.Measurement{
		Kind: kind, Name: name, Help: help, Value: value, Labels: labels, Buckets: buckets,
	}
	h.out.put(&hookpb.Frame{What: &hookpb.Frame_Measurement{Measurement: measurement}})
}

func (h *Host) replied(id uint64, reply *hookpb.HostReply) { h.KV.replied(id, reply) }

// KeyValue is small durable state of the plugin, shared by all workers and all its generations.
type KeyValue struct {
	out     *outbox
	mutex   *sync.Mutex
	last    uint64
	waiting map[uint64]chan *hookpb.HostReply
}

// Get returns the value of a key, and whether there is one.
func (kv *KeyValue) Get(ctx context.Context, key string) ([]byte, bool, error) {
	reply, err := kv.call(ctx, &hookpb.HostCall{Method: hookpb.HostCall_KV_GET, Key: key})
	return reply.GetValue(), reply.GetFound(), err
}

// Set stores a value durably; it is gone after ttl, if that is not 0.
func (kv *KeyValue) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	call := &hookpb.HostCall{
		Method: hookpb.HostCall_KV_SET, Key: key, Value: value, Ttl: ttl.Seconds(),
	}
	_, err := kv.call(ctx, call)
	return err
}

// Delete forgets a key; it need not be there.
func (kv *KeyValue) Delete(ctx context.Context, key string) error {
	_, err := kv.call(ctx, &hookpb.HostCall{Method: hookpb.HostCall_KV_DELETE, Key: key})
	return err
}

// Keys returns the keys that start with prefix, sorted.
func (kv *KeyValue) Keys(ctx context.Context, prefix string) ([]string, error) {
	reply, err := kv.call(ctx, &hookpb.HostCall{Method: hookpb.HostCall_KV_KEYS, Key: prefix})
	return reply.GetKeys(), err
}

func (kv *KeyValue) call(ctx context.Context, call *hookpb.HostCall) (*hookpb.HostReply, error) {
	done := make(chan *hookpb.HostReply, 1)
	kv.mutex.Lock()
	kv.last++
	id := kv.last
	kv.waiting[id] = done
	kv.mutex.Unlock()
	defer func() {
		kv.mutex.Lock()
		delete(kv.waiting, id)
		kv.mutex.Unlock()
	}()
	kv.out.put(&hookpb.Frame{Id: id, What: &hookpb.Frame_HostCall{HostCall: call}})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case reply := <-done:
		if reply.Failure != nil {
			return nil, errors.New(reply.Failure.Detail)
		}
		return reply, nil
	}
}

func (kv *KeyValue) replied(id uint64, reply *hookpb.HostReply) {
	kv.mutex.Lock()
	defer kv.mutex.Unlock()
	if done, ok := kv.waiting[id]; ok {
		done <- reply
	}
}

func lower(name string) []byte { return []byte(strings.ToLower(name)) }
