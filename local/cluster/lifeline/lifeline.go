// Package lifeline ends every process of a cluster with its supervisor, however that one ends.
//
// Two pipes do it. The supervisor alone holds the writing end of the first, and all others read
// from it: its end is the supervisor's. All others hold the writing end of the second, and the
// reaper reads from it: its end says that all of them have ended.
package lifeline

import (
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names of the variables that carry the descriptors' numbers to a child.
const (
	readVariable = "SEALYARD_LIFELINE"
	heldVariable = "SEALYARD_ALIVE"
)

// Line is the supervisor's side of both pipes.
type Line struct {
	read, write   *os.File // the lifeline
	alive, allEnd *os.File // writing end, held by every child, and reading end
}

// New makes the pipes.
func New() (*Line, error) {
	l := &Line{}
	var err error
	if l.read, l.write, err = os.Pipe(); err != nil {
		return nil, err
	}
	l.allEnd, l.alive, err = os.Pipe()
	return l, err
}

// Attach gives a child its ends: it will end with the supervisor.
func (l *Line) Attach(files []*os.File, env []string) ([]*os.File, []string) {
	first := 3 + len(files)
	return append(files, l.read, l.alive),
		append(env, readVariable+"="+strconv.Itoa(first), heldVariable+"="+strconv.Itoa(first+1))
}

// AttachReaper gives the reaper its ends: it sees the supervisor end, then all others.
func (l *Line) AttachReaper(files []*os.File, env []string) ([]*os.File, []string) {
	first := 3 + len(files)
	return append(files, l.read, l.allEnd),
		append(env, readVariable+"="+strconv.Itoa(first), heldVariable+"="+strconv.Itoa(first+1))
}

// Release closes the supervisor's copies of what only its children should hold; no more can be
// attached.
func (l *Line) Release() {
	for _, f := range []*os.File{l.read, l.alive, l.allEnd} {
		_ = f.Close()
	}
}

// Cut lets go of the lifeline: every attached process ends.
func (l *Line) Cut() { _ = l.write.Close() }

func inherited(variable string) *os.File {
	number, err := strconv.Atoi(os.Getenv(variable))
	_ = os.Unsetenv(variable)
	if err != nil {
		return nil
	}
	unix.CloseOnExec(number)
	return os.NewFile(uintptr(number), variable)
}

// Alive is the descriptor that shows the reaper that this process lives; a child that may outlive
// its parent for a moment gets it too.
var Alive *os.File

// Watch ends this process when the supervisor does. Without a supervisor it does nothing.
func Watch() {
	Alive = inherited(heldVariable)
	line := inherited(readVariable)
	if line == nil {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, line)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()
}

// WaitForSupervisor returns when the supervisor has ended; for the reaper.
func WaitForSupervisor() { wait(inherited(readVariable)) }

// WaitForAll returns when every attached process has ended; for the reaper.
func WaitForAll() { wait(inherited(heldVariable)) }

func wait(f *os.File) {
	if f != nil {
		_, _ = io.Copy(io.Discard, f)
		_ = f.Close()
	}
}
