package cri

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	rt "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Entry is what stands for an image: an environment of this machine.
type Entry struct {
	Path []string `json:"path,omitempty"` // directories before the system's in PATH
	Show []string `json:"show,omitempty"` // host paths that containers of this image may read
	User int      `json:"user,omitempty"` // who its processes are, unless the pod says
}

// Image is an Entry as found for one name.
type Image struct {
	Entry
	ID        string // sha256:…, over the entry
	Reference string // repository@sha256:…
}

// Images maps repositories to entries; the longest prefix wins, "*" is for all others.
type Images map[string]Entry

// ReadImages reads the map from a JSON file and checks it.
func ReadImages(file string) (Images, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("images file: %w", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	images := Images{}
	if err := decoder.Decode(&images); err != nil {
		return nil, fmt.Errorf("images file %s: %w", file, err)
	}
	return images, images.check(file)
}

func (i Images) check(file string) error {
	for name, entry := range i {
		for _, p := range append(append([]string{}, entry.Path...), entry.Show...) {
			if !filepath.IsAbs(p) {
				return fmt.Errorf("images file %s: %q has the path %q, which is not absolute", file, name, p)
			}
			if _, err := os.Stat(p); err != nil {
				return fmt.Errorf("images file %s: %q: %w", file, name, err)
			}
		}
		if entry.User < 0 {
			return fmt.Errorf("images file %s: %q has the user %d, which must be 0 or more", file, name, entry.User)
		}
	}
	return nil
}

// repository is an image's name without tag and digest.
func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	return name
}

// find takes the first of the names that is not empty.
func (i Images) find(names ...string) (Image, error) {
	name := ""
	for _, n := range names {
		if name == "" {
			name = n
		}
	}
	wanted, best := repository(name), ""
	for key := range i {
		if strings.HasPrefix(wanted, key) && len(key) > len(best) {
			best = key
		}
	}
	if best == "" {
		best = "*"
	}
	entry, ok := i[best]
	if !ok {
		return Image{}, fmt.Errorf("image %q is not known here: this cluster runs programs of its machine, and its images file maps only %s", name, i.names())
	}
	text, err := json.Marshal(entry)
	if err != nil {
		return Image{}, err
	}
	sum := sha256.Sum256(text)
	id := "sha256:" + hex.EncodeToString(sum[:])
	return Image{Entry: entry, ID: id, Reference: wanted + "@" + id}, nil
}

func (i Images) names() string {
	var names []string
	for name := range i {
		names = append(names, name)
	}
	sort.Strings(names)
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// ImageService serves an image map to the kubelet.
type ImageService struct {
	Images Images
	Dir    string
}

// ListImages lists nothing: there is nothing to collect.
func (s ImageService) ListImages(context.Context, *rt.ImageFilter) ([]*rt.Image, error) {
	return nil, nil
}

// ImageStatus shows a known image, and nothing for others, so that the kubelet pulls them.
func (s ImageService) ImageStatus(_ context.Context, i *rt.ImageSpec, _ bool) (*rt.ImageStatusResponse, error) {
	image, err := s.Images.find(i.Image)
	if err != nil {
		return &rt.ImageStatusResponse{}, nil
	}
	return &rt.ImageStatusResponse{Image: &rt.Image{
		Id: image.ID, RepoTags: []string{i.Image}, RepoDigests: []string{image.Reference}, Size: 1,
		Uid: &rt.Int64Value{Value: int64(image.User)}, Spec: &rt.ImageSpec{Image: i.Image},
	}}, nil
}

// PullImage says that a known image is there, and which are if it is not.
func (s ImageService) PullImage(_ context.Context, i *rt.ImageSpec, _ *rt.AuthConfig, _ *rt.PodSandboxConfig) (string, error) {
	image, err := s.Images.find(i.Image)
	return image.ID, err
}

// RemoveImage is refused: an image is the machine itself.
func (s ImageService) RemoveImage(context.Context, *rt.ImageSpec) error {
	return errors.New("images of this cluster cannot be removed")
}

// ImageFsInfo shows the cluster's folder.
func (s ImageService) ImageFsInfo(context.Context) (*rt.ImageFsInfoResponse, error) {
	usage := []*rt.FilesystemUsage{{
		Timestamp: time.Now().UnixNano(), FsId: &rt.FilesystemIdentifier{Mountpoint: s.Dir},
		UsedBytes: &rt.UInt64Value{}, InodesUsed: &rt.UInt64Value{},
	}}
	return &rt.ImageFsInfoResponse{ImageFilesystems: usage, ContainerFilesystems: usage}, nil
}

// Close has nothing to close.
func (s ImageService) Close(context.Context) error { return nil }
