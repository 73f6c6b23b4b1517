package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"sealyard.io/cluster/lifeline"
)

// startReaper runs the process that cleans up after the cluster, also when the supervisor is
// killed. It holds the lock until it is done. The function returned waits for it.
func startReaper(l layout, line *lifeline.Line, lock *os.File) (func() error, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(l.log("reaper"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(self, "reap", string(l))
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.ExtraFiles, cmd.Env = line.AttachReaper([]*os.File{lock}, os.Environ())
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the reaper: %w", err)
	}
	return func() error {
		line.Release() // or the reaper waits for us, if not all parts were started
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("cleaning %s: %w; see %s", l, err, l.log("reaper"))
		}
		return nil
	}, nil
}

// Reap waits for the supervisor's end, then for that of all it started, then removes the state.
func Reap(args []string) int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if len(args) != 1 {
		return fail(64, fmt.Errorf("reap is up's own"))
	}
	lifeline.WaitForSupervisor()
	lifeline.WaitForAll()
	if err := layout(args[0]).clean(); err != nil {
		return fail(1, err)
	}
	return 0
}
