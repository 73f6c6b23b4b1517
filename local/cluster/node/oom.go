package node

import (
	"go.opentelemetry.io/otel/trace"
	"k8s.io/client-go/tools/record"
	"k8s.io/kubernetes/pkg/kubelet"
)

// recorderSwap lets a kubelet be made without its watcher of the kernel's OOM messages, which wants
// /dev/kmsg and so more rights than a user has, and for which there is no switch. NewMainKubelet
// makes no watcher when the recorder is a FakeRecorder, and asks for a tracer just after: that is
// when the true recorder takes its place. start fails if that moment did not come.
type recorderSwap struct {
	trace.TracerProvider
	dependencies *kubelet.Dependencies
	recorder     record.EventRecorderLogger
	done         bool
}

func skipOOMWatcher(d *kubelet.Dependencies, recorder record.EventRecorderLogger) *recorderSwap {
	swap := &recorderSwap{TracerProvider: d.TracerProvider, dependencies: d, recorder: recorder}
	d.TracerProvider, d.Recorder = swap, &record.FakeRecorder{}
	return swap
}

// Tracer puts the true recorder in.
func (s *recorderSwap) Tracer(name string, options ...trace.TracerOption) trace.Tracer {
	s.dependencies.Recorder, s.done = s.recorder, true
	return s.TracerProvider.Tracer(name, options...)
}
