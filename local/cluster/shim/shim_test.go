package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestLinksAreFollowedInsideTheRootOnly(t *testing.T) {
	links := map[string]string{
		"/var/run": "/run", "/out": "/../../etc", "/up": "../../..", "/a": "b", "/b": "/c/d", "/loop": "/loop",
	}
	read := func(p string) (string, error) {
		if target, ok := links[p]; ok {
			return target, nil
		}
		return "", errors.New("no link")
	}
	for p, want := range map[string]string{
		"/plain/path": "/plain/path", "/var/run/secrets": "/run/secrets", "/out/passwd": "/etc/passwd",
		"/up/x": "/x", "/a/e": "/c/d/e", "/x/../../y": "/y", "relative": "/relative",
	} {
		if got, err := inRoot(p, read); err != nil || got != want {
			t.Errorf("inRoot(%q) = %q, %v, want %q", p, got, err, want)
		}
	}
	if _, err := inRoot("/loop/x", read); err == nil {
		t.Error("an endless link was followed")
	}
}

func TestLogLines(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	file := filepath.Join(t.TempDir(), "log")
	log, err := openLog(file)
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Add(1)
	log.copy(strings.NewReader("one\n\n"+long+"\nlast"), "stdout", &done)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var whole bytes.Buffer
	var tags []string
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		fields := strings.SplitN(line, " ", 4)
		tags = append(tags, fields[1]+fields[2])
		whole.WriteString(fields[3])
		if fields[2] == "F" {
			whole.WriteByte('\n')
		}
	}
	if got := strings.Join(tags, " "); got != "stdoutF stdoutF stdoutP stdoutF stdoutF" {
		t.Errorf("tags: %s", got)
	}
	if whole.String() != "one\n\n"+long+"\nlast\n" {
		t.Error("the text changed")
	}
}

func TestALogIsReopenedAfterItWasMoved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	log, err := openLog(file)
	if err != nil {
		t.Fatal(err)
	}
	log.write("stdout", []byte("old"), false)
	if err := errors.Join(os.Rename(file, file+".1"), log.reopen()); err != nil {
		t.Fatal(err)
	}
	log.write("stdout", []byte("new"), false)
	if text, err := os.ReadFile(file); err != nil || !strings.HasSuffix(string(text), " stdout F new\n") {
		t.Errorf("got %q, %v", text, err)
	}
}
