package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"sealyard.io/cluster/spec"
)

// Descriptors of `shim init`: the spec comes in on one, a failure goes out on the other, which is
// closed unwritten by the exec of the command.
const (
	specFD  = 3
	errorFD = 4
)

type reporter struct{ out *json.Encoder }

func (r reporter) failed(code int, message string) {
	_ = r.out.Encode(spec.Report{Failed: &spec.Failed{Code: code, Message: message}})
}

func run() {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)
	report := reporter{json.NewEncoder(os.Stdout)}
	orders := json.NewDecoder(os.Stdin)
	var c spec.Container
	if err := orders.Decode(&c); err != nil {
		report.failed(128, "reading the container's description: "+err.Error())
		return
	}
	log, err := openLog(c.LogPath)
	if err != nil {
		report.failed(128, "opening the log: "+err.Error())
		return
	}
	child, failure, copies := start(&c, log)
	if child == nil {
		report.failed(128, failure.Message)
		return
	}
	go obey(orders, child.Process, log)
	if failure != nil {
		_ = child.Wait()
		report.failed(failure.Code, failure.Message)
		return
	}
	_ = report.out.Encode(spec.Report{Started: &spec.Started{PID: child.Process.Pid}})
	_ = child.Wait()
	copies.Wait()
	status := child.ProcessState.Sys().(syscall.WaitStatus)
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	_ = report.out.Encode(spec.Report{Exited: &spec.Exited{Code: code}})
}

// start runs `shim init` in new namespaces and waits until it has become the command or failed.
func start(c *spec.Container, log *criLog) (*exec.Cmd, *spec.Failed, *sync.WaitGroup) {
	specR, specW, err1 := os.Pipe()
	errR, errW, err2 := os.Pipe()
	outR, outW, err3 := os.Pipe()
	logR, logW, err4 := os.Pipe()
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return nil, &spec.Failed{Message: "making a pipe: " + err.Error()}, nil
		}
	}
	child := exec.Command("/proc/self/exe", "init", c.State)
	child.Stdout, child.Stderr = outW, logW
	child.ExtraFiles = []*os.File{specR, errW}
	child.Env = []string{}
	child.SysProcAttr = attributes(c)
	if err := child.Start(); err != nil {
		return nil, &spec.Failed{Message: startError(err)}, nil
	}
	for _, f := range []*os.File{specR, errW, outW, logW} {
		_ = f.Close()
	}
	copies := &sync.WaitGroup{}
	copies.Add(2)
	go log.copy(outR, "stdout", copies)
	go log.copy(logR, "stderr", copies)
	_ = json.NewEncoder(specW).Encode(c)
	_ = specW.Close()
	var failure spec.Failed
	switch err := json.NewDecoder(errR).Decode(&failure); err {
	case nil:
		return child, &failure, copies
	case io.EOF:
		return child, nil, copies
	default:
		return child, &spec.Failed{Code: 128, Message: "the sandbox ended early: " + err.Error()}, copies
	}
}

func startError(err error) string {
	if strings.Contains(err.Error(), "operation not permitted") || strings.Contains(err.Error(), "no space left") {
		return "this machine forbids user namespaces (" + err.Error() + "): run the cluster as root, or use another cluster"
	}
	return "starting the sandbox: " + err.Error()
}

// attributes asks for the namespaces and maps the users: all that there are when we are root,
// else the one that we are, shown as the user that the container wants to be.
func attributes(c *spec.Container) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Setsid:    true,
		Pdeathsig: syscall.SIGKILL,
	}
	if !singleUser() {
		a.UidMappings, a.GidMappings = identity("/proc/self/uid_map"), identity("/proc/self/gid_map")
		a.GidMappingsEnableSetgroups = true
		return a
	}
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: c.User.UID, HostID: os.Getuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: c.User.GID, HostID: os.Getgid(), Size: 1}}
	if c.User.UID != 0 { // a user other than 0 keeps a capability over exec only if it is ambient
		a.AmbientCaps = []uintptr{
			unix.CAP_SYS_ADMIN, unix.CAP_SYS_CHROOT, unix.CAP_SETPCAP,
			unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_CHOWN,
		}
	}
	return a
}

// obey carries out the runtime's orders. When there are no more to come, the runtime is gone,
// and the container goes with it.
func obey(orders *json.Decoder, process *os.Process, log *criLog) {
	for {
		var order spec.Command
		if err := orders.Decode(&order); err != nil {
			_ = process.Kill()
			return
		}
		if order.Reopen {
			_ = log.reopen()
		}
		if order.Signal != 0 {
			_ = process.Signal(syscall.Signal(order.Signal))
		}
	}
}
