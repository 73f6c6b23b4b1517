package supervisor

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// ports of one cluster.
type ports struct{ etcd, etcdPeer, apiserver, kubelet int }

// Below the range that the kernel gives to outgoing connections (32768 and up), so that none of
// them takes a port between our look and the listener's start.
const firstPort, lastPort = 20000, 32000

// freePorts finds ports that nobody listens on.
func freePorts() (ports, error) {
	var found []int
	var held []net.Listener
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for tries := 0; len(found) < 4; tries++ {
		if tries == 1000 {
			return ports{}, fmt.Errorf("no free port between %d and %d", firstPort, lastPort)
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			found, held = append(found, port), append(held, l)
		}
	}
	return ports{found[0], found[1], found[2], found[3]}, nil
}
