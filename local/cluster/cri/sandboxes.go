package cri

import (
	"context"
	"sort"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// sandbox is a pod: with the host's network there is nothing to run for it.
type sandbox struct {
	id      string
	config  *rt.PodSandboxConfig
	created int64
	stopped bool
}

func (s *sandbox) state() rt.PodSandboxState {
	if s.stopped {
		return rt.PodSandboxState_SANDBOX_NOTREADY
	}
	return rt.PodSandboxState_SANDBOX_READY
}

// RunPodSandbox notes a pod.
func (r *Runtime) RunPodSandbox(_ context.Context, config *rt.PodSandboxConfig, _ string) (string, error) {
	s := &sandbox{id: newID(), config: config, created: time.Now().UnixNano()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sandboxes[s.id] = s
	return s.id, nil
}

func (r *Runtime) containersOf(sandbox string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, c := range r.containers {
		if c.sandbox == sandbox {
			ids = append(ids, id)
		}
	}
	return ids
}

// StopPodSandbox kills what still runs of a pod.
func (r *Runtime) StopPodSandbox(ctx context.Context, id string) error {
	for _, c := range r.containersOf(id) {
		if err := r.StopContainer(ctx, c, 0); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sandboxes[id]; s != nil {
		s.stopped = true
	}
	return nil
}

// RemovePodSandbox removes a pod with its containers.
func (r *Runtime) RemovePodSandbox(ctx context.Context, id string) error {
	if err := r.StopPodSandbox(ctx, id); err != nil {
		return err
	}
	for _, c := range r.containersOf(id) {
		if err := r.RemoveContainer(ctx, c); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sandboxes, id)
	return nil
}

func (r *Runtime) sandboxStatus(s *sandbox) *rt.PodSandboxStatus {
	options := &rt.NamespaceOption{}
	if o := s.config.GetLinux().GetSecurityContext().GetNamespaceOptions(); o != nil {
		options = o
	}
	return &rt.PodSandboxStatus{
		Id: s.id, Metadata: s.config.Metadata, State: s.state(), CreatedAt: s.created,
		Network: &rt.PodSandboxNetworkStatus{Ip: r.PodIP},
		Linux:   &rt.LinuxPodSandboxStatus{Namespaces: &rt.Namespace{Options: options}},
		Labels:  s.config.Labels, Annotations: s.config.Annotations,
	}
}

// PodSandboxStatus leaves the timestamp out: with one, a kubelet with EventedPLEG takes the
// containers' states from this answer alone.
func (r *Runtime) PodSandboxStatus(_ context.Context, id string, _ bool) (*rt.PodSandboxStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[id]
	if s == nil {
		return nil, status.Error(codes.NotFound, "no such pod sandbox: "+id)
	}
	return &rt.PodSandboxStatusResponse{Status: r.sandboxStatus(s)}, nil
}

// ListPodSandbox lists, the newest first.
func (r *Runtime) ListPodSandbox(_ context.Context, f *rt.PodSandboxFilter) ([]*rt.PodSandbox, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*rt.PodSandbox
	for _, s := range r.sandboxes {
		if f != nil && (f.Id != "" && f.Id != s.id ||
			f.State != nil && f.State.State != s.state() ||
			!matches(f.LabelSelector, s.config.Labels)) {
			continue
		}
		out = append(out, &rt.PodSandbox{
			Id: s.id, Metadata: s.config.Metadata, State: s.state(), CreatedAt: s.created,
			Labels: s.config.Labels, Annotations: s.config.Annotations,
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].CreatedAt > out[j].CreatedAt })
	return out, nil
}

// UpdatePodSandboxResources is accepted and enforced as little as any limit here.
func (r *Runtime) UpdatePodSandboxResources(context.Context, *rt.UpdatePodSandboxResourcesRequest) (*rt.UpdatePodSandboxResourcesResponse, error) {
	return &rt.UpdatePodSandboxResourcesResponse{}, nil
}
