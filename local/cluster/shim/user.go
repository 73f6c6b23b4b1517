package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"sealyard.io/cluster/spec"
)

// identity maps every user that this process knows to itself.
func identity(file string) []syscall.SysProcIDMap {
	var maps []syscall.SysProcIDMap
	text, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		inside, err1 := strconv.Atoi(fields[0])
		size, err2 := strconv.Atoi(fields[2])
		if err1 == nil && err2 == nil {
			maps = append(maps, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
		}
	}
	return maps
}

// singleUser is true where only one user can be mapped: we are not root, or root of a namespace
// that has nobody else.
func singleUser() bool {
	maps := identity("/proc/self/uid_map")
	return os.Getuid() != 0 || len(maps) == 1 && maps[0].Size == 1
}

// onlyMapped is singleUser as seen from inside the container.
func onlyMapped() bool {
	maps := identity("/proc/self/uid_map")
	return len(maps) == 1 && maps[0].Size == 1
}

var capabilityNumbers = map[string]uintptr{
	"CHOWN": 0, "DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "FOWNER": 3, "FSETID": 4, "KILL": 5,
	"SETGID": 6, "SETUID": 7, "SETPCAP": 8, "LINUX_IMMUTABLE": 9, "NET_BIND_SERVICE": 10,
	"NET_BROADCAST": 11, "NET_ADMIN": 12, "NET_RAW": 13, "IPC_LOCK": 14, "IPC_OWNER": 15,
	"SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_PACCT": 20,
	"SYS_ADMIN": 21, "SYS_BOOT": 22, "SYS_NICE": 23, "SYS_RESOURCE": 24, "SYS_TIME": 25,
	"SYS_TTY_CONFIG": 26, "MKNOD": 27, "LEASE": 28, "AUDIT_WRITE": 29, "AUDIT_CONTROL": 30,
	"SETFCAP": 31, "MAC_OVERRIDE": 32, "MAC_ADMIN": 33, "SYSLOG": 34, "WAKE_ALARM": 35,
	"BLOCK_SUSPEND": 36, "AUDIT_READ": 37, "PERFMON": 38, "BPF": 39, "CHECKPOINT_RESTORE": 40,
}

// becomeUser leaves the capabilities that are not kept for good, then takes the user's ids.
func becomeUser(user spec.User, capabilities []string) error {
	var kept uint64
	for _, name := range capabilities {
		if number, ok := capabilityNumbers[name]; ok {
			kept |= 1 << number
		}
	}
	for number := uintptr(0); number < 64; number++ {
		if kept&(1<<number) == 0 && unix.Prctl(unix.PR_CAPBSET_DROP, number, 0, 0, 0) == unix.EINVAL {
			break // the kernel knows no more
		}
	}
	if !onlyMapped() {
		if err := syscall.Setgroups(user.Groups); err != nil {
			return fmt.Errorf("setting groups %v: %w", user.Groups, err)
		}
		if err := syscall.Setgid(user.GID); err != nil {
			return fmt.Errorf("becoming group %d: %w", user.GID, err)
		}
		if err := syscall.Setuid(user.UID); err != nil {
			return fmt.Errorf("becoming user %d: %w", user.UID, err)
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clearing ambient capabilities: %w", err)
	}
	if user.UID != 0 {
		kept = 0
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var current [2]unix.CapUserData
	if err := unix.Capget(&header, &current[0]); err != nil {
		return fmt.Errorf("reading capabilities: %w", err)
	}
	for half := range current { // only ever fewer than there are
		mask := uint32(kept>>(32*half)) & current[half].Permitted
		current[half] = unix.CapUserData{Effective: mask, Permitted: mask}
	}
	if err := unix.Capset(&header, &current[0]); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}
