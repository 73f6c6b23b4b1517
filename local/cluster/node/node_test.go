package node

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
)

// machineWith makes a /dev with files of these names.
func machineWith(t *testing.T, names ...string) string {
	t.Helper()
	dev := t.TempDir()
	for _, name := range names {
		p := filepath.Join(dev, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dev
}

func TestGPUsAreToldFromWhatTheyShare(t *testing.T) {
	dev := machineWith(t, "nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-caps/nvidia-cap1", "null")
	found := nvidiaDevices(dev)
	at := func(names ...string) (paths []string) {
		for _, name := range names {
			paths = append(paths, filepath.Join(dev, name))
		}
		return paths
	}
	if want := at("nvidia0", "nvidia1"); !reflect.DeepEqual(found.gpus, want) {
		t.Errorf("GPUs: %v", found.gpus)
	}
	if want := at("nvidia-caps/nvidia-cap1", "nvidia-uvm", "nvidia-uvm-tools", "nvidiactl"); !reflect.DeepEqual(found.shared, want) {
		t.Errorf("shared: %v", found.shared)
	}
}

func TestNoGPUIsOfferedWhereThereIsNone(t *testing.T) {
	m := newManager(cm.NewStubContainerManager(), machine{}, nvidiaDevices(t.TempDir()))
	if capacity, _, _ := m.GetDevicePluginResourceCapacity(klog.Background()); len(capacity) != 0 {
		t.Errorf("got %v", capacity)
	}
}

func pod(uid string, gpus int64) *v1.Pod {
	limits := v1.ResourceList{}
	if gpus > 0 {
		limits[gpuResource] = *resource.NewQuantity(gpus, resource.DecimalSI)
	}
	p := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "main", Resources: v1.ResourceRequirements{Limits: limits}}}}}
	p.UID = types.UID(uid)
	return p
}

func TestGPUsAreGivenOnceAndTakenBack(t *testing.T) {
	m := newManager(cm.NewStubContainerManager(), machine{}, nvidia{gpus: []string{"/dev/nvidia0", "/dev/nvidia1"}, shared: []string{"/dev/nvidiactl"}})
	active := []*v1.Pod{}
	m.activePods = func() []*v1.Pod { return active }
	ask := func(p *v1.Pod) ([]string, error) {
		active = append(active, p)
		options, err := m.GetResources(context.Background(), p, &p.Spec.Containers[0])
		if err != nil {
			return nil, err
		}
		var paths []string
		for _, d := range options.Devices {
			paths = append(paths, d.PathInContainer)
		}
		return paths, nil
	}
	expect := func(p *v1.Pod, want ...string) {
		t.Helper()
		if got, err := ask(p); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("pod %s got %v, %v, want %v", p.UID, got, err, want)
		}
	}
	expect(pod("none", 0))
	expect(pod("a", 1), "/dev/nvidia0", "/dev/nvidiactl")
	expect(pod("a", 1), "/dev/nvidia0", "/dev/nvidiactl") // its container started again
	expect(pod("b", 1), "/dev/nvidia1", "/dev/nvidiactl")
	if _, err := ask(pod("c", 1)); err == nil {
		t.Error("a third GPU of two was given")
	}
	active = nil
	expect(pod("c", 2), "/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl")
	if capacity, _, _ := m.GetDevicePluginResourceCapacity(klog.Background()); capacity.Name(gpuResource, resource.DecimalSI).Value() != 2 {
		t.Errorf("got %v", capacity)
	}
}

func TestASubPathStaysInItsVolume(t *testing.T) {
	dir := t.TempDir()
	volume := filepath.Join(dir, "volume")
	if err := os.MkdirAll(filepath.Join(volume, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"out": dir, "within": "in", "beside": volume + "-other"} {
		if err := os.Symlink(target, filepath.Join(volume, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(volume+"-other", 0o755); err != nil {
		t.Fatal(err)
	}
	mounts := newMounter()
	s := subpaths{mounts: mounts}
	for name, good := range map[string]bool{"in": true, "within": true, "out": false, "beside": false, "absent": false} {
		got, _, err := s.PrepareSafeSubpath(subpath.Subpath{Path: filepath.Join(volume, name), VolumePath: volume, VolumeName: "v"})
		if (err == nil) != good {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	inside := filepath.Join(volume, "in")
	if err := os.Rename(inside, inside+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", inside); err != nil {
		t.Fatal(err)
	}
	if got, err := mounts.resolve(inside); err != nil || got != inside {
		t.Errorf("a link that came later was followed: %q, %v", got, err)
	}
}

func TestMountsAreLinksAndMemoryHasASize(t *testing.T) {
	m, dir := newMounter(), t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	for _, d := range []string{source, target} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Mount(source, target, "", []string{"bind"}); err != nil {
		t.Fatal(err)
	}
	if mounted, err := m.IsMountPoint(target); err != nil || !mounted {
		t.Errorf("not mounted: %v", err)
	}
	if got, err := m.resolve(target); err != nil || got != source {
		t.Errorf("leads to %q, %v", got, err)
	}
	if err := m.Unmount(target); err != nil {
		t.Fatal(err)
	}
	if mounted, err := m.IsMountPoint(target); err != nil || mounted {
		t.Errorf("still mounted: %v", err)
	}
	if err := m.Mount("tmpfs", target, "tmpfs", []string{"size=1048576"}); err != nil {
		t.Fatal(err)
	}
	if size, memory := m.memory(target); !memory || size != 1<<20 {
		t.Errorf("memory of %d", size)
	}
	if err := m.Mount("server:/", target, "nfs", nil); err == nil {
		t.Error("NFS was mounted")
	}
}
