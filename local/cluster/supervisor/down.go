package supervisor

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

func parseDir(command string, args []string) (layout, error) {
	set := flag.NewFlagSet(command, flag.ContinueOnError)
	dir := set.String("dir", "", "folder of the cluster's state")
	if err := set.Parse(args); err != nil {
		return "", err
	}
	if *dir == "" {
		return "", fmt.Errorf("%s: --dir is missing", command)
	}
	path, err := filepath.Abs(*dir)
	return layout(path), err
}

// endTime is how long a cluster may take to end; it takes less than a second.
const endTime = 60 * time.Second

// Down ends the cluster in a folder, or cleans up after one that was killed with all its parts.
func Down(args []string) int {
	l, err := parseDir("down", args)
	if err != nil {
		return fail(64, err)
	}
	if _, err := os.Stat(l.path(marker)); err != nil {
		return 0 // there never was one
	}
	for deadline := time.Now().Add(endTime); ; time.Sleep(50 * time.Millisecond) {
		lock, busy, err := l.lock()
		if err != nil {
			return fail(1, err)
		}
		if !busy {
			err := l.clean()
			_ = lock.Close()
			if err != nil {
				return fail(1, err)
			}
			return 0
		}
		if time.Now().After(deadline) {
			return fail(1, fmt.Errorf("the cluster in %s does not end; see %s", l, l.path("logs")))
		}
		if pid := l.holder(); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
}

// Status prints what the cluster in a folder says of itself; 0 if it runs, 1 if not.
func Status(args []string) int {
	l, err := parseDir("status", args)
	if err != nil {
		return fail(64, err)
	}
	info, err := l.readInfo()
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("no cluster runs in %s", l)
		}
		return fail(1, err)
	}
	lock, busy, err := l.lock()
	if err != nil {
		return fail(1, err)
	}
	if !busy {
		_ = lock.Close()
		return fail(1, fmt.Errorf("the cluster in %s was killed; clean up with down --dir %s", l, l))
	}
	if err := json.NewEncoder(os.Stdout).Encode(info); err != nil {
		return fail(1, err)
	}
	return 0
}
