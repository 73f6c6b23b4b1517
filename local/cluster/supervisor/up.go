package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"sealyard.io/cluster/cri"
	"sealyard.io/cluster/lifeline"
	"sealyard.io/cluster/provisioner"
)

type upFlags struct {
	dir     layout
	images  string
	detach  bool
	withPID int
}

func parseUp(args []string) (upFlags, error) {
	var f upFlags
	set := flag.NewFlagSet("up", flag.ContinueOnError)
	dir := set.String("dir", "", "folder of the cluster's state; it is made")
	set.StringVar(&f.images, "images", "", "JSON file that maps images to environments of this machine (default: every image is the machine as it is)")
	set.BoolVar(&f.detach, "detach", false, "come back when the cluster works, and leave it running")
	set.IntVar(&f.withPID, "with-pid", 0, "end the cluster when this process ends")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if *dir == "" {
		return f, errors.New("up: --dir is missing")
	}
	path, err := filepath.Abs(*dir)
	f.dir = layout(path)
	return f, err
}

// Up runs a cluster. It prints one line of JSON when it works, and comes back when it has ended.
func Up(args []string) int {
	f, err := parseUp(args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return fail(64, err)
	}
	if f.detach {
		return detach(f)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if f.withPID != 0 {
		if err := cancelWith(f.withPID, cancel); err != nil {
			return fail(64, err)
		}
	}
	if err := supervise(ctx, f); err != nil && !errors.Is(err, context.Canceled) {
		return fail(69, err)
	}
	return 0
}

func fail(code int, err error) int {
	fmt.Fprintln(os.Stderr, "sealyard-cluster:", err)
	return code
}

// cancelWith calls cancel when a process has ended.
func cancelWith(pid int, cancel func()) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("--with-pid %d: %w", pid, err)
	}
	go func() {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if n, err := unix.Poll(poll, -1); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				cancel()
				return
			}
		}
	}()
	return nil
}

// supervise runs a cluster from its folder's making to its cleaning. However it returns, nothing
// of the cluster is left; and if this process is killed, the reaper sees to that.
func supervise(ctx context.Context, f upFlags) error {
	began := time.Now()
	images, err := loadImages(f.images)
	if err != nil {
		return err
	}
	shim, err := shimPath()
	if err != nil {
		return fmt.Errorf("the shim is missing beside this binary: %w", err)
	}
	if err := f.dir.prepare(); err != nil {
		return err
	}
	if err := f.dir.hidden(images); err != nil {
		return err
	}
	lock, busy, err := f.dir.lock()
	if busy {
		return fmt.Errorf("a cluster runs in %s already: end it with down --dir %s", f.dir, f.dir)
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := f.dir.sign(lock); err != nil {
		return err
	}
	if err := checkNamespaces(shim); err != nil {
		return err
	}
	if err := errors.Join(f.dir.clean(), f.dir.populate(), writeJSON(f.dir.images(), images)); err != nil {
		return err
	}
	line, err := lifeline.New()
	if err != nil {
		return err
	}
	reaped, err := startReaper(f.dir, line, lock)
	if err != nil {
		return err
	}
	g := &group{layout: f.dir, line: line, pids: map[string]int{}, ends: make(chan ended, 8)}
	err = g.run(ctx, shim, began)
	line.Cut()
	err = errors.Join(err, reaped())
	noteFailure(f.dir, err)
	return err
}

// noteFailure also writes an error to the log: a detached cluster has no terminal to say it on.
func noteFailure(l layout, err error) {
	if err == nil {
		return
	}
	if log, openErr := os.OpenFile(l.log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); openErr == nil {
		fmt.Fprintln(log, err)
		_ = log.Close()
	}
}

func loadImages(file string) (cri.Images, error) {
	if file == "" {
		return cri.Images{"*": {}}, nil
	}
	return cri.ReadImages(file)
}

// run starts the parts in the order in which they need each other, and watches over them.
func (g *group) run(ctx context.Context, shim string, began time.Time) error {
	p, err := freePorts()
	if err != nil {
		return err
	}
	server := fmt.Sprintf("https://127.0.0.1:%d", p.apiserver)
	if err := g.layout.makeCredentials(server); err != nil {
		return fmt.Errorf("making credentials: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", g.layout.kubeconfig())
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	l := g.layout
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := errors.Join(g.start(l.etcd(p)), g.start(l.apiserver(p))); err != nil {
		return err
	}
	if err := g.wait(starting, client, apiReady); err != nil {
		return err
	}
	if err := errors.Join(g.start(l.node(p, shim)), g.start(l.controllerManager()), g.start(l.scheduler())); err != nil {
		return err
	}
	g.line.Release()
	if err := quietLog(l.log("supervisor")); err != nil {
		return err
	}
	if err := provisioner.Start(ctx, client, l.path("volumes")); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	for _, c := range []condition{nodeReady, controllersReady} {
		if err := g.wait(starting, client, c); err != nil {
			return err
		}
	}
	info := Info{
		Kubeconfig: l.kubeconfig(), Server: server, Dir: string(l), PID: os.Getpid(), PIDs: g.pids,
		Seconds: time.Since(began).Round(time.Millisecond).Seconds(),
	}
	if err := l.writeInfo(info); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(info); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case e := <-g.ends:
		return g.explain(e)
	}
}

// quietLog sends what the Kubernetes libraries log in this process to a file.
func quietLog(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	klog.LogToStderr(false)
	klog.SetOutput(file)
	return nil
}
