package cri

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo-terminal among those of the container that a process is in, where
// its programs can find it by name: our end and the command's.
func openTerminal(pid int) (ours, theirs *os.File, err error) {
	ours, err = os.OpenFile(fmt.Sprintf("/proc/%d/root/dev/pts/ptmx", pid), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a terminal: %w", err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		_ = ours.Close()
		return nil, nil, fmt.Errorf("unlocking a terminal: %w", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, ours.Fd(), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		_ = ours.Close()
		return nil, nil, fmt.Errorf("opening a terminal: %w", errno)
	}
	return ours, os.NewFile(fd, "terminal"), nil
}

func resize(terminal *os.File, width, height uint16) {
	_ = unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: width, Row: height})
}
