package cri

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	internalapi "k8s.io/cri-api/pkg/apis"
	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
	"sealyard.io/cluster/spec"
)

// enter prepares a command inside a container: nsenter joins the namespaces, and the shim, which
// the container's file system does not have and which is therefore reached through a descriptor,
// takes on the container's user and rights. run must be called to start it.
func (r *Runtime) enter(ctx context.Context, id string, args []string) (*entered, error) {
	c, err := r.container(id)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	running, p := c.state() == rt.ContainerState_CONTAINER_RUNNING, c.process
	r.mu.Unlock()
	if !running {
		return nil, fmt.Errorf("container %s does not run", id)
	}
	if len(args) == 0 {
		return nil, errors.New("no command to run")
	}
	shim, err := os.Open(r.Shim)
	if err != nil {
		return nil, err
	}
	specR, specW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, shim.Close())
	}
	cmd := exec.CommandContext(ctx, "nsenter",
		"--target="+strconv.Itoa(p.pid), "--user", "--preserve-credentials", "--mount", "--pid", "--ipc",
		"--uts", "--root", "--wd", "--", "/proc/self/fd/4", "enter")
	cmd.ExtraFiles = []*os.File{specR, shim}
	cmd.Env = []string{}
	cmd.WaitDelay = 2 * time.Second
	cwd := c.spec.Cwd
	if cwd == "" {
		cwd = "/"
	}
	return &entered{Cmd: cmd, pid: p.pid, input: specW, spec: spec.Enter{
		Args: args, Env: c.spec.Env, Cwd: cwd, User: c.spec.User,
		NoNewPrivileges: c.spec.NoNewPrivileges, Capabilities: c.spec.Capabilities,
	}}, nil
}

type entered struct {
	*exec.Cmd
	pid   int // of the container's first process
	input *os.File
	spec  spec.Enter
}

// begin starts the command and hands it its description.
func (e *entered) begin() error {
	err := e.Start()
	for _, f := range e.ExtraFiles {
		_ = f.Close()
	}
	if err == nil {
		err = json.NewEncoder(e.input).Encode(e.spec)
	}
	return errors.Join(err, e.input.Close())
}

// finish waits and tells a command's exit code apart from a failure to run it.
func (e *entered) finish(ctx context.Context) error {
	err := e.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: exit.ExitCode()}
	}
	return err
}

// ExecSync runs a command, as probes and hooks do.
func (r *Runtime) ExecSync(ctx context.Context, id string, args []string, timeout time.Duration) ([]byte, []byte, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	e, err := r.enter(ctx, id, args)
	if err != nil {
		return nil, nil, err
	}
	var stdout, stderr bytes.Buffer
	e.Stdout, e.Stderr = &stdout, &stderr
	if err = e.begin(); err == nil {
		err = e.finish(ctx)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = status.Error(codes.DeadlineExceeded, "the command ran past its time")
	}
	return stdout.Bytes(), stderr.Bytes(), err
}

// streams serves what needs a connection to the user.
type streams struct{ *Runtime }

// Exec is `kubectl exec`.
func (s streams) Exec(ctx context.Context, id string, args []string, in io.Reader, out, errs io.WriteCloser, tty bool, sizes <-chan remotecommand.TerminalSize) error {
	e, err := s.enter(ctx, id, args)
	if err != nil {
		return err
	}
	if tty {
		return e.onTerminal(ctx, in, out, sizes)
	}
	e.Stdout, e.Stderr = out, errs
	if in != nil {
		// not cmd.Stdin: Wait would wait for the user to close it
		w, err := e.StdinPipe()
		if err != nil {
			return err
		}
		go func() {
			_, _ = io.Copy(w, in)
			_ = w.Close()
		}()
	}
	if err := e.begin(); err != nil {
		return err
	}
	return e.finish(ctx)
}

// onTerminal runs the command on a pseudo-terminal.
func (e *entered) onTerminal(ctx context.Context, in io.Reader, out io.Writer, sizes <-chan remotecommand.TerminalSize) error {
	ours, theirs, err := openTerminal(e.pid)
	if err != nil {
		return err
	}
	defer ours.Close()
	e.Stdin, e.Stdout, e.Stderr = theirs, theirs, theirs
	e.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	e.spec.Env = append(e.spec.Env, "TERM=xterm")
	err = e.begin()
	_ = theirs.Close()
	if err != nil {
		return err
	}
	go func() {
		for size := range sizes {
			resize(ours, size.Width, size.Height)
		}
	}()
	if in != nil {
		go func() { _, _ = io.Copy(ours, in) }()
	}
	var copied sync.WaitGroup
	copied.Add(1)
	go func() {
		defer copied.Done()
		_, _ = io.Copy(out, ours)
	}()
	err = e.finish(ctx)
	copied.Wait()
	return err
}

// Attach is refused: a container's output goes to its log only.
func (s streams) Attach(context.Context, string, io.Reader, io.WriteCloser, io.WriteCloser, bool, <-chan remotecommand.TerminalSize) error {
	return errors.New("this cluster does not attach to containers: use kubectl logs -f, or kubectl exec")
}

// PortForward connects to a port of the machine: pods have no network of their own.
func (s streams) PortForward(_ context.Context, _ string, port int32, stream io.ReadWriteCloser) error {
	connection, err := net.Dial("tcp", net.JoinHostPort(s.PodIP, strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		_, _ = io.Copy(connection, stream)
		_ = connection.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, connection)
	return err
}

// Service is what the kubelet gets: the runtime, and the addresses of its streams.
type Service struct{ *Runtime }

var (
	_ internalapi.RuntimeService      = Service{}
	_ internalapi.ImageManagerService = ImageService{}
)

// Exec answers with the address where the command's streams are served.
func (s Service) Exec(_ context.Context, q *rt.ExecRequest) (*rt.ExecResponse, error) {
	return s.stream.GetExec(q)
}

// Attach answers with the address that refuses.
func (s Service) Attach(_ context.Context, q *rt.AttachRequest) (*rt.AttachResponse, error) {
	return s.stream.GetAttach(q)
}

// PortForward answers with the address where connections are taken.
func (s Service) PortForward(_ context.Context, q *rt.PortForwardRequest) (*rt.PortForwardResponse, error) {
	return s.stream.GetPortForward(q)
}
