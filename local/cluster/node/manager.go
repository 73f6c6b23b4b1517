package node

import (
	"context"
	"fmt"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	internalapi "k8s.io/cri-api/pkg/apis"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/kubelet/config"
	kubecontainer "k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/kubelet/status"
)

const gpuResource v1.ResourceName = "nvidia.com/gpu"

// nvidia are the device nodes of the machine's NVIDIA GPUs.
type nvidia struct {
	gpus   []string // /dev/nvidia0, /dev/nvidia1, …
	shared []string // those that every user of a GPU needs
}

// nvidiaDevices finds them below dev, which is /dev.
func nvidiaDevices(dev string) nvidia {
	var found nvidia
	nodes, _ := filepath.Glob(filepath.Join(dev, "nvidia*"))
	sort.Strings(nodes)
	for _, node := range nodes {
		switch name := strings.TrimPrefix(filepath.Base(node), "nvidia"); {
		case name == "-caps" || strings.HasPrefix(name, "-caps-"):
			caps, _ := filepath.Glob(filepath.Join(node, "*"))
			found.shared = append(found.shared, caps...)
		case name != "" && strings.Trim(name, "0123456789") == "":
			found.gpus = append(found.gpus, node)
		default:
			found.shared = append(found.shared, node)
		}
	}
	return found
}

// manager is the container manager: no cgroups, but the machine's disk and its GPUs.
type manager struct {
	cm.ContainerManager
	machine machine
	nvidia  nvidia

	mu         sync.Mutex
	activePods cm.ActivePodsFunc
	used       map[string]string // GPU -> pod uid and container that have it
}

func newManager(stub cm.ContainerManager, m machine, n nvidia) *manager {
	return &manager{ContainerManager: stub, machine: m, nvidia: n, used: map[string]string{}}
}

// Start keeps the way to ask which pods are active.
func (m *manager) Start(ctx context.Context, node *v1.Node, active cm.ActivePodsFunc, get cm.GetNodeFunc, sources config.SourcesReady, pods status.PodStatusProvider, runtime internalapi.RuntimeService, localStorage bool) error {
	m.mu.Lock()
	m.activePods = active
	m.mu.Unlock()
	return m.ContainerManager.Start(ctx, node, active, get, sources, pods, runtime, localStorage)
}

// GetCapacity is the size of the disk; the kubelet knows CPU and memory from the machine.
func (m *manager) GetCapacity(_ klog.Logger, _ bool) v1.ResourceList {
	disk, err := m.machine.disk()
	if err != nil {
		return v1.ResourceList{}
	}
	return v1.ResourceList{v1.ResourceEphemeralStorage: *resource.NewQuantity(int64(disk.Capacity), resource.BinarySI)}
}

// GetDevicePluginResourceCapacity offers the GPUs.
func (m *manager) GetDevicePluginResourceCapacity(klog.Logger) (capacity, allocatable v1.ResourceList, removed []string) {
	if len(m.nvidia.gpus) == 0 {
		return nil, nil, nil
	}
	gpus := v1.ResourceList{gpuResource: *resource.NewQuantity(int64(len(m.nvidia.gpus)), resource.DecimalSI)}
	return gpus, gpus.DeepCopy(), nil
}

// GetResources gives a container the GPUs that it asks for.
func (m *manager) GetResources(ctx context.Context, pod *v1.Pod, container *v1.Container) (*kubecontainer.RunContainerOptions, error) {
	options, err := m.ContainerManager.GetResources(ctx, pod, container)
	if err != nil {
		return nil, err
	}
	wanted, ok := container.Resources.Limits[gpuResource]
	if !ok || wanted.IsZero() {
		return options, nil
	}
	gpus, err := m.allot(string(pod.UID), container.Name, int(wanted.Value()))
	if err != nil {
		return nil, err
	}
	for _, node := range append(gpus, m.nvidia.shared...) {
		options.Devices = append(options.Devices, kubecontainer.DeviceInfo{
			PathOnHost: node, PathInContainer: node, Permissions: "rwm",
		})
	}
	return options, nil
}

// allot finds count GPUs; a container that starts again gets the ones that it had.
func (m *manager) allot(pod, container string, count int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.release()
	owner := pod + "/" + container
	var mine, free []string
	for _, gpu := range m.nvidia.gpus {
		switch m.used[gpu] {
		case owner:
			mine = append(mine, gpu)
		case "":
			free = append(free, gpu)
		}
	}
	for len(mine) < count && len(free) > 0 {
		mine, free = append(mine, free[0]), free[1:]
	}
	if len(mine) < count {
		return nil, fmt.Errorf("%d of %d GPUs wanted, %d free", count, len(m.nvidia.gpus), len(mine))
	}
	for _, gpu := range mine {
		m.used[gpu] = owner
	}
	return mine, nil
}

// release takes GPUs back from pods that have ended.
func (m *manager) release() {
	if m.activePods == nil {
		return
	}
	active := map[string]bool{}
	for _, pod := range m.activePods() {
		active[string(pod.UID)] = true
	}
	for gpu, owner := range m.used {
		pod, _, _ := strings.Cut(owner, "/")
		if !active[pod] {
			delete(m.used, gpu)
		}
	}
}
