package cri

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
	"sealyard.io/cluster/spec"
)

// container is one container from its creation to its removal. Its fields change under the
// runtime's lock.
type container struct {
	id, sandbox string
	config      *rt.ContainerConfig
	image       Image
	spec        *spec.Container
	created     int64
	started     int64
	finished    int64
	code        int32
	reason      string // why it ended
	message     string
	process     *process
	done        chan struct{} // closed when it has ended
}

func (c *container) state() rt.ContainerState {
	switch {
	case c.finished != 0:
		return rt.ContainerState_CONTAINER_EXITED
	case c.started != 0:
		return rt.ContainerState_CONTAINER_RUNNING
	}
	return rt.ContainerState_CONTAINER_CREATED
}

func notFound(id string) error { return status.Error(codes.NotFound, "no such container: "+id) }

func (r *Runtime) container(id string) (*container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.containers[id]; c != nil {
		return c, nil
	}
	return nil, notFound(id)
}

// CreateContainer prepares a container; nothing runs yet.
func (r *Runtime) CreateContainer(_ context.Context, sandboxID string, config *rt.ContainerConfig, pod *rt.PodSandboxConfig) (string, error) {
	name := config.GetMetadata().GetName()
	if len(config.Command)+len(config.Args) == 0 {
		return "", fmt.Errorf("container %s names no command: the host's file system is the image here, and has no entry point", name)
	}
	image, err := r.Images.find(config.GetImage().GetUserSpecifiedImage(), config.GetImage().GetImage())
	if err != nil {
		return "", err
	}
	c := &container{
		id: newID(), sandbox: sandboxID, config: config, image: image,
		created: time.Now().UnixNano(), done: make(chan struct{}),
	}
	if c.spec, err = r.describe(c, pod); err != nil {
		return "", err
	}
	if err := os.MkdirAll(r.stateOf(c.id), 0o711); err != nil {
		return "", err
	}
	if c.spec.LogPath != "" {
		if err := os.MkdirAll(filepath.Dir(c.spec.LogPath), 0o755); err != nil {
			return "", err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.containers[c.id] = c
	return c.id, nil
}

// StartContainer returns when the command runs, or with the reason why it does not.
func (r *Runtime) StartContainer(_ context.Context, id string) error {
	c, err := r.container(id)
	if err != nil {
		return err
	}
	p, failed, err := startProcess(r.Shim, c.spec)
	if err != nil {
		failed = &spec.Failed{Code: 128, Message: err.Error()}
	}
	now := time.Now().UnixNano()
	r.mu.Lock()
	c.started = now
	if failed != nil {
		c.finished, c.code, c.reason, c.message = now, int32(failed.Code), "StartError", failed.Message
		close(c.done)
		r.mu.Unlock()
		return errors.New(failed.Message)
	}
	c.process = p
	r.mu.Unlock()
	go r.await(c)
	return nil
}

// await notes how a container ended and tells the kubelet.
func (r *Runtime) await(c *container) {
	code := c.process.wait()
	r.mu.Lock()
	c.finished, c.code, c.reason = time.Now().UnixNano(), int32(code), "Completed"
	if code != 0 {
		c.reason = "Error"
	}
	var event *rt.ContainerEventResponse
	if s := r.sandboxes[c.sandbox]; s != nil {
		event = &rt.ContainerEventResponse{
			ContainerId: c.id, ContainerEventType: rt.ContainerEventType_CONTAINER_STOPPED_EVENT,
			CreatedAt: c.finished, PodSandboxStatus: r.sandboxStatus(s),
			ContainersStatuses: []*rt.ContainerStatus{c.status()},
		}
	}
	r.mu.Unlock()
	close(c.done)
	if event != nil {
		select {
		case r.events <- event:
		default: // nobody listens: the kubelet's next listing shows it
		}
	}
}

// GetContainerEvents hands the ends of containers to the kubelet as they happen.
func (r *Runtime) GetContainerEvents(ctx context.Context, out chan *rt.ContainerEventResponse, connected func(rt.RuntimeService_GetContainerEventsClient)) error {
	if connected != nil {
		connected(nil)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event := <-r.events:
			out <- event
		}
	}
}

const killTime = 20 * time.Second // a killed process that has not ended by then hangs in the kernel

// StopContainer sends TERM, waits for the grace, then kills.
func (r *Runtime) StopContainer(_ context.Context, id string, grace int64) error {
	r.mu.Lock()
	c := r.containers[id]
	if c == nil || c.process == nil {
		r.mu.Unlock()
		return nil
	}
	p := c.process
	r.mu.Unlock()
	if grace > 0 {
		p.signal(syscall.SIGTERM)
		select {
		case <-c.done:
			return nil
		case <-time.After(time.Duration(grace) * time.Second):
		}
	}
	p.signal(syscall.SIGKILL)
	select {
	case <-c.done:
		return nil
	case <-time.After(killTime):
		return fmt.Errorf("container %s was killed and does not end", id)
	}
}

// RemoveContainer kills a container if it must, and removes its folder.
func (r *Runtime) RemoveContainer(ctx context.Context, id string) error {
	if err := r.StopContainer(ctx, id, 0); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.containers, id)
	r.mu.Unlock()
	return removeAll(r.stateOf(id))
}

