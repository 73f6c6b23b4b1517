package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// bind shows src at dst, with what is mounted below it.
func bind(src, dst string, readOnly bool) error {
	if err := unix.Mount(src, dst, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("binding %s at %s: %w", src, dst, err)
	}
	if readOnly {
		return setReadOnly(dst, true)
	}
	return nil
}

// bindVolume is bind for what a pod may have had its hands on: the runtime resolved src, so a link
// in it now was planted since, and is not followed.
func bindVolume(src, dst string, readOnly bool) error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, src, &how)
	if err != nil {
		return fmt.Errorf("opening %s: %w", src, err)
	}
	defer unix.Close(fd)
	return bind(fmt.Sprintf("/proc/self/fd/%d", fd), dst, readOnly)
}

// setReadOnly makes a mount read-only, with all below it if told.
func setReadOnly(at string, recursive bool) error {
	flags := uint(unix.AT_SYMLINK_NOFOLLOW)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, at, flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("making %s read-only: %w", at, err)
	}
	return nil
}

func tmpfs(at string, size int64) error {
	options := "mode=1777"
	if size > 0 {
		options += fmt.Sprintf(",size=%d", size)
	}
	return unix.Mount("tmpfs", at, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
}

const defaultSharedMemory = 64 << 20 // what container runtimes give

// devices makes a /dev with what every program expects, and what the pod was given.
func (r *root) devices() error {
	dev := r.path + "/dev"
	for _, d := range []string{"shm", "pts", "mqueue"} {
		if err := os.MkdirAll(dev+"/"+d, 0o755); err != nil {
			return err
		}
	}
	nodes := []string{"null", "zero", "full", "random", "urandom", "tty"}
	for _, name := range nodes {
		if err := touch(dev + "/" + name); err != nil {
			return err
		}
		if err := bind("/dev/"+name, dev+"/"+name, false); err != nil {
			return err
		}
	}
	if err := tmpfs(dev+"/shm", defaultSharedMemory); err != nil {
		return fmt.Errorf("mounting /dev/shm: %w", err)
	}
	if err := unix.Mount("devpts", dev+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mounting /dev/pts: %w", err)
	}
	links := map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	}
	for name, target := range links {
		if err := os.Symlink(target, dev+"/"+name); err != nil {
			return err
		}
	}
	for _, d := range r.Devices {
		at := r.path + d.Target
		if err := mountPoint(at, d.Source); err != nil {
			return fmt.Errorf("device %s: %w", d.Source, err)
		}
		if err := bind(d.Source, at, false); err != nil {
			return err
		}
	}
	return nil
}
