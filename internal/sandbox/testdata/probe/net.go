package main

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 5 * time.Second

func dial(network, addr string) string {
	d := net.Dialer{Timeout: patience}
	d.SetMultipathTCP(false)
	c, err := d.Dial(network, addr)
	if err != nil {
		return say(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 64)
	n, err := c.Read(b)
	if err != nil {
		return say(err)
	}
	return string(b[:n])
}

// ask sends a datagram and returns the answer.
func ask(network, addr string) string {
	c, err := net.Dial(network, addr)
	if err != nil {
		return say(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("q")); err != nil {
		return say(err)
	}
	b := make([]byte, 64)
	n, err := c.Read(b)
	if err != nil {
		return say(err)
	}
	return string(b[:n])
}

// mptcp connects as Multipath TCP, past rules that only know TCP.
func mptcp(addr string) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP)
	if err != nil {
		return say(err)
	}
	defer unix.Close(fd)
	at := netip.MustParseAddrPort(addr)
	return say(unix.Connect(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}))
}
