package node

import (
	"context"
	"os"
	"runtime"
	"strings"
	"time"

	cadvisor "github.com/google/cadvisor/lib/model"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
	"sealyard.io/cluster/spec"
)

// machine tells the kubelet about this machine in cadvisor's stead, which reads cgroups.
type machine struct{ dir string }

func (machine) Start() error { return nil }

func (machine) ContainerInfoV2(string, cadvisor.RequestOptions) (map[string]cadvisor.ContainerInfo, error) {
	return map[string]cadvisor.ContainerInfo{}, nil
}

func (machine) GetRequestedContainersInfo(string, cadvisor.RequestOptions) (map[string]*cadvisor.ContainerInfo, error) {
	return map[string]*cadvisor.ContainerInfo{}, nil
}

func (machine) MachineInfo(klog.Logger) (*cadvisor.MachineInfo, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return &cadvisor.MachineInfo{
		NumCores: runtime.NumCPU(), MemoryCapacity: uint64(info.Totalram) * uint64(info.Unit),
		BootID: strings.TrimSpace(string(boot)), MachineID: spec.NodeName,
	}, err
}

func (machine) VersionInfo() (*cadvisor.VersionInfo, error) {
	var u unix.Utsname
	err := unix.Uname(&u)
	return &cadvisor.VersionInfo{
		KernelVersion: unix.ByteSliceToString(u.Release[:]), ContainerOsVersion: "processes of this machine",
	}, err
}

func (m machine) disk() (cadvisor.FsInfo, error) {
	var s unix.Statfs_t
	err := unix.Statfs(m.dir, &s)
	size := uint64(s.Bsize)
	return cadvisor.FsInfo{
		Timestamp: time.Now(), Device: "disk", Mountpoint: m.dir, Capacity: s.Blocks * size,
		Available: s.Bavail * size, Usage: (s.Blocks - s.Bfree) * size, Inodes: &s.Files, InodesFree: &s.Ffree,
	}, err
}

func (m machine) ImagesFsInfo(context.Context) (cadvisor.FsInfo, error)    { return m.disk() }
func (m machine) RootFsInfo() (cadvisor.FsInfo, error)                     { return m.disk() }
func (m machine) ContainerFsInfo(context.Context) (cadvisor.FsInfo, error) { return m.disk() }
func (m machine) GetDirFsInfo(string) (cadvisor.FsInfo, error)             { return m.disk() }
