package cri

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"sealyard.io/cluster/lifeline"
	"sealyard.io/cluster/spec"
)

// process is a running shim.
type process struct {
	cmd     *exec.Cmd
	pid     int // of the container's first process
	reports *json.Decoder
	mu      sync.Mutex
	orders  *json.Encoder
}

// startProcess starts a shim and waits until its container runs, or for the reason why it does not.
func startProcess(shim string, c *spec.Container) (*process, *spec.Failed, error) {
	cmd := exec.Command(shim, "run", c.State) // the folder is for readers of ps
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if lifeline.Alive != nil {
		cmd.ExtraFiles = []*os.File{lifeline.Alive}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	p := &process{cmd: cmd, reports: json.NewDecoder(out), orders: json.NewEncoder(in)}
	var report spec.Report
	err = errors.Join(p.orders.Encode(c), p.reports.Decode(&report))
	if err != nil || report.Started == nil {
		_ = in.Close()
		_ = cmd.Wait()
		if report.Failed != nil {
			return nil, report.Failed, nil
		}
		return nil, nil, fmt.Errorf("the shim ended early: %s %w", complaint.String(), err)
	}
	p.pid = report.Started.PID
	return p, nil, nil
}

// wait returns the container's exit code, 255 if its shim ended without telling one.
func (p *process) wait() int {
	code := 255
	var report spec.Report
	if err := p.reports.Decode(&report); err == nil && report.Exited != nil {
		code = report.Exited.Code
	}
	_ = p.cmd.Wait()
	return code
}

func (p *process) order(c spec.Command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.orders.Encode(c) // a shim that does not listen has ended, which wait sees
}

func (p *process) signal(s syscall.Signal) { p.order(spec.Command{Signal: int(s)}) }

func (p *process) reopenLog() { p.order(spec.Command{Reopen: true}) }
