package supervisor

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"sealyard.io/cluster/lifeline"
)

// ended says that a component is gone.
type ended struct {
	name string
	err  error
}

// group is the running components of a cluster.
type group struct {
	layout layout
	line   *lifeline.Line
	pids   map[string]int
	ends   chan ended // one per component
}

// start runs a component in a session of its own, so that a terminal's Ctrl-C reaches the
// supervisor alone.
func (g *group) start(c component) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(g.layout.log(c.name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, append([]string{c.name}, c.args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = string(g.layout), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.ExtraFiles, cmd.Env = g.line.Attach(nil, os.Environ())
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", c.name, err)
	}
	g.pids[c.name] = cmd.Process.Pid
	go func() { g.ends <- ended{c.name, cmd.Wait()} }()
	return nil
}

// explain makes an error of a component that ended by itself, with the end of its log.
func (g *group) explain(e ended) error {
	how := "ended"
	if e.err != nil {
		how = e.err.Error()
	}
	return fmt.Errorf("%s failed (%s); the end of %s:\n%s", e.name, how, g.layout.log(e.name), tail(g.layout.log(e.name), 15))
}

// tail is the last lines of a file, indented.
func tail(path string, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	defer file.Close()
	const most = 64 << 10
	if info, err := file.Stat(); err == nil && info.Size() > most {
		_, _ = file.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(file)
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}
