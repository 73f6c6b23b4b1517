// Package spec is what the runtime and its shim say to each other: the runtime writes one
// Container and then Commands to the shim's stdin, the shim answers with Reports on its stdout.
// The end of that stdin ends the container, so nothing outlives the node.
package spec

import "strings"

// The one node of a cluster: its name, and the address of it and of every pod, which all share the
// machine's loopback.
const (
	NodeName    = "local"
	NodeAddress = "127.0.0.1"
)

// Container is all that the shim needs to know. It travels through a pipe and never lies on disk,
// because an environment may hold what a Secret put there.
type Container struct {
	State           string // folder of this container: root, upper and work directories
	Args            []string
	Env             []string
	Cwd             string
	Hostname        string
	LogPath         string
	User            User
	Mounts          []Mount // parents before children
	Devices         []Device
	ReadOnlyRoot    bool
	NoNewPrivileges bool
	Capabilities    []string // kept in the bounding set, without the CAP_ prefix
}

// User is who the process runs as, inside the container's user namespace.
type User struct {
	UID, GID int
	Groups   []int
}

// Mount binds Source, which has no symbolic links, at Target, or makes a tmpfs there when Source is
// empty.
type Mount struct {
	Source, Target string
	ReadOnly       bool
	SizeBytes      int64 // of a tmpfs; 0 is the kernel's default
}

// Device is a device node of the host, shown in the container.
type Device struct {
	Source, Target string
}

// Command is one order to a running shim.
type Command struct {
	Signal int  `json:",omitempty"` // forwarded to the container's first process
	Reopen bool `json:",omitempty"` // the log file was rotated
}

// Report is one message of the shim: first Started or Failed, and Exited at the end of a started one.
type Report struct {
	Started *Started `json:",omitempty"`
	Failed  *Failed  `json:",omitempty"`
	Exited  *Exited  `json:",omitempty"`
}

// Started carries the first process as the host sees it.
type Started struct{ PID int }

// Failed says why the command never ran.
type Failed struct {
	Code    int // 127 no such command, 126 it cannot run, 128 the sandbox cannot be made
	Message string
}

// Exited is how the command ended; a signal is 128 + its number.
type Exited struct{ Code int }

// Enter is what `shim enter` reads from the descriptor it is given: a command to run in a
// container that exists already.
type Enter struct {
	Args            []string
	Env             []string
	Cwd             string
	User            User
	NoNewPrivileges bool
	Capabilities    []string
}

// System says whether a directory of / is part of every container's image: the host's programs and
// their configuration. All else, homes and the state of other programs above all, is not there
// unless it is mounted.
func System(name string) bool {
	switch name {
	case "bin", "sbin", "usr", "etc", "opt", "nix", "gnu":
		return true
	}
	return strings.HasPrefix(name, "lib")
}

// Shown says whether a path of the host is in every container anyway.
func Shown(path string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return System(top)
}
