package cri

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
	"sealyard.io/cluster/spec"
)

// ordinary are the capabilities that container runtimes leave to a container that asks for
// nothing.
var ordinary = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
	"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// describe turns what the kubelet asks for into what the shim does.
func (r *Runtime) describe(c *container, pod *rt.PodSandboxConfig) (*spec.Container, error) {
	mounts, err := r.mountsOf(c)
	if err != nil {
		return nil, err
	}
	security := c.config.GetLinux().GetSecurityContext()
	s := &spec.Container{
		State:           r.stateOf(c.id),
		Args:            append(append([]string{}, c.config.Command...), c.config.Args...),
		Env:             r.environment(c, pod),
		Cwd:             c.config.WorkingDir,
		Hostname:        pod.GetHostname(),
		User:            userOf(security, c.image.User),
		Mounts:          mounts,
		ReadOnlyRoot:    security.GetReadonlyRootfs(),
		NoNewPrivileges: security.GetNoNewPrivs(),
		Capabilities:    capabilitiesOf(security.GetCapabilities()),
	}
	if c.config.LogPath != "" {
		s.LogPath = filepath.Join(pod.LogDirectory, c.config.LogPath)
	}
	for _, d := range c.config.Devices {
		s.Devices = append(s.Devices, spec.Device{Source: d.HostPath, Target: d.ContainerPath})
	}
	return s, nil
}

// environment puts the image's PATH under the pod's own variables, and points the in-cluster
// configuration at where the API server really listens.
func (r *Runtime) environment(c *container, pod *rt.PodSandboxConfig) []string {
	path := strings.Join(append(append([]string{}, c.image.Path...), systemPath), ":")
	env := []string{"PATH=" + path, "HOSTNAME=" + pod.GetHostname(), "HOME=/"}
	for _, e := range c.config.Envs {
		value := string(e.Value)
		switch e.Key {
		case "KUBERNETES_SERVICE_HOST":
			value = r.APIHost
		case "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS":
			value = r.APIPort
		}
		env = append(env, e.Key+"="+value)
	}
	return lastOfEach(env)
}

// lastOfEach leaves one entry per variable, the last: getenv would find the first.
func lastOfEach(env []string) []string {
	at := map[string]int{}
	var out []string
	for _, e := range env {
		key, _, _ := strings.Cut(e, "=")
		if i, ok := at[key]; ok {
			out[i] = e
			continue
		}
		at[key] = len(out)
		out = append(out, e)
	}
	return out
}

func userOf(security *rt.LinuxContainerSecurityContext, imageUser int) spec.User {
	user := spec.User{UID: imageUser, GID: imageUser}
	if u := security.GetRunAsUser(); u != nil {
		user.UID, user.GID = int(u.Value), 0
	}
	if g := security.GetRunAsGroup(); g != nil {
		user.GID = int(g.Value)
	}
	for _, g := range security.GetSupplementalGroups() {
		user.Groups = append(user.Groups, int(g))
	}
	return user
}

func capabilitiesOf(c *rt.Capability) []string {
	kept := map[string]bool{}
	for _, name := range ordinary {
		kept[name] = true
	}
	for _, name := range c.GetDropCapabilities() {
		if strings.EqualFold(name, "ALL") {
			kept = map[string]bool{}
			break
		}
		delete(kept, capability(name))
	}
	for _, name := range c.GetAddCapabilities() {
		kept[capability(name)] = true
	}
	var out []string
	for name := range kept {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

func capability(name string) string { return strings.TrimPrefix(strings.ToUpper(name), "CAP_") }

// mountsOf are the image's own paths, then the pod's, parents before children.
func (r *Runtime) mountsOf(c *container) ([]spec.Mount, error) {
	var mounts []spec.Mount
	for _, p := range c.image.Show {
		if spec.Shown(p) {
			continue
		}
		source, err := filepath.EvalSymlinks(p)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", c.image.Reference, err)
		}
		mounts = append(mounts, spec.Mount{Source: source, Target: p, ReadOnly: true})
	}
	for _, m := range c.config.Mounts {
		source, err := r.Resolve(m.HostPath)
		if err != nil {
			return nil, fmt.Errorf("volume at %s: %w", m.ContainerPath, err)
		}
		mount := spec.Mount{Source: source, Target: m.ContainerPath, ReadOnly: m.Readonly}
		// Only shared memory is made of memory: it is one container's. Any other memory volume
		// may be shared by the containers of the pod, so it is a folder.
		if size, memory := r.MemorySize(m.HostPath); memory && filepath.Clean(m.ContainerPath) == "/dev/shm" {
			mount = spec.Mount{Target: m.ContainerPath, SizeBytes: size}
		}
		mounts = append(mounts, mount)
	}
	sort.SliceStable(mounts, func(i, j int) bool { return depth(mounts[i].Target) < depth(mounts[j].Target) })
	return mounts, nil
}

func depth(p string) int { return strings.Count(filepath.Clean(p), "/") }
