package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"sealyard.io/cluster/spec"
)

// checkNamespaces tries one sandbox, so that a machine that forbids them says so here and not in
// the events of a pod.
func checkNamespaces(shim string) error {
	state, err := os.MkdirTemp("", "sealyard-check-")
	if err != nil {
		return err
	}
	defer removeAll(state)
	text, err := json.Marshal(spec.Container{State: state, Args: []string{"true"}, Env: []string{}})
	if err != nil {
		return err
	}
	cmd := exec.Command(shim, "run")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = in.Write(text)
	werr := cmd.Wait()
	_ = in.Close()
	var report spec.Report
	if derr := json.NewDecoder(strings.NewReader(out.String())).Decode(&report); derr != nil {
		return errors.Join(errors.New("the shim gave no answer: "+complaint.String()), err, werr, derr)
	}
	if report.Failed != nil {
		return fmt.Errorf("containers cannot be made on this machine: %s. "+
			"Ways out: run the cluster as root, allow user namespaces "+
			"(sysctl kernel.apparmor_restrict_unprivileged_userns=0, kernel.unprivileged_userns_clone=1, user.max_user_namespaces), "+
			"or use another cluster that kubectl reaches", report.Failed.Message)
	}
	return nil
}
