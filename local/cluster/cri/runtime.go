// Package cri is a container runtime whose containers are processes of this machine, each in
// namespaces of its own. It serves the kubelet in the same process, through the Go interfaces of
// the Container Runtime Interface. It keeps no state on disk: containers end with the node.
package cri

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	internalapi "k8s.io/cri-api/pkg/apis"
	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming"
)

// Options say where a Runtime works.
type Options struct {
	Dir     string // containers live below it; no container sees it
	Shim    string // the shim's binary
	PodIP   string // all pods are on the host's network
	APIHost string // where the API server listens: nothing answers at its Service address
	APIPort string
	Images  Images
	// Resolve follows the links of a volume's host path that are the node's own.
	Resolve func(path string) (string, error)
	// MemorySize says whether a host path stands for memory, and how much (0: no limit).
	MemorySize func(path string) (size int64, memory bool)
}

// Runtime implements the runtime service, the image service is Images'.
type Runtime struct {
	internalapi.RuntimeService // nil: whatever is not written below is not served
	Options
	mu         sync.Mutex
	sandboxes  map[string]*sandbox
	containers map[string]*container
	events     chan *rt.ContainerEventResponse
	stream     streaming.Server
}

// New makes a runtime with no containers.
func New(o Options) (*Runtime, error) {
	r := &Runtime{
		Options:    o,
		sandboxes:  map[string]*sandbox{},
		containers: map[string]*container{},
		events:     make(chan *rt.ContainerEventResponse, 1000),
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "containers"), 0o711); err != nil {
		return nil, err
	}
	if err := r.serveStreams(); err != nil {
		return nil, fmt.Errorf("streaming server: %w", err)
	}
	return r, nil
}

// serveStreams opens the port that the kubelet forwards exec, attach and port-forward to. Each
// stream needs a token that is given to the kubelet alone and works once.
func (r *Runtime) serveStreams() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := streaming.DefaultConfig
	config.Addr = listener.Addr().String()
	_ = listener.Close()
	if r.stream, err = streaming.NewServer(config, streams{r}); err != nil {
		return err
	}
	go func() {
		if err := r.stream.Start(true); err != nil {
			fmt.Fprintln(os.Stderr, "streaming server:", err)
			os.Exit(1)
		}
	}()
	return nil
}

func newID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func (r *Runtime) stateOf(container string) string {
	return filepath.Join(r.Dir, "containers", container)
}

// Version names the runtime.
func (r *Runtime) Version(context.Context, string) (*rt.VersionResponse, error) {
	return &rt.VersionResponse{
		Version: "0.1.0", RuntimeName: "processes", RuntimeVersion: "0.1.0", RuntimeApiVersion: "v1",
	}, nil
}

// Status is always ready: there is no daemon and no network plugin to wait for.
func (r *Runtime) Status(context.Context, bool) (*rt.StatusResponse, error) {
	return &rt.StatusResponse{
		Status: &rt.RuntimeStatus{Conditions: []*rt.RuntimeCondition{
			{Type: rt.RuntimeReady, Status: true}, {Type: rt.NetworkReady, Status: true},
		}},
		RuntimeHandlers: []*rt.RuntimeHandler{{Features: &rt.RuntimeHandlerFeatures{}}},
		Features:        &rt.RuntimeFeatures{},
	}, nil
}

// RuntimeConfig names a cgroup driver, because the kubelet asks; no cgroup is made.
func (r *Runtime) RuntimeConfig(context.Context) (*rt.RuntimeConfigResponse, error) {
	return &rt.RuntimeConfigResponse{Linux: &rt.LinuxRuntimeConfiguration{CgroupDriver: rt.CgroupDriver_CGROUPFS}}, nil
}

// UpdateRuntimeConfig brings a pod network, which there is none of.
func (r *Runtime) UpdateRuntimeConfig(context.Context, *rt.RuntimeConfig) error { return nil }

// Close has nothing to close.
func (r *Runtime) Close(context.Context) error { return nil }

// matches is the label selector of every list call.
func matches(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// removeAll removes a container's folder; overlayfs leaves a work directory that nobody may enter.
func removeAll(dir string) error {
	_ = filepath.Walk(dir, func(p string, info os.FileInfo, _ error) error {
		if info != nil && info.IsDir() && info.Mode().Perm()&0o700 != 0o700 {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
