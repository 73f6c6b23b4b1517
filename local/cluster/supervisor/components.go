package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
)

// component is one part of the cluster: a subcommand of this binary and its arguments.
type component struct {
	name string
	args []string
}

func (l layout) etcd(p ports) component {
	client, peer := fmt.Sprintf("https://127.0.0.1:%d", p.etcd), fmt.Sprintf("https://127.0.0.1:%d", p.etcdPeer)
	ca, certificate, key := l.pki("etcd-ca.crt"), l.pki("etcd.crt"), l.pki("etcd.key")
	return component{"etcd", []string{
		"--name=local", "--data-dir=" + l.path("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=local=" + peer,
		"--client-cert-auth", "--trusted-ca-file=" + ca, "--cert-file=" + certificate, "--key-file=" + key,
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + ca, "--peer-cert-file=" + certificate, "--peer-key-file=" + key,
		"--unsafe-no-fsync", // the data ends with the cluster anyway
		"--log-level=warn",
	}}
}

func (l layout) apiserver(p ports) component {
	return component{"kube-apiserver", []string{
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", p.apiserver),
		"--tls-cert-file=" + l.pki("apiserver.crt"), "--tls-private-key-file=" + l.pki("apiserver.key"),
		"--client-ca-file=" + l.pki("ca.crt"),
		fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", p.etcd), "--etcd-cafile=" + l.pki("etcd-ca.crt"),
		"--etcd-certfile=" + l.pki("etcd-client.crt"), "--etcd-keyfile=" + l.pki("etcd-client.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--anonymous-auth=false",
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + l.pki("ca.crt"),
		"--kubelet-client-certificate=" + l.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + l.pki("apiserver-kubelet-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + l.pki("service-account.pub"),
		"--service-account-signing-key-file=" + l.pki("service-account.key"),
		"--service-cluster-ip-range=10.0.0.0/24",
		"--endpoint-reconciler-type=none", // it refuses a loopback address, and nothing routes to it
		"--allow-privileged=true",
	}}
}

func (l layout) controllerManager() component {
	return component{"kube-controller-manager", []string{
		"--kubeconfig=" + l.credentials("controller-manager"),
		"--secure-port=0", "--leader-elect=false", "--use-service-account-credentials",
		"--service-account-private-key-file=" + l.pki("service-account.key"), "--root-ca-file=" + l.pki("ca.crt"),
		"--cluster-signing-cert-file=" + l.pki("ca.crt"), "--cluster-signing-key-file=" + l.pki("ca.key"),
		"--service-cluster-ip-range=10.0.0.0/24", "--kube-api-qps=300", "--kube-api-burst=600",
	}}
}

func (l layout) scheduler() component {
	return component{"kube-scheduler", []string{
		"--kubeconfig=" + l.credentials("scheduler"), "--secure-port=0", "--leader-elect=false",
		"--kube-api-qps=300", "--kube-api-burst=600",
	}}
}

func (l layout) node(p ports, shim string) component {
	return component{"node", []string{
		"--kubeconfig=" + l.credentials("node"), "--dir=" + l.path("node"), "--images=" + l.images(), "--shim=" + shim,
		fmt.Sprintf("--port=%d", p.kubelet), "--client-ca=" + l.pki("ca.crt"),
		"--tls-cert=" + l.pki("kubelet.crt"), "--tls-key=" + l.pki("kubelet.key"),
	}}
}

// shimPath is the shim's binary, which is built beside this one.
func shimPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	shim := filepath.Join(filepath.Dir(self), "sealyard-shim")
	_, err = os.Stat(shim)
	return shim, err
}
