package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/api/resource"
	kubecontainer "k8s.io/kubernetes/pkg/kubelet/container"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"
)

// mounter does without mount(2), so that the node needs no root and leaves no mount behind. A bind
// mount is a symbolic link, which the runtime follows when it binds the volume in the container's
// own namespace; a tmpfs is a plain directory, whose size is kept for the runtime.
type mounter struct {
	mu    sync.Mutex
	sizes map[string]int64 // directories that stand for memory, 0 for no limit
	final map[string]bool  // paths whose links were followed already
}

func newMounter() *mounter { return &mounter{sizes: map[string]int64{}, final: map[string]bool{}} }

// resolve follows the links of a volume's path: the mounter's own, or what a hostPath names.
func (m *mounter) resolve(path string) (string, error) {
	m.mu.Lock()
	final := m.final[path]
	m.mu.Unlock()
	if final {
		return path, nil
	}
	return filepath.EvalSymlinks(path)
}

// memory says whether a directory stands for memory, and how much.
func (m *mounter) memory(path string) (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size, ok := m.sizes[path]
	return size, ok
}

func (m *mounter) Mount(source, target, kind string, options []string) error {
	return m.MountSensitive(source, target, kind, options, nil)
}

func (m *mounter) MountSensitive(source, target, kind string, options, _ []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	bind := false
	for _, option := range options {
		bind = bind || option == "bind" || option == "rbind"
		if option == "remount" {
			return nil // read-only is the container's own mount's business
		}
	}
	switch {
	case bind:
		if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
			return err
		}
		return os.Symlink(source, target)
	case kind == "tmpfs":
		m.sizes[target] = sizeOption(options)
		return nil
	}
	return fmt.Errorf("this node mounts nothing of type %q", kind)
}

// sizeOption reads size=N out of the options of a tmpfs.
func sizeOption(options []string) int64 {
	for _, option := range options {
		if value, ok := strings.CutPrefix(option, "size="); ok {
			if size, err := resource.ParseQuantity(value); err == nil {
				return size.Value()
			}
		}
	}
	return 0
}

func (m *mounter) MountSensitiveWithoutSystemd(source, target, kind string, options, sensitive []string) error {
	return m.MountSensitive(source, target, kind, options, sensitive)
}

func (m *mounter) MountSensitiveWithoutSystemdWithMountFlags(source, target, kind string, options, sensitive, _ []string) error {
	return m.MountSensitive(source, target, kind, options, sensitive)
}

func (m *mounter) Unmount(target string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sizes, target)
	if info, err := os.Lstat(target); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if err := os.Remove(target); err != nil {
			return err
		}
		return os.Mkdir(target, 0o750)
	}
	return nil
}

func (m *mounter) List() ([]mount.MountPoint, error) { return nil, nil }

func (m *mounter) IsLikelyNotMountPoint(path string) (bool, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return true, err
	}
	return info.Mode()&os.ModeSymlink == 0, nil
}

func (m *mounter) CanSafelySkipMountPointCheck() bool { return false }

func (m *mounter) IsMountPoint(path string) (bool, error) {
	not, err := m.IsLikelyNotMountPoint(path)
	return !not, err
}

func (m *mounter) GetMountRefs(string) ([]string, error) { return nil, nil }

// plainHost makes nothing shared: nothing is mounted.
type plainHost struct{ *hostutil.HostUtil }

func (plainHost) MakeRShared(string) error { return nil }

// subpaths resolves the subPath of a volume, whose links a pod may have planted: they must not lead
// out of the volume. What is found is final: nobody follows a link in it that comes later.
type subpaths struct {
	subpath.Interface
	mounts *mounter
}

func (s subpaths) PrepareSafeSubpath(sub subpath.Subpath) (string, func(), error) {
	volume, err := filepath.EvalSymlinks(sub.VolumePath)
	if err != nil {
		return "", nil, err
	}
	path, err := filepath.EvalSymlinks(sub.Path)
	if err != nil {
		return "", nil, err
	}
	if path != volume && !strings.HasPrefix(path, volume+"/") {
		return "", nil, fmt.Errorf("subPath %q leads out of the volume %s", strings.TrimPrefix(sub.Path, sub.VolumePath+"/"), sub.VolumeName)
	}
	s.mounts.mu.Lock()
	defer s.mounts.mu.Unlock()
	s.mounts.final[path] = true
	return path, func() {}, nil
}

func (subpaths) CleanSubPaths(string, string) error { return nil }

// podLogs keeps the kubelet out of /var/log/containers, where it would link each log.
type podLogs struct{ kubecontainer.RealOS }

const logLinks = "/var/log/containers"

func (o podLogs) MkdirAll(path string, mode os.FileMode) error {
	if strings.HasPrefix(path, logLinks) {
		return nil
	}
	return o.RealOS.MkdirAll(path, mode)
}

func (o podLogs) Symlink(target, path string) error {
	if strings.HasPrefix(path, logLinks) {
		return nil
	}
	return o.RealOS.Symlink(target, path)
}
