// The shim is the one small process beside each container: it starts the command in namespaces of
// its own, copies its output to a CRI log and tells the runtime how it ended.
//
//	shim run      reads a spec.Container from stdin (see package spec)
//	shim init     what `run` starts inside the new namespaces; becomes the command
//	shim enter    what the runtime starts inside an existing container's namespaces, for exec
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: sealyard-shim run|init|enter")
		os.Exit(64)
	}
	runtime.LockOSThread() // namespaces, credentials and the parent-death signal belong to a thread
	switch os.Args[1] {
	case "run":
		run()
	case "init":
		initialize()
	case "enter":
		enter()
	default:
		fmt.Fprintf(os.Stderr, "sealyard-shim: no such command: %s\n", os.Args[1])
		os.Exit(64)
	}
}
