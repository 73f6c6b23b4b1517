package main

import (
	"encoding/json"
	"fmt"
	"os"

	"sealyard.io/cluster/spec"
)

// enter runs a command in a container whose namespaces this process is already in. The command
// comes through descriptor 3.
func enter() {
	input := os.NewFile(specFD, "spec")
	var e spec.Enter
	err := json.NewDecoder(input).Decode(&e)
	_ = input.Close()
	code := 128
	if err == nil {
		if err = os.Chdir(e.Cwd); err == nil {
			code, err = execute(e.Args, e.Env, e.User, e.Capabilities, e.NoNewPrivileges)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}
