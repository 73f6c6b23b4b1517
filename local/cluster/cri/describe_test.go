package cri

import (
	"reflect"
	"strings"
	"testing"

	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
	"sealyard.io/cluster/spec"
)

func TestTheEnvironmentPointsAtTheAPIServerAndThePodWins(t *testing.T) {
	r := &Runtime{Options: Options{APIHost: "127.0.0.1", APIPort: "4711"}}
	c := &container{image: Image{Entry: Entry{Path: []string{"/venv/bin"}}}, config: &rt.ContainerConfig{Envs: []*rt.KeyValue{
		{Key: "KUBERNETES_SERVICE_HOST", Value: []byte("10.0.0.1")}, {Key: "KUBERNETES_SERVICE_PORT", Value: []byte("443")}, {Key: "HOME", Value: []byte("/work")},
	}}}
	want := []string{
		"PATH=/venv/bin:" + systemPath, "HOSTNAME=pod", "HOME=/work",
		"KUBERNETES_SERVICE_HOST=127.0.0.1", "KUBERNETES_SERVICE_PORT=4711",
	}
	if got := r.environment(c, &rt.PodSandboxConfig{Hostname: "pod"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestCapabilities(t *testing.T) {
	all := strings.Join(ordinary, " ")
	for _, c := range []struct {
		asked *rt.Capability
		want  string
	}{
		{nil, all},
		{&rt.Capability{DropCapabilities: []string{"ALL"}}, ""},
		{&rt.Capability{DropCapabilities: []string{"all"}, AddCapabilities: []string{"NET_BIND_SERVICE"}}, "NET_BIND_SERVICE"},
		{&rt.Capability{DropCapabilities: []string{"CAP_AUDIT_WRITE"}}, strings.TrimPrefix(all, "AUDIT_WRITE ")},
	} {
		if got := strings.Join(capabilitiesOf(c.asked), " "); got != c.want {
			t.Errorf("%v: got %q, want %q", c.asked, got, c.want)
		}
	}
}

func TestUsers(t *testing.T) {
	pod := &rt.LinuxContainerSecurityContext{
		RunAsUser: &rt.Int64Value{Value: 7}, RunAsGroup: &rt.Int64Value{Value: 8}, SupplementalGroups: []int64{9},
	}
	for _, c := range []struct {
		asked *rt.LinuxContainerSecurityContext
		want  spec.User
	}{
		{nil, spec.User{UID: 65532, GID: 65532}},
		{pod, spec.User{UID: 7, GID: 8, Groups: []int{9}}},
		{&rt.LinuxContainerSecurityContext{RunAsUser: &rt.Int64Value{Value: 7}}, spec.User{UID: 7, GID: 0}},
	} {
		if got := userOf(c.asked, 65532); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: got %v, want %v", c.asked, got, c.want)
		}
	}
}

func TestMountsComeParentsFirstAndSharedMemoryIsMemory(t *testing.T) {
	r := &Runtime{Options: Options{
		Resolve:    func(p string) (string, error) { return "/real" + p, nil },
		MemorySize: func(p string) (int64, bool) { return 64, strings.HasPrefix(p, "/memory") },
	}}
	c := &container{config: &rt.ContainerConfig{Mounts: []*rt.Mount{
		{HostPath: "/inner", ContainerPath: "/data/inner"},
		{HostPath: "/memory/1", ContainerPath: "/dev/shm"},
		{HostPath: "/memory/2", ContainerPath: "/scratch"},
		{HostPath: "/outer", ContainerPath: "/data", Readonly: true},
	}}}
	want := []spec.Mount{
		{Source: "/real/memory/2", Target: "/scratch"},
		{Source: "/real/outer", Target: "/data", ReadOnly: true},
		{Source: "/real/inner", Target: "/data/inner"},
		{Target: "/dev/shm", SizeBytes: 64},
	}
	if got, err := r.mountsOf(c); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestCPUTimeOfAProcessWithAStrangeName(t *testing.T) {
	stat := "7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 1 0 9 9 9"
	if got := cpuNanoseconds(stat); got != 2_000_000_000 {
		t.Errorf("got %d", got)
	}
}
