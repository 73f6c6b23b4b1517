package main

import (
	"errors"
	"os"
	"path"
	"strings"
)

// inRoot follows the symbolic links of p as a process inside root would see them, so that a link
// planted in a volume leads nowhere else. link reads one; it is a parameter because before the
// overlays are mounted part of root still lies on the host.
func inRoot(p string, link func(string) (string, error)) (string, error) {
	current := "/"
	parts := strings.Split(path.Clean("/"+p), "/")
	for steps := 0; len(parts) > 0; steps++ {
		if steps > 255 {
			return "", errors.New(p + ": too many symbolic links")
		}
		part := parts[0]
		parts = parts[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			current = path.Dir(current)
			continue
		}
		next := path.Join(current, part)
		target, err := link(next)
		if err != nil {
			current = next
			continue
		}
		parts = append(strings.Split(target, "/"), parts...)
		if strings.HasPrefix(target, "/") {
			current = "/"
		}
	}
	return current, nil
}

// below reads links of a root that is mounted completely.
func below(root string) func(string) (string, error) {
	return func(p string) (string, error) { return os.Readlink(root + p) }
}

func top(p string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
	return first
}

func exists(p string) bool {
	_, err := os.Lstat(p)
	return err == nil
}

func touch(p string) error {
	if err := os.MkdirAll(path.Dir(p), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// mountPoint makes at p what src can be bound to.
func mountPoint(p, src string) error {
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.MkdirAll(p, 0o755)
	}
	if exists(p) {
		return nil
	}
	return touch(p)
}
