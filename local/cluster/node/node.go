// Package node is the real kubelet, with only those parts replaced that need root or a container
// daemon: the runtime, the mounter, cgroups and the machine's statistics.
package node

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.opentelemetry.io/otel/trace/noop"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clientset "k8s.io/client-go/kubernetes"
	v1core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/credentialprovider"
	"k8s.io/kubernetes/pkg/kubelet"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	kubeletutil "k8s.io/kubernetes/pkg/kubelet/util"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/util/rlimit"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"

	"sealyard.io/cluster/cri"
	"sealyard.io/cluster/spec"
)

type flags struct {
	kubeconfig, dir, images, shim     string
	port                              int
	clientCA, servingCert, servingKey string
}

// Main runs a node until it is told to end.
func Main() int {
	var f flags
	set := flag.NewFlagSet("node", flag.ExitOnError)
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "credentials of the kubelet")
	set.StringVar(&f.dir, "dir", "", "folder of the node's state")
	set.StringVar(&f.images, "images", "", "JSON file that maps images to environments of this machine")
	set.StringVar(&f.shim, "shim", "", "the shim's binary")
	set.IntVar(&f.port, "port", 10250, "port of the kubelet's API")
	set.StringVar(&f.clientCA, "client-ca", "", "CA of the clients that the kubelet's API knows")
	set.StringVar(&f.servingCert, "tls-cert", "", "certificate of the kubelet's API")
	set.StringVar(&f.servingKey, "tls-key", "", "its key")
	klog.InitFlags(set)
	_ = set.Parse(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, f); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, f flags) error {
	// EventedPLEG: the end of a container is seen at once, not at the next listing
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{"EventedPLEG": true}); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	server, err := url.Parse(config.Host)
	if err != nil {
		return err
	}
	images, err := cri.ReadImages(f.images)
	if err != nil {
		return err
	}
	mounts := newMounter()
	runtime, err := cri.New(cri.Options{
		Dir: filepath.Join(f.dir, "run"), Shim: f.shim, Images: images, PodIP: spec.NodeAddress,
		APIHost: server.Hostname(), APIPort: server.Port(), MemorySize: mounts.memory, Resolve: mounts.resolve,
	})
	if err != nil {
		return err
	}
	kubeletFlags, kubeletConfig, err := configure(f)
	if err != nil {
		return err
	}
	tls, err := kubeletapp.InitializeTLS(ctx, kubeletFlags, kubeletConfig)
	if err != nil {
		return fmt.Errorf("TLS of the kubelet's API: %w", err)
	}
	auth, runCA, err := kubeletapp.BuildAuth(types.NodeName(spec.NodeName), client, *kubeletConfig)
	if err != nil {
		return fmt.Errorf("authentication of the kubelet's API: %w", err)
	}
	runCA(ctx.Done())
	stats := machine{dir: f.dir}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	broadcaster.StartRecordingToSink(&v1core.EventSinkImpl{Interface: client.CoreV1().Events("")})
	dependencies := &kubelet.Dependencies{
		Auth: auth, TLSOptions: tls,
		KubeClient: client, HeartbeatClient: client, EventClient: client.CoreV1(),
		RemoteRuntimeService: cri.Service{Runtime: runtime},
		RemoteImageService:   cri.ImageService{Images: images, Dir: f.dir},
		CAdvisorInterface:    stats, OSInterface: podLogs{}, OOMAdjuster: oom.NewFakeOOMAdjuster(),
		ContainerManager: newManager(cm.NewStubContainerManager(), stats, nvidiaDevices("/dev")),
		VolumePlugins:    volumePlugins(), Mounter: mounts,
		Subpather: subpaths{subpath.New(mounts), mounts}, HostUtil: plainHost{hostutil.NewHostUtil()},
		PodStartupLatencyTracker:  kubeletutil.NewPodStartupLatencyTracker(),
		NodeStartupLatencyTracker: kubeletutil.NewNodeStartupLatencyTracker(klog.FromContext(ctx)),
		TracerProvider:            noop.NewTracerProvider(),
	}
	recorder := broadcaster.NewRecorder(legacyscheme.Scheme, v1.EventSource{Component: "kubelet", Host: spec.NodeName})
	return start(ctx, kubeletFlags, kubeletConfig, dependencies, recorder)
}

// start does what RunKubelet of the kubelet's own command does, which cannot be told that the
// node's name and its host name, here an address, differ.
func start(ctx context.Context, f *options.KubeletFlags, c *kubeletconfig.KubeletConfiguration, d *kubelet.Dependencies, recorder record.EventRecorderLogger) error {
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
	credentialprovider.SetPreferredDockercfgPath(f.RootDirectory)
	skip := skipOOMWatcher(d, recorder)
	k, err := kubelet.NewMainKubelet(ctx, c, d, &f.ContainerRuntimeOptions, spec.NodeAddress, types.NodeName(spec.NodeName), nil, "", "",
		f.CertDirectory, f.RootDirectory, c.PodLogsDir, "", "", c.RegisterNode, nil, nil, "", false, false,
		f.MinimumGCAge, f.MaxPerPodContainerCount, f.MaxContainerCount, f.NodeLabels, c.NodeStatusMaxImages, false)
	if err != nil {
		return fmt.Errorf("making the kubelet: %w", err)
	}
	if !skip.done {
		return fmt.Errorf("the kubelet was made in another order than this node expects, and has no event recorder")
	}
	k.BirthCry()
	k.StartGarbageCollection(ctx)
	if err := rlimit.SetNumFiles(uint64(c.MaxOpenFiles)); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	go k.Run(ctx, d.PodConfig.Updates())
	go k.ListenAndServe(ctx, c, d.TLSConfig, d.Auth, d.TracerProvider)
	<-ctx.Done()
	return nil
}
