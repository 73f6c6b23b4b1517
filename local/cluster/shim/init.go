package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"sealyard.io/cluster/spec"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// initialize turns this process into the container's command; it comes back only by failing.
func initialize() {
	input, failures := os.NewFile(specFD, "spec"), os.NewFile(errorFD, "failures")
	unix.CloseOnExec(errorFD)
	var c spec.Container
	err := json.NewDecoder(input).Decode(&c)
	_ = input.Close()
	code := 128
	if err == nil {
		if err = buildRoot(&c); err == nil {
			code, err = becomeCommand(&c)
		}
	}
	_ = json.NewEncoder(failures).Encode(spec.Failed{Code: code, Message: err.Error()})
	os.Exit(code)
}

func becomeCommand(c *spec.Container) (int, error) {
	if c.Hostname != "" {
		if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
			return 128, fmt.Errorf("setting the host name %q: %w", c.Hostname, err)
		}
	}
	if err := os.Chdir(c.Cwd); err != nil {
		return 128, fmt.Errorf("working directory: %w", err)
	}
	return execute(c.Args, c.Env, c.User, c.Capabilities, c.NoNewPrivileges)
}

// execute drops what the user may not have and becomes the command. The code is what a shell
// would say: 127 for a command that is not there, 126 for one that cannot run.
func execute(args, env []string, user spec.User, capabilities []string, noNewPrivileges bool) (int, error) {
	if err := becomeUser(user, capabilities); err != nil {
		return 128, err
	}
	// changing the user cleared it
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return 128, fmt.Errorf("parent-death signal: %w", err)
	}
	if noNewPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return 128, fmt.Errorf("no new privileges: %w", err)
		}
	}
	path := defaultPath
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			path = value
		}
	}
	_ = os.Setenv("PATH", path)
	program, err := exec.LookPath(args[0])
	if err != nil {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return 127, fmt.Errorf("exec: %q: executable file not found in $PATH (%s)", args[0], path)
		}
		return 126, err
	}
	signal.Reset()
	err = syscall.Exec(program, args, env)
	if errors.Is(err, syscall.ENOENT) {
		return 127, fmt.Errorf("exec %s: no such file, or its interpreter is not there", program)
	}
	return 126, fmt.Errorf("exec %s: %w", program, err)
}
