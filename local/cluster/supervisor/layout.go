// Package supervisor runs a cluster: it makes its credentials, starts its parts, waits until they
// work, and ends them all together.
package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"sealyard.io/cluster/cri"
	"sealyard.io/cluster/spec"
)

// layout is the folder of one cluster. Everything in it but the logs goes when the cluster ends.
type layout string

func (l layout) path(parts ...string) string {
	return filepath.Join(append([]string{string(l)}, parts...)...)
}

func (l layout) pki(name string) string { return l.path("pki", name) }
func (l layout) kubeconfig() string     { return l.path("kubeconfig") }
func (l layout) credentials(user string) string {
	return l.path("pki", user+".kubeconfig")
}
func (l layout) log(component string) string { return l.path("logs", component+".log") }
func (l layout) state() string               { return l.path("cluster.json") }
func (l layout) lockFile() string            { return l.path("lock") }
func (l layout) images() string              { return l.path("images.json") }

// marker tells a cluster's folder from any other, so that no other is ever emptied.
const marker = "SEALYARD-CLUSTER"

// ephemeral are the entries that end with the cluster: mounted Secrets lie in node, all Secrets in
// etcd, keys in pki.
var ephemeral = []string{"node", "etcd", "pki", "volumes", "kubeconfig", "images.json", "cluster.json", "kubectl-cache"}

// prepare makes the folder, for its owner alone.
func (l layout) prepare() error {
	if entries, err := os.ReadDir(string(l)); err == nil && len(entries) > 0 {
		if _, err := os.Stat(l.path(marker)); err != nil {
			return fmt.Errorf("%s is not empty and not a cluster's: choose another folder", l)
		}
	}
	if err := os.MkdirAll(string(l), 0o700); err != nil {
		return err
	}
	if err := os.Chmod(string(l), 0o700); err != nil {
		return err
	}
	return os.WriteFile(l.path(marker), []byte("The state of an embedded cluster; removed when it ends.\n"), 0o600)
}

// populate makes what a cluster starts with.
func (l layout) populate() error {
	for _, d := range []string{"node", "etcd", "pki", "volumes", "logs"} {
		if err := os.MkdirAll(l.path(d), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// clean removes all but the logs.
func (l layout) clean() error {
	if _, err := os.Stat(l.path(marker)); err != nil {
		return nil // nobody's, or removed already
	}
	var failures []error
	for _, name := range ephemeral {
		failures = append(failures, removeAll(l.path(name)))
	}
	return errors.Join(failures...)
}

// removeAll also removes directories that nobody may enter, which overlayfs and pods leave.
func removeAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.Walk(dir, func(p string, info os.FileInfo, _ error) error {
		if info != nil && info.IsDir() && info.Mode().Perm()&0o700 != 0o700 {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// lock takes the folder; it is held until every holder of the file has ended. busy is true when
// another holds it.
func (l layout) lock() (file *os.File, busy bool, err error) {
	file, err = os.OpenFile(l.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, true, nil
		}
		return nil, false, err
	}
	return file, false, nil
}

// sign writes into the lock's file who holds it.
func (l layout) sign(lock *os.File) error {
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err := lock.WriteAt([]byte(processName(os.Getpid())), 0)
	return err
}

// holder is the supervisor that signed the lock, if it still lives; 0 if not, be it that only its
// reaper is left, or that its number is another process's now.
func (l layout) holder() int {
	signed, err := os.ReadFile(l.lockFile())
	if err != nil {
		return 0
	}
	number, _, _ := strings.Cut(string(signed), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || processName(pid) != string(signed) {
		return 0
	}
	return pid
}

// processName is a process's number with the time of its start, which no other process shares.
func processName(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const startTime = 19 // field 22, counted after the name
	if len(fields) <= startTime {
		return ""
	}
	return fmt.Sprintf("%d %s", pid, fields[startTime])
}

// Info is what a running cluster says of itself.
type Info struct {
	Kubeconfig string         `json:"kubeconfig"`
	Server     string         `json:"server"`
	Dir        string         `json:"dir"`
	PID        int            `json:"pid"` // the supervisor's
	PIDs       map[string]int `json:"pids"`
	Seconds    float64        `json:"seconds"` // from the start until it worked
}

func (l layout) writeInfo(i Info) error { return writeJSON(l.state(), i) }

func (l layout) readInfo() (Info, error) {
	var i Info
	text, err := os.ReadFile(l.state())
	if err != nil {
		return i, err
	}
	return i, json.Unmarshal(text, &i)
}

func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// hidden checks that no container will be shown this folder.
func (l layout) hidden(images cri.Images) error {
	dir, err := filepath.EvalSymlinks(string(l))
	if err != nil {
		return err
	}
	if spec.Shown(dir) {
		return fmt.Errorf("the cluster's folder %s lies among the machine's programs, which containers are shown: choose another", l)
	}
	for _, entry := range images {
		for _, p := range entry.Show {
			if real, err := filepath.EvalSymlinks(p); err == nil && within(dir, real) {
				return fmt.Errorf("the cluster's folder %s lies in %s, which containers are shown: choose another", l, p)
			}
		}
	}
	return nil
}

func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, strings.TrimSuffix(parent, "/")+"/")
}
