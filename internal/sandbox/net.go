package sandbox

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// network makes a network namespace. It has a loopback and nothing else, and
// every address there is counts as its own: what the host listens on inside is
// all that can be reached.
func network(ports []Port) (sockets []any, ns *os.File, err error) {
	type result struct {
		sockets []any
		ns      *os.File
	}
	r, err := call(func() (r result, err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return r, fmt.Errorf("make network: %w", err)
		}
		if err := loopback(); err != nil {
			return r, err
		}
		for _, p := range ports {
			s, err := p.open()
			if err != nil {
				closeAll(r.sockets)
				return r, err
			}
			r.sockets = append(r.sockets, s)
		}
		if r.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			closeAll(r.sockets)
			return r, fmt.Errorf("keep network: %w", err)
		}
		return r, nil
	})
	return r.sockets, r.ns, err
}

func (p Port) open() (any, error) {
	var cfg net.ListenConfig
	cfg.SetMultipathTCP(false)
	family := "4"
	if p.Addr.Addr().Is6() {
		family = "6"
	}
	var s any
	var err error
	if p.Network == "udp" {
		s, err = cfg.ListenPacket(context.Background(), "udp"+family, p.Addr.String())
	} else {
		s, err = cfg.Listen(context.Background(), "tcp"+family, p.Addr.String())
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s %s inside: %w", p.Network, p.Addr, err)
	}
	return s, nil
}

func closeAll(sockets []any) {
	for _, s := range sockets {
		switch s := s.(type) {
		case net.Listener:
			s.Close()
		case net.PacketConn:
			s.Close()
		}
	}
}

// loopback raises lo and makes all addresses local to it.
func loopback() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open routing socket: %w", err)
	}
	defer unix.Close(fd)
	const lo = 1
	link := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(link[4:], lo)
	binary.NativeEndian.PutUint32(link[8:], unix.IFF_UP)
	binary.NativeEndian.PutUint32(link[12:], unix.IFF_UP)
	if err := ask(fd, unix.RTM_NEWLINK, 0, link); err != nil {
		return fmt.Errorf("raise lo: %w", err)
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		route := make([]byte, unix.SizeofRtMsg, unix.SizeofRtMsg+8)
		route[0], route[4], route[5], route[6], route[7] = family, unix.RT_TABLE_LOCAL, unix.RTPROT_BOOT, unix.RT_SCOPE_HOST, unix.RTN_LOCAL
		route = binary.NativeEndian.AppendUint16(route, 8)
		route = binary.NativeEndian.AppendUint16(route, unix.RTA_OIF)
		route = binary.NativeEndian.AppendUint32(route, lo)
		err := ask(fd, unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, route)
		if err != nil && family == unix.AF_INET {
			return fmt.Errorf("make every address local: %w", err)
		} // a kernel without IPv6 has nothing to route
	}
	return nil
}

// ask sends one request and returns the kernel's answer to it.
func ask(fd int, kind, flags uint16, body []byte) error {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	b = binary.NativeEndian.AppendUint64(b, 1) // sequence, then no port
	b = append(b, body...)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return unix.EPROTO
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