// ListContainers lists, the newest first.
func (r *Runtime) ListContainers(_ context.Context, f *rt.ContainerFilter) ([]*rt.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*rt.Container
	for _, c := range r.containers {
		if f != nil && (f.Id != "" && f.Id != c.id ||
			f.PodSandboxId != "" && f.PodSandboxId != c.sandbox ||
			f.State != nil && f.State.State != c.state() ||
			!matches(f.LabelSelector, c.config.Labels)) {
			continue
		}
		out = append(out, &rt.Container{
			Id: c.id, PodSandboxId: c.sandbox, Metadata: c.config.Metadata, Image: c.imageSpec(),
			ImageRef: c.image.Reference, ImageId: c.image.ID, State: c.state(), CreatedAt: c.created,
			Labels: c.config.Labels, Annotations: c.config.Annotations,
		})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].CreatedAt > out[j].CreatedAt })
	return out, nil
}

// imageSpec shows the image by the name that the pod gave it.
func (c *container) imageSpec() *rt.ImageSpec {
	name := c.config.GetImage().GetUserSpecifiedImage()
	if name == "" {
		name = c.config.GetImage().GetImage()
	}
	return &rt.ImageSpec{Image: name, UserSpecifiedImage: name}
}

func (c *container) status() *rt.ContainerStatus {
	return &rt.ContainerStatus{
		Id: c.id, Metadata: c.config.Metadata, State: c.state(), CreatedAt: c.created,
		StartedAt: c.started, FinishedAt: c.finished, ExitCode: c.code, Reason: c.reason, Message: c.message,
		Image: c.imageSpec(), ImageRef: c.image.Reference, ImageId: c.image.ID,
		Labels: c.config.Labels, Annotations: c.config.Annotations, Mounts: c.config.Mounts, LogPath: c.spec.LogPath,
		User: &rt.ContainerUser{Linux: &rt.LinuxContainerUser{
			Uid: int64(c.spec.User.UID), Gid: int64(c.spec.User.GID), SupplementalGroups: c.config.GetLinux().GetSecurityContext().GetSupplementalGroups(),
		}},
	}
}

// ContainerStatus shows one container.
func (r *Runtime) ContainerStatus(_ context.Context, id string, _ bool) (*rt.ContainerStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return nil, notFound(id)
	}
	return &rt.ContainerStatusResponse{Status: c.status()}, nil
}

// UpdateContainerResources is accepted; limits are not enforced.
func (r *Runtime) UpdateContainerResources(context.Context, string, *rt.ContainerResources) error {
	return nil
}

// ReopenContainerLog makes a container write to a new file after the kubelet rotated the old one.
func (r *Runtime) ReopenContainerLog(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return notFound(id)
	}
	if c.state() != rt.ContainerState_CONTAINER_RUNNING {
		return fmt.Errorf("container %s does not run", id)
	}
	c.process.reopenLog()
	return nil
}
