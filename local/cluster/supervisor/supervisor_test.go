package supervisor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sealyard.io/cluster/cri"
)

func newLayout(t *testing.T) layout {
	t.Helper()
	l := layout(filepath.Join(t.TempDir(), "cluster"))
	if err := l.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := l.populate(); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestOnlyAClustersFolderIsEmptied(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "node")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := layout(dir).prepare(); err == nil || !strings.Contains(err.Error(), "choose another") {
		t.Errorf("got %v", err)
	}
	if err := layout(dir).clean(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Errorf("somebody's file is gone: %v", err)
	}
}

func TestCleaningLeavesTheLogs(t *testing.T) {
	l := newLayout(t)
	locked := l.path("node", "work")
	if err := os.Mkdir(locked, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.clean(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(string(l))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "SEALYARD-CLUSTER logs" {
		t.Errorf("left: %s", got)
	}
}

func TestAFolderThatContainersSeeIsRefused(t *testing.T) {
	l := newLayout(t)
	parent := filepath.Dir(string(l))
	for _, c := range []struct {
		dir    layout
		images cri.Images
		good   bool
	}{
		{l, cri.Images{"*": {}}, true},
		{l, cri.Images{"*": {Show: []string{parent + "-beside"}}}, true},
		{l, cri.Images{"*": {Show: []string{parent}}}, false},
		{"/usr/local", cri.Images{}, false},
	} {
		if err := c.dir.hidden(c.images); (err == nil) != c.good {
			t.Errorf("%s with %v: %v", c.dir, c.images, err)
		}
	}
}

func TestAFolderIsLockedOnce(t *testing.T) {
	l := newLayout(t)
	lock, busy, err := l.lock()
	if err != nil || busy {
		t.Fatal(busy, err)
	}
	if _, busy, err := l.lock(); err != nil || !busy {
		t.Errorf("locked twice: %v", err)
	}
	_ = lock.Close()
	if _, busy, err := l.lock(); err != nil || busy {
		t.Errorf("still locked: %v", err)
	}
}

func TestOnlyTheProcessThatSignedIsTheHolder(t *testing.T) {
	l := newLayout(t)
	if got := l.holder(); got != 0 {
		t.Errorf("nobody signed, and %d holds it", got)
	}
	lock, _, err := l.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := l.sign(lock); err != nil {
		t.Fatal(err)
	}
	if got := l.holder(); got != os.Getpid() {
		t.Errorf("%d holds it", got)
	}
	for _, signed := range []string{fmt.Sprintf("%d 1", os.Getpid()), "", "x"} { // an older process of our number
		if err := os.WriteFile(l.lockFile(), []byte(signed), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := l.holder(); got != 0 {
			t.Errorf("signed %q, and %d holds it", signed, got)
		}
	}
}

func TestCertificatesSayWhoTheyAreFor(t *testing.T) {
	l := newLayout(t)
	if err := l.makeCredentials("https://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	load := func(name string) *x509.Certificate {
		text, err := os.ReadFile(l.pki(name + ".crt"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	cluster, store := x509.NewCertPool(), x509.NewCertPool()
	cluster.AddCert(load("ca"))
	store.AddCert(load("etcd-ca"))
	for _, c := range []struct {
		name  string
		roots *x509.CertPool
		host  string
		usage x509.ExtKeyUsage
		good  bool
	}{
		{"apiserver", cluster, "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		{"apiserver", cluster, "kubernetes.default.svc", x509.ExtKeyUsageServerAuth, true},
		{"apiserver", cluster, "example.org", x509.ExtKeyUsageServerAuth, false},
		{"kubelet", cluster, "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		{"apiserver-kubelet-client", cluster, "", x509.ExtKeyUsageServerAuth, false},
		{"etcd-client", store, "", x509.ExtKeyUsageClientAuth, true},
		{"apiserver-kubelet-client", store, "", x509.ExtKeyUsageClientAuth, false},
		{"etcd-client", cluster, "", x509.ExtKeyUsageClientAuth, false},
	} {
		_, err := load(c.name).Verify(x509.VerifyOptions{Roots: c.roots, DNSName: c.host, KeyUsages: []x509.ExtKeyUsage{c.usage}})
		if (err == nil) != c.good {
			t.Errorf("%s for %q: %v", c.name, c.host, err)
		}
	}
}

func TestPortsDiffer(t *testing.T) {
	p, err := freePorts()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{p.etcd: true, p.etcdPeer: true, p.apiserver: true, p.kubelet: true}
	if len(seen) != 4 {
		t.Errorf("got %v", p)
	}
}

func TestTailIsTheEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(file, []byte(strings.Repeat("noise\n", 50000)+"last but one\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tail(file, 2); got != "  last but one\n  last" {
		t.Errorf("got %q", got)
	}
}
