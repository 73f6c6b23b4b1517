package cri

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRepositoryIsTheNameWithoutTagAndDigest(t *testing.T) {
	for name, want := range map[string]string{
		"busybox":                         "busybox",
		"busybox:1.36":                    "busybox",
		"host:5000/team/trainer":          "host:5000/team/trainer",
		"host:5000/team/trainer:dev":      "host:5000/team/trainer",
		"team/trainer@sha256:abc":         "team/trainer",
		"host:5000/a/trainer:1@sha256:ab": "host:5000/a/trainer",
	} {
		if got := repository(name); got != want {
			t.Errorf("repository(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestTheLongestPrefixWins(t *testing.T) {
	images := Images{"*": {User: 1}, "sealyard/": {User: 2}, "sealyard/trainer": {User: 3}}
	for name, user := range map[string]int{
		"busybox": 1, "sealyard/courier:1": 2, "sealyard/trainer:0.1.0": 3, "sealyard/trainer-gpu": 3,
	} {
		image, err := images.find(name)
		if err != nil || image.User != user {
			t.Errorf("find(%q) = user %d, %v, want %d", name, image.User, err, user)
		}
	}
}

func TestAnUnknownImageSaysWhatIsKnown(t *testing.T) {
	_, err := Images{"b": {}, "a": {}}.find("elsewhere/thing:1")
	if err == nil || !strings.Contains(err.Error(), `"elsewhere/thing:1"`) || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("got %v", err)
	}
}

func TestTheDigestFollowsTheEntry(t *testing.T) {
	find := func(entry Entry, name string) Image {
		image, err := Images{"*": entry}.find(name)
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	first := find(Entry{Path: []string{"/a"}}, "trainer:1")
	if again := find(Entry{Path: []string{"/a"}}, "trainer:2"); again.Reference != first.Reference {
		t.Errorf("a tag changed the digest: %s and %s", first.Reference, again.Reference)
	}
	if other := find(Entry{Path: []string{"/b"}}, "trainer:1"); other.ID == first.ID {
		t.Error("another environment has the same digest")
	}
	if !strings.HasPrefix(first.Reference, "trainer@sha256:") || len(first.ID) != len("sha256:")+64 {
		t.Errorf("not a digest: %s", first.Reference)
	}
}

func TestABadImagesFileIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": {"path": ["bin"]}}`:             "not absolute",
		`{"a": {"show": ["/does/not/exist"]}}`: "/does/not/exist",
		`{"a": {"paths": []}}`:                 "paths",
		`{"a": {"user": -1}}`:                  "0 or more",
		`[]`:                                   "images file",
	} {
		file := filepath.Join(t.TempDir(), "images.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadImages(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", text, err, want)
		}
	}
}
