package egress

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// datagrams is a packet socket that knows which of the machine's addresses a
// packet was sent to, and answers from it (IP_PKTINFO).
type datagrams struct {
	c   net.PacketConn
	udp *net.UDPConn // nil where c is something else
	oob []byte
}

func newDatagrams(c net.PacketConn) *datagrams {
	d := &datagrams{c: c, oob: make([]byte, 256)}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		return d
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return d
	}
	raw.Control(func(fd uintptr) {
		// An IPv6 socket takes both, for the IPv4 packets it may get.
		e4 := unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		e6 := unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		// An address that is local by a route alone is none to answer from by
		// itself for IPv6. Where that cannot be had, IPv4 still works.
		unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
		if e4 == nil || e6 == nil {
			d.udp = udp
		}
	})
	return d
}

func (d *datagrams) read(buf []byte) (n int, from net.Addr, to netip.AddrPort, err error) {
	if local, ok := d.c.LocalAddr().(*net.UDPAddr); ok {
		to = local.AddrPort()
	}
	if d.udp == nil {
		n, from, err = d.c.ReadFrom(buf)
		return n, from, to, err
	}
	n, m, _, addr, err := d.udp.ReadMsgUDPAddrPort(buf, d.oob)
	if err != nil {
		return 0, nil, to, err
	}
	if a, ok := sentTo(d.oob[:m]); ok {
		to = netip.AddrPortFrom(a, to.Port())
	}
	return n, net.UDPAddrFromAddrPort(addr), to, nil
}

func (d *datagrams) write(b []byte, dst net.Addr, src netip.AddrPort) {
	addr, ok := dst.(*net.UDPAddr)
	if d.udp == nil || !ok || src.Addr().IsUnspecified() {
		d.c.WriteTo(b, dst)
		return
	}
	var oob []byte
	if src.Addr().Is4() && addr.AddrPort().Addr().Is4() {
		oob = unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: src.Addr().As4()})
	} else {
		oob = unix.PktInfo6(&unix.Inet6Pktinfo{Addr: src.Addr().As16()})
	}
	d.udp.WriteMsgUDPAddrPort(b, oob, addr.AddrPort())
}

func sentTo(oob []byte) (netip.Addr, bool) {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}, false
	}
	for _, m := range msgs {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= unix.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(m.Data[8:12])), true
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= unix.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(m.Data[:16])).Unmap(), true
		}
	}
	return netip.Addr{}, false
}
