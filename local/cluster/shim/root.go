package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
	"sealyard.io/cluster/spec"
)

// masked are files of those directories that are nobody's business.
var masked = []string{
	"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
	"/etc/ssh", "/etc/ssl/private", "/etc/kubernetes", "/etc/rancher",
}

// frozen are the parts of /proc that reach beyond the namespaces: the host's root would be root
// there too.
var frozen = []string{"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs", "/proc/acpi"}

// root builds the container's file system below State/root.
type root struct {
	*spec.Container
	path     string
	overlays []string // system directories, by name
}

// buildRoot makes the file system and moves this process into it.
func buildRoot(c *spec.Container) error {
	r := &root{Container: c, path: c.State + "/root"}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	steps := []func() error{
		r.skeleton, r.preparePoints, r.systemDirectories, r.mask,
		r.proc, r.devices, r.volumes, r.workingDirectory, r.readOnly, r.enter,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// skeleton makes the directories that are the container's own.
func (r *root) skeleton() error {
	for _, d := range []string{r.path, r.State + "/upper", r.State + "/work"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(r.path, r.path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding the root: %w", err)
	}
	for _, d := range []string{"proc", "sys", "dev", "run", "run/lock", "home", "root", "var", "var/lib", "var/log", "var/cache"} {
		if err := os.MkdirAll(r.path+"/"+d, 0o755); err != nil {
			return err
		}
	}
	for _, d := range []string{"tmp", "var/tmp"} {
		if err := os.MkdirAll(r.path+"/"+d, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(r.path+"/"+d, os.ModeSticky|0o777); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{"var/run": "/run", "var/lock": "/run/lock"} {
		if err := os.Symlink(target, r.path+"/"+link); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case !spec.System(e.Name()):
		case e.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink("/" + e.Name())
			if err != nil {
				return err
			}
			if err := os.Symlink(target, r.path+"/"+e.Name()); err != nil {
				return err
			}
		case e.IsDir():
			r.overlays = append(r.overlays, e.Name())
		}
	}
	return nil
}

func (r *root) overlaid(p string) bool {
	for _, name := range r.overlays {
		if top(p) == name {
			return true
		}
	}
	return false
}

// preparePoints makes missing mount points of the system directories in their upper layers while
// these are still ours alone: once mounted, nothing can be made in a lower directory whose owner
// is not mapped.
func (r *root) preparePoints() error {
	link := func(p string) (string, error) {
		if r.overlaid(p) {
			return os.Readlink(p)
		}
		return os.Readlink(r.path + p)
	}
	for _, m := range r.Mounts {
		p, err := inRoot(m.Target, link)
		if err != nil {
			return err
		}
		if !r.overlaid(p) || exists(p) {
			continue
		}
		if m.Source == "" {
			err = os.MkdirAll(r.State+"/upper"+p, 0o755)
		} else {
			err = mountPoint(r.State+"/upper"+p, m.Source)
		}
		if err != nil {
			return fmt.Errorf("mount point %s: %w", m.Target, err)
		}
	}
	return nil
}

// systemDirectories lays one overlay over each: the whole of / cannot be a layer in a user
// namespace, because its submounts are locked.
func (r *root) systemDirectories() error {
	for _, name := range r.overlays {
		lower, upper, work, at := "/"+name, r.State+"/upper/"+name, r.State+"/work/"+name, r.path+"/"+name
		for _, d := range []string{upper, work, at} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		options := "userxattr,lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work
		if err := unix.Mount("overlay", at, "overlay", 0, options); err == nil {
			continue
		}
		// no overlay here (an old kernel, or a state folder on an overlay): shown read-only
		if err := bind(lower, at, true); err != nil {
			return err
		}
	}
	return nil
}

// mask covers what is nobody's business with something empty.
func (r *root) mask() error {
	file, directory := r.State+"/empty-file", r.State+"/empty"
	if err := touch(file); err != nil {
		return err
	}
	if err := os.MkdirAll(directory, 0o555); err != nil {
		return err
	}
	for _, p := range masked {
		info, err := os.Lstat(r.path + p)
		if err != nil || info.Mode()&os.ModeSymlink != 0 {
			continue
		}
		cover := file
		if info.IsDir() {
			cover = directory
		}
		if err := bind(cover, r.path+p, true); err != nil {
			return err
		}
	}
	return nil
}

func (r *root) proc() error {
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("proc", r.path+"/proc", "proc", flags, ""); err != nil {
		return fmt.Errorf("mounting /proc (is this inside a container that masks it? run the cluster on the host, or use another): %w", err)
	}
	for _, p := range frozen {
		if !exists(r.path + p) {
			continue
		}
		if err := bind(r.path+p, r.path+p, true); err != nil {
			return err
		}
	}
	return bind("/sys", r.path+"/sys", true)
}

// volumes mounts what the pod says, links followed inside the new root only.
func (r *root) volumes() error {
	for _, m := range r.Mounts {
		p, err := inRoot(m.Target, below(r.path))
		if err != nil {
			return err
		}
		at := r.path + p
		if m.Source == "" {
			if err := os.MkdirAll(at, 0o755); err != nil {
				return fmt.Errorf("mount point %s: %w", m.Target, err)
			}
			if err := tmpfs(at, m.SizeBytes); err != nil {
				return fmt.Errorf("memory at %s: %w", m.Target, err)
			}
			continue
		}
		if err := mountPoint(at, m.Source); err != nil {
			return fmt.Errorf("mount point %s: %w", m.Target, err)
		}
		if err := bindVolume(m.Source, at, m.ReadOnly); err != nil {
			return fmt.Errorf("volume at %s: %w", m.Target, err)
		}
	}
	return nil
}

func (r *root) workingDirectory() error {
	if r.Cwd == "" {
		r.Cwd = "/"
	}
	p, err := inRoot(r.Cwd, below(r.path))
	if err != nil {
		return err
	}
	if exists(r.path + p) {
		return nil
	}
	if err := os.MkdirAll(r.path+p, 0o755); err != nil {
		return fmt.Errorf("working directory %s: %w", r.Cwd, err)
	}
	return os.Lchown(r.path+p, r.User.UID, r.User.GID)
}

func (r *root) readOnly() error {
	if !r.ReadOnlyRoot {
		return nil
	}
	for _, name := range r.overlays {
		if err := setReadOnly(r.path+"/"+name, false); err != nil {
			return err
		}
	}
	return setReadOnly(r.path, false)
}

// enter makes the new root the only one.
func (r *root) enter() error {
	if err := unix.Chdir(r.path); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	return os.Chdir("/")
}
