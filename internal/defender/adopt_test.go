package defender

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestR2_ListenersOfARunningProcessAreFound(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	out, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()

	own := map[uint64]bool{}
	for _, inode := range socketsOf(os.Getpid()) {
		own[inode] = true
	}
	want := map[netip.AddrPort]redoubt.Proto{
		netip.MustParseAddrPort(tcp.Addr().String()):      redoubt.TCP,
		netip.MustParseAddrPort(udp.LocalAddr().String()): redoubt.UDP,
	}
	client := netip.MustParseAddrPort(out.LocalAddr().String())
	for _, l := range listeners(os.Getpid()) {
		if l.local == client {
			t.Errorf("a connection's own end counts as listening: %v", l)
		}
		if proto, ok := want[l.local]; ok && proto == l.proto && own[l.inode] {
			delete(want, l.local)
		}
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

func TestParseListener(t *testing.T) {
	const v4 = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0"
	const v6 = "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 7 1"
	for line, want := range map[string]listener{
		v4: {local: netip.MustParseAddrPort("127.0.0.1:8080"), inode: 4242},
		v6: {local: netip.MustParseAddrPort("[::1]:80"), inode: 7},
	} {
		if got, ok := parseListener(line, "0A"); !ok || got != want {
			t.Errorf("%q: %+v %v, want %+v", line, got, ok, want)
		}
		if _, ok := parseListener(line, "07"); ok {
			t.Errorf("%q counts in another state", line)
		}
	}
}

func FuzzParseListener(f *testing.F) {
	f.Add("   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0 100 0 0 10 0")
	f.Add("0: :: 0 0A 0 0 0 0 0 0")
	f.Fuzz(func(t *testing.T, line string) {
		if l, ok := parseListener(line, "0A"); ok && !l.local.IsValid() {
			t.Errorf("%q gives %+v", line, l)
		}
	})
}
