package supervisor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// detach runs the same cluster in a session of its own, waits until it works or has failed, and
// says so.
func detach(f upFlags) int {
	self, err := os.Executable()
	if err != nil {
		return fail(1, err)
	}
	args := []string{"up", "--dir", string(f.dir), "--with-pid", strconv.Itoa(f.withPID)}
	if f.images != "" {
		args = append(args, "--images", f.images)
	}
	cmd := exec.Command(self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// Files, not pipes, for the errors: nobody reads a pipe once we have gone.
	errs, err := os.CreateTemp("", "sealyard-cluster-*.err")
	if err != nil {
		return fail(1, err)
	}
	defer os.Remove(errs.Name())
	defer errs.Close()
	cmd.Stderr = errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(1, err)
	}
	if err := cmd.Start(); err != nil {
		return fail(1, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		fmt.Print(line)
		return 0
	}
	if err := cmd.Wait(); err != nil {
		_, _ = errs.Seek(0, io.SeekStart)
		_, _ = io.Copy(os.Stderr, errs)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		return 1
	}
	return fail(1, errors.New("the cluster was ended before it worked"))
}
