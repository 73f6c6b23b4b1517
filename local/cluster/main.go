// One binary with a Kubernetes in it: etcd, the control plane, a node and kubectl, each a
// subcommand, and the supervisor that runs them as one cluster.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"sealyard.io/cluster/lifeline"
	"sealyard.io/cluster/node"
	"sealyard.io/cluster/supervisor"
)

const usage = `usage: sealyard-cluster COMMAND

  up --dir DIR         run a cluster whose state lies in DIR
  down --dir DIR       end it and remove its state
  status --dir DIR     say whether it runs
  kubectl ...          the Kubernetes client

and the parts that up runs: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, node
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(64)
	}
	name := os.Args[1]
	os.Args = append([]string{name}, os.Args[2:]...)
	os.Exit(command(name))
}

func command(name string) int {
	switch name {
	case "up":
		return supervisor.Up(os.Args[1:])
	case "down":
		return supervisor.Down(os.Args[1:])
	case "status":
		return supervisor.Status(os.Args[1:])
	case "reap":
		return supervisor.Reap(os.Args[1:])
	case "kubectl":
		return cli.Run(kubectl.NewDefaultKubectlCommand())
	}
	lifeline.Watch()
	switch name {
	case "etcd":
		etcdmain.Main(os.Args)
		return 0
	case "kube-apiserver":
		return cli.Run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		return cli.Run(controllers.NewControllerManagerCommand())
	case "kube-scheduler":
		return cli.Run(scheduler.NewSchedulerCommand())
	case "node":
		return node.Main()
	}
	fmt.Fprintf(os.Stderr, "sealyard-cluster: no such command: %s\n\n%s", name, usage)
	return 64
}
