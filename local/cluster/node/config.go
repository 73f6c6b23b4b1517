package node

import (
	"path/filepath"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"sealyard.io/cluster/spec"
)

// configure says how this kubelet differs from one on a server: no cgroups, no firewall rules,
// nothing evicted because the developer's disk is full.
func configure(f flags) (*options.KubeletFlags, *kubeletconfig.KubeletConfiguration, error) {
	kubeletFlags := options.NewKubeletFlags()
	kubeletFlags.HostnameOverride = spec.NodeName
	kubeletFlags.RootDirectory = filepath.Join(f.dir, "kubelet")
	kubeletFlags.CertDirectory = filepath.Join(f.dir, "kubelet-pki")
	kubeletFlags.MinimumGCAge = metav1.Duration{Duration: time.Minute}
	c, err := options.NewKubeletConfiguration()
	if err != nil {
		return nil, nil, err
	}
	c.Address, c.Port, c.ReadOnlyPort, c.HealthzPort = spec.NodeAddress, int32(f.port), 0, 0
	c.TLSCertFile, c.TLSPrivateKeyFile = f.servingCert, f.servingKey
	c.Authentication.Anonymous.Enabled = false
	c.Authentication.X509.ClientCAFile = f.clientCA
	c.Authentication.Webhook.Enabled = true
	c.Authorization.Mode = kubeletconfig.KubeletAuthorizationModeWebhook

	c.CgroupsPerQOS, c.CgroupRoot, c.EnforceNodeAllocatable = false, "", []string{}
	c.FailCgroupV1, c.FailSwapOn, c.ProtectKernelDefaults = false, false, false
	c.MakeIPTablesUtilChains = false
	c.EvictionHard, c.ImageGCHighThresholdPercent = map[string]string{}, 100
	c.LocalStorageCapacityIsolation = true
	c.EnableControllerAttachDetach, c.RegisterNode = true, true

	c.PodLogsDir = filepath.Join(f.dir, "pod-logs")
	c.MaxPods, c.MaxOpenFiles = 250, openFiles()
	c.ResolverConfig, c.ClusterDNS, c.ClusterDomain = "/etc/resolv.conf", []string{"10.0.0.10"}, "cluster.local"
	c.NodeStatusUpdateFrequency.Duration, c.SyncFrequency.Duration = 10*time.Second, 10*time.Second
	c.VolumeStatsAggPeriod.Duration = -1
	c.SerializeImagePulls, c.RegistryPullQPS, c.RegistryBurst = false, 0, 0
	c.EventRecordQPS, c.EventBurst = 0, 0
	return kubeletFlags, c, nil
}

func openFiles() int64 {
	var l syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	return int64(min(l.Max, 1<<20))
}
