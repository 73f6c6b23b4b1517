package supervisor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"

	clientcmd "k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"sealyard.io/cluster/spec"
)

const lifetime = 365 * 24 * time.Hour

// authority signs certificates. etcd has one of its own: who may talk to the API server may not
// talk to its store.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(lifetime)
	return x509.CreateCertificate(rand.Reader, template, parent, public, key)
}

// issue makes a key and a certificate for a user, a server, or both.
func (a *authority) issue(user, group string, hosts ...string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if group != "" {
		template.Subject.Organization = []string{group}
	}
	if len(hosts) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := sign(template, a.certificate, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(private)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key, err
}

func keyPEM(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func (l layout) writePair(name string, certificate, key []byte) error {
	return errors.Join(
		os.WriteFile(l.pki(name+".crt"), certificate, 0o600),
		os.WriteFile(l.pki(name+".key"), key, 0o600))
}

const serviceIP = "10.0.0.1" // of the Service "kubernetes"

// makeCredentials writes every certificate, key and kubeconfig of the cluster.
func (l layout) makeCredentials(server string) error {
	cluster, err := newAuthority("sealyard-embedded-cluster")
	if err != nil {
		return err
	}
	store, err := newAuthority("sealyard-embedded-etcd")
	if err != nil {
		return err
	}
	clusterKey, err := keyPEM(cluster.key)
	if err != nil {
		return err
	}
	if err := errors.Join(
		l.writePair("ca", cluster.pem, clusterKey),
		os.WriteFile(l.pki("etcd-ca.crt"), store.pem, 0o600),
		l.makeServiceAccountKey()); err != nil {
		return err
	}
	pairs := []struct {
		by          *authority
		name        string
		user, group string
		hosts       []string
	}{
		{store, "etcd", "etcd", "", []string{"127.0.0.1", "localhost"}},
		{store, "etcd-client", "kube-apiserver", "", nil},
		{cluster, "apiserver", "kube-apiserver", "", []string{
			"127.0.0.1", "localhost", serviceIP, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
			"kubernetes.default.svc.cluster.local"}},
		{cluster, "apiserver-kubelet-client", "kube-apiserver-kubelet-client", "system:masters", nil},
		{cluster, "kubelet", "system:node:" + spec.NodeName, "system:nodes", []string{spec.NodeAddress, "localhost"}},
	}
	for _, p := range pairs {
		certificate, key, err := p.by.issue(p.user, p.group, p.hosts...)
		if err != nil {
			return err
		}
		if err := l.writePair(p.name, certificate, key); err != nil {
			return err
		}
	}
	users := []struct{ path, user, group string }{
		{l.kubeconfig(), "admin", "system:masters"},
		{l.credentials("controller-manager"), "system:kube-controller-manager", ""},
		{l.credentials("scheduler"), "system:kube-scheduler", ""},
		{l.credentials("node"), "system:node:" + spec.NodeName, "system:nodes"},
	}
	for _, u := range users {
		certificate, key, err := cluster.issue(u.user, u.group)
		if err != nil {
			return err
		}
		if err := writeKubeconfig(u.path, server, u.user, cluster.pem, certificate, key); err != nil {
			return err
		}
	}
	return nil
}

func (l layout) makeServiceAccountKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	private, err := keyPEM(key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return errors.Join(
		os.WriteFile(l.pki("service-account.key"), private, 0o600),
		os.WriteFile(l.pki("service-account.pub"), public, 0o600))
}

// writeKubeconfig makes a kubeconfig that needs no other file.
func writeKubeconfig(path, server, user string, ca, certificate, key []byte) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["sealyard"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key}
	config.Contexts["sealyard"] = &clientcmdapi.Context{Cluster: "sealyard", AuthInfo: user}
	config.CurrentContext = "sealyard"
	return clientcmd.WriteToFile(*config, path) // 0600
}
