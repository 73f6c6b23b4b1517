// Package provisioner gives each claim of the default StorageClass a folder of this machine.
package provisioner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"

	"sealyard.io/cluster/spec"
)

const (
	className   = "standard"
	driver      = "sealyard.io/folder"
	provisioned = "pv.kubernetes.io/provisioned-by"
)

type provisioner struct {
	client  kubernetes.Interface
	folder  string // of all volumes
	claims  cache.Indexer
	volumes cache.Indexer
	queue   workqueue.TypedRateLimitingInterface[key]
}

// key is one object to look at: a claim, or a volume if the namespace is empty.
type key struct{ namespace, name string }

// Start makes the StorageClass and provisions until the context ends.
func Start(ctx context.Context, client kubernetes.Interface, folder string) error {
	if err := makeClass(ctx, client); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	claims, volumes := factory.Core().V1().PersistentVolumeClaims().Informer(), factory.Core().V1().PersistentVolumes().Informer()
	p := &provisioner{
		client: client, folder: folder, claims: claims.GetIndexer(), volumes: volumes.GetIndexer(),
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[key]()),
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc: p.note, UpdateFunc: func(_, object any) { p.note(object) }, DeleteFunc: func(any) {},
	}
	for _, informer := range []cache.SharedIndexInformer{claims, volumes} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	go func() {
		<-ctx.Done()
		p.queue.ShutDown()
	}()
	go func() {
		factory.WaitForCacheSync(ctx.Done())
		for p.next(ctx) {
		}
	}()
	return nil
}

func makeClass(ctx context.Context, client kubernetes.Interface) error {
	reclaim, mode := v1.PersistentVolumeReclaimDelete, storage.VolumeBindingImmediate
	_, err := client.StorageV1().StorageClasses().Create(ctx, &storage.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name: className, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: driver, ReclaimPolicy: &reclaim, VolumeBindingMode: &mode,
	}, metav1.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (p *provisioner) note(object any) {
	switch o := object.(type) {
	case *v1.PersistentVolumeClaim:
		p.queue.Add(key{o.Namespace, o.Name})
	case *v1.PersistentVolume:
		p.queue.Add(key{"", o.Name})
	}
}

func (p *provisioner) next(ctx context.Context) bool {
	k, ended := p.queue.Get()
	if ended {
		return false
	}
	defer p.queue.Done(k)
	if err := p.look(ctx, k); err != nil {
		klog.ErrorS(err, "provisioning", "namespace", k.namespace, "name", k.name)
		p.queue.AddRateLimited(k)
		return true
	}
	p.queue.Forget(k)
	return true
}

func (p *provisioner) look(ctx context.Context, k key) error {
	if k.namespace == "" {
		object, found, err := p.volumes.GetByKey(k.name)
		if err != nil || !found {
			return err
		}
		return p.reclaim(ctx, object.(*v1.PersistentVolume))
	}
	object, found, err := p.claims.GetByKey(k.namespace + "/" + k.name)
	if err != nil || !found {
		return err
	}
	claim := object.(*v1.PersistentVolumeClaim)
	if !p.ours(claim) {
		return nil
	}
	return p.provision(ctx, claim)
}

// ours is a claim that waits for this provisioner, as the volume controller noted on it.
func (p *provisioner) ours(claim *v1.PersistentVolumeClaim) bool {
	return claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil &&
		claim.Annotations["volume.kubernetes.io/storage-provisioner"] == driver
}

func (p *provisioner) provision(ctx context.Context, claim *v1.PersistentVolumeClaim) error {
	volume := p.volumeFor(claim)
	path := volume.Spec.Local.Path
	if err := os.Mkdir(path, 0o777); err != nil && !os.IsExist(err) {
		return err
	}
	if err := os.Chmod(path, 0o777); err != nil { // whatever the umask: a pod's user is not known yet
		return err
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// volumeFor is a volume of type local, which honours fsGroup, unlike hostPath.
func (p *provisioner) volumeFor(claim *v1.PersistentVolumeClaim) *v1.PersistentVolume {
	name, mode := "pvc-"+string(claim.UID), v1.PersistentVolumeFilesystem
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisioned: driver}},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: v1.PersistentVolumeReclaimDelete,
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			StorageClassName:              className,
			VolumeMode:                    &mode,
			PersistentVolumeSource:        v1.PersistentVolumeSource{Local: &v1.LocalVolumeSource{Path: filepath.Join(p.folder, name)}},
			ClaimRef: &v1.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace, Name: claim.Name,
				UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			NodeAffinity: &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: []v1.NodeSelectorTerm{{
				MatchExpressions: []v1.NodeSelectorRequirement{{
					Key: v1.LabelHostname, Operator: v1.NodeSelectorOpIn, Values: []string{spec.NodeAddress},
				}},
			}}}},
		},
	}
}

// reclaim removes a released volume with its folder.
func (p *provisioner) reclaim(ctx context.Context, volume *v1.PersistentVolume) error {
	if volume.Annotations[provisioned] != driver || volume.Status.Phase != v1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != v1.PersistentVolumeReclaimDelete {
		return nil
	}
	path := volume.Spec.Local.Path
	if filepath.Dir(path) != p.folder {
		return fmt.Errorf("volume %s lies at %s, not in %s", volume.Name, path, p.folder)
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
