package node

import (
	"os"
	"path/filepath"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/emptydir"
	"k8s.io/kubernetes/pkg/volume/hostpath"
	"k8s.io/kubernetes/pkg/volume/local"
	"k8s.io/kubernetes/pkg/volume/projected"
	"k8s.io/kubernetes/pkg/volume/secret"
)

// volumePlugins are the kinds of volumes that need no storage system.
func volumePlugins() []volume.VolumePlugin {
	var plugins []volume.VolumePlugin
	for _, probed := range [][]volume.VolumePlugin{
		emptydir.ProbeVolumePlugins(), secret.ProbeVolumePlugins(), configmap.ProbeVolumePlugins(),
		downwardapi.ProbeVolumePlugins(), projected.ProbeVolumePlugins(), local.ProbeVolumePlugins(),
	} {
		for _, plugin := range probed {
			plugins = append(plugins, grouped(plugin))
		}
	}
	return append(plugins, hostpath.ProbeVolumePlugins(volume.VolumeConfig{})...)
}

// grouped makes a plugin's fsGroup fit this node. An ordinary user's files are all that user's,
// inside and outside, and there is nobody to give one to: fsGroup is dropped. For root, a volume of
// type local is a symbolic link here (see mounter), which the plugin would give away instead of
// what it leads to.
func grouped(p volume.VolumePlugin) volume.VolumePlugin {
	persistent, isPersistent := p.(volume.PersistentVolumePlugin)
	switch root := os.Getuid() == 0; {
	case isPersistent:
		return persistentPlugin{wrapped{p, root}, persistent}
	case root:
		return p
	}
	return wrapped{p, false}
}

type wrapped struct {
	volume.VolumePlugin
	followed bool // fsGroup is for what the link leads to; else for nothing
}

func (p wrapped) NewMounter(s *volume.Spec, pod *v1.Pod) (volume.Mounter, error) {
	m, err := p.VolumePlugin.NewMounter(s, pod)
	if err != nil {
		return nil, err
	}
	return wrappedMounter{m, p.followed}, nil
}

// persistentPlugin is wrapped for a plugin of persistent volumes.
type persistentPlugin struct {
	wrapped
	persistent volume.PersistentVolumePlugin
}

func (p persistentPlugin) GetAccessModes() []v1.PersistentVolumeAccessMode {
	return p.persistent.GetAccessModes()
}

type wrappedMounter struct {
	volume.Mounter
	followed bool
}

func (m wrappedMounter) SetUp(a volume.MounterArgs) error { return m.SetUpAt(m.GetPath(), a) }

func (m wrappedMounter) SetUpAt(dir string, a volume.MounterArgs) error {
	group := a.FsGroup
	a.FsUser, a.FsGroup = nil, nil
	if err := m.Mounter.SetUpAt(dir, a); err != nil || group == nil || !m.followed || m.GetAttributes().ReadOnly {
		return err
	}
	target, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	return volume.NewVolumeOwnership(m, target, group, a.FSGroupChangePolicy, nil).ChangePermissions()
}
