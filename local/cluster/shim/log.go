package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// criLog writes lines as the kubelet reads them: "time stream F|P text".
type criLog struct {
	mu   sync.Mutex
	file *os.File
	path string
}

func openLog(path string) (*criLog, error) {
	if path == "" {
		path = os.DevNull
	}
	l := &criLog{path: path}
	return l, l.reopen()
}

func (l *criLog) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file = file
	return nil
}

func (l *criLog) copy(from io.Reader, stream string, done *sync.WaitGroup) {
	defer done.Done()
	reader := bufio.NewReaderSize(from, 16<<10)
	for {
		text, err := reader.ReadSlice('\n')
		if len(text) > 0 {
			l.write(stream, text, errors.Is(err, bufio.ErrBufferFull))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// write adds one line; partial means that the rest of it follows.
func (l *criLog) write(stream string, text []byte, partial bool) {
	tag := " F "
	if partial {
		tag = " P "
	}
	if text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	line := make([]byte, 0, len(text)+64)
	line = time.Now().UTC().AppendFormat(line, time.RFC3339Nano)
	line = append(append(append(append(line, ' '), stream...), tag...), text...)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.file.Write(append(line, '\n'))
}
