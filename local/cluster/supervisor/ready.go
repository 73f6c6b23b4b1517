package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"sealyard.io/cluster/spec"
)

// startTime is how long a cluster may take; it takes 6 s on two cores that nobody else uses.
const startTime = 2 * time.Minute

// condition is something to wait for; it answers nil when it holds.
type condition struct {
	component string // whose log explains why it does not
	what      string
	holds     func(context.Context, kubernetes.Interface) error
}

var apiReady = condition{"kube-apiserver", "the API server to be ready", func(ctx context.Context, c kubernetes.Interface) error {
	return c.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}}

var controllersReady = condition{"kube-controller-manager", "the controllers to work", func(ctx context.Context, c kubernetes.Interface) error {
	_, err1 := c.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	_, err2 := c.CoreV1().ConfigMaps("default").Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return errors.Join(err1, err2)
}}

var nodeReady = condition{"node", "the node to be ready", func(ctx context.Context, c kubernetes.Interface) error {
	n, err := c.CoreV1().Nodes().Get(ctx, spec.NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, taint := range n.Spec.Taints {
		if taint.Effect == v1.TaintEffectNoSchedule {
			return fmt.Errorf("the node has the taint %s", taint.Key)
		}
	}
	for _, is := range n.Status.Conditions {
		if is.Type == v1.NodeReady && is.Status == v1.ConditionTrue {
			return nil
		}
	}
	return errors.New("the node is not Ready")
}}

// wait returns when the condition holds, or with the reason why it never will.
func (g *group) wait(ctx context.Context, client kubernetes.Interface, c condition) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		last := c.holds(ctx, client)
		if last == nil {
			return nil
		}
		select {
		case e := <-g.ends:
			return g.explain(e)
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("waited %s for %s: %w; the end of %s:\n%s", startTime, c.what, last,
				g.layout.log(c.component), tail(g.layout.log(c.component), 15))
		case <-tick.C:
		}
	}
}
