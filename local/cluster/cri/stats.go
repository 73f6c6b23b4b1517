package cri

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// usage reads memory and CPU of a container's first process from /proc.
func (c *container) usage() (memory, cpu uint64) {
	if c.process == nil {
		return 0, 0
	}
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.process.pid)); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseUint(fields[1], 10, 64)
			memory = pages * uint64(os.Getpagesize())
		}
	}
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.process.pid)); err == nil {
		cpu = cpuNanoseconds(string(text))
	}
	return memory, cpu
}

// cpuNanoseconds takes utime and stime, fields 14 and 15, out of a line of /proc/PID/stat; they
// count in hundredths of a second.
func cpuNanoseconds(stat string) uint64 {
	fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseUint(fields[11], 10, 64)
	system, _ := strconv.ParseUint(fields[12], 10, 64)
	return (user + system) * uint64(10*time.Millisecond)
}

func (r *Runtime) stats(c *container) *rt.ContainerStats {
	now := time.Now().UnixNano()
	memory, cpu := c.usage()
	return &rt.ContainerStats{
		Attributes: &rt.ContainerAttributes{
			Id: c.id, Metadata: c.config.Metadata, Labels: c.config.Labels, Annotations: c.config.Annotations,
		},
		Cpu:    &rt.CpuUsage{Timestamp: now, UsageCoreNanoSeconds: &rt.UInt64Value{Value: cpu}},
		Memory: &rt.MemoryUsage{Timestamp: now, WorkingSetBytes: &rt.UInt64Value{Value: memory}},
		WritableLayer: &rt.FilesystemUsage{
			Timestamp: now, FsId: &rt.FilesystemIdentifier{Mountpoint: r.Dir},
			UsedBytes: &rt.UInt64Value{}, InodesUsed: &rt.UInt64Value{},
		},
	}
}

// ContainerStats shows what one container uses.
func (r *Runtime) ContainerStats(_ context.Context, id string) (*rt.ContainerStats, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return nil, notFound(id)
	}
	return r.stats(c), nil
}

// ListContainerStats shows what containers use.
func (r *Runtime) ListContainerStats(_ context.Context, f *rt.ContainerStatsFilter) ([]*rt.ContainerStats, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []*rt.ContainerStats
	for _, c := range r.containers {
		if f != nil && (f.Id != "" && f.Id != c.id ||
			f.PodSandboxId != "" && f.PodSandboxId != c.sandbox ||
			!matches(f.LabelSelector, c.config.Labels)) {
			continue
		}
		out = append(out, r.stats(c))
	}
	return out, nil
}

// PodSandboxStats is not served: the kubelet sums the containers.
func (r *Runtime) PodSandboxStats(context.Context, string) (*rt.PodSandboxStats, error) {
	return nil, status.Error(codes.Unimplemented, "not served")
}

// ListPodSandboxStats is not served: the kubelet sums the containers.
func (r *Runtime) ListPodSandboxStats(context.Context, *rt.PodSandboxStatsFilter) ([]*rt.PodSandboxStats, error) {
	return nil, status.Error(codes.Unimplemented, "not served")
}

// ListMetricDescriptors has none.
func (r *Runtime) ListMetricDescriptors(context.Context) ([]*rt.MetricDescriptor, error) {
	return nil, nil
}

// ListPodSandboxMetrics has none.
func (r *Runtime) ListPodSandboxMetrics(context.Context) ([]*rt.PodSandboxMetrics, error) {
	return nil, nil
}
