package model

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
)

// A target is kept folded: numbers, ids and temporary names become
// placeholders as in package profile, and a file of the code, the layers or
// the runtime is its tree, since nothing can change there. A target is general
// where it stands for siblings:
//
//	/tmp/out/*              any file in a directory
//	/usr/**                 any file of a tree
//	*.example.com:443       any one label, never right below a public suffix
//	10.1.2.0/24:5432        any address of a network
//	s3:GetObject photos/*   any resource with that beginning

// trees hold code: read-only, verified, the same for everybody.
var trees = []string{"/var/task/", "/var/runtime/", "/opt/", "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/node_modules/", "/etc/ssl/", "/etc/alternatives/", "/etc/java", "/etc/mono/"}

// fold makes a Use's target what entries are keyed by.
func fold(kind function.UseKind, target string) string {
	switch kind {
	case function.UseRead, function.UseWrite:
		if kind == function.UseRead && !strings.Contains(target, "..") {
			for _, t := range trees {
				if strings.HasPrefix(target, t) {
					return strings.TrimSuffix(t, "/") + "/**"
				}
			}
		}
		return foldText(target)
	case function.UseAWS:
		action, resource, ok := strings.Cut(target, " ")
		if !ok {
			return clip(action)
		}
		return clip(action) + " " + foldText(resource)
	case function.UseEgress, function.UseDNS:
		return clip(strings.ToLower(target))
	}
	return clip(target)
}

func foldText(s string) string { return profile.Shape("", []string{s}, false)[0] }

// general reports whether a folded target stands for siblings.
func general(kind function.UseKind, target string) bool {
	switch kind {
	case function.UseRead, function.UseWrite, function.UseAWS:
		return strings.HasSuffix(target, "/*") || strings.HasSuffix(target, "/**")
	case function.UseEgress, function.UseDNS:
		return strings.HasPrefix(target, "*.") || strings.Contains(target, "/")
	}
	return false
}

// within reports whether a general target stands for another.
func within(kind function.UseKind, wide, target string) bool {
	if wide == target {
		return true
	}
	switch kind {
	case function.UseEgress:
		host, port := splitPort(target)
		w, p := splitPort(wide)
		return port == p && hostWithin(w, host)
	case function.UseDNS:
		return hostWithin(wide, target)
	}
	if base, ok := strings.CutSuffix(wide, "**"); ok {
		return strings.HasPrefix(target, base)
	}
	base, ok := strings.CutSuffix(wide, "*")
	rest, under := strings.CutPrefix(target, base)
	return ok && under && rest != "" && (kind == function.UseAWS || !strings.Contains(rest, "/"))
}

func hostWithin(wide, host string) bool {
	if parent, ok := strings.CutPrefix(wide, "*."); ok {
		label, above, _ := strings.Cut(host, ".")
		return above == parent && label != "*"
	}
	net, err := netip.ParsePrefix(wide)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && net.Contains(addr.Unmap())
}

func splitPort(target string) (host, port string) {
	i := strings.LastIndexByte(target, ':')
	if i < 0 {
		return target, ""
	}
	return target[:i], target[i+1:]
}

// How many siblings it takes before learning admits any of them.
const (
	variedFiles     = 8
	variedHosts     = 4
	variedResources = 6
)

// wider returns the general target that siblings of target would share and how
// many it takes; none for what must stay apart.
func wider(kind function.UseKind, target string) (wide string, siblings int) {
	switch kind {
	case function.UseRead, function.UseWrite:
		i := strings.LastIndexByte(target, '/')
		if i <= 0 || private(target) || kind == function.UseWrite && !temporary(target) {
			return "", 0
		}
		return target[:i] + "/*", variedFiles
	case function.UseEgress:
		host, port := splitPort(target)
		if w := widerHost(host); w != "" {
			return w + ":" + port, variedHosts
		}
	case function.UseDNS:
		if w := widerHost(target); w != "" {
			return w, variedHosts
		}
	case function.UseAWS:
		action, resource, _ := strings.Cut(target, " ")
		i := strings.LastIndexByte(resource, '/')
		// The first part of a resource is its kind (table/orders) or, of S3, the
		// bucket: below a kind every name is a thing of its own.
		if i > 0 && (strings.HasPrefix(action, "s3:") || strings.Contains(resource[:i], "/")) {
			return action + " " + resource[:i] + "/*", variedResources
		}
	}
	return "", 0
}

func widerHost(host string) string {
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		bits := 24
		if addr = addr.Unmap(); addr.Is6() {
			bits = 48
		}
		if addr.IsLinkLocalUnicast() {
			return ""
		}
		return netip.PrefixFrom(addr, bits).Masked().String()
	}
	_, parent, ok := strings.Cut(host, ".")
	if !ok || strings.HasPrefix(host, "*") {
		return ""
	}
	// Strangers share what lies right below a public suffix: co.uk,
	// github.io, s3.amazonaws.com.
	if suffix, _ := publicsuffix.PublicSuffix(parent); suffix == parent || sharedByStrangers(parent) {
		return ""
	}
	return "*." + parent
}

// sharedByStrangers are names below which anyone may take one, and which the
// public suffix list does not hold.
func sharedByStrangers(parent string) bool {
	return strings.HasSuffix("."+parent, ".amazonaws.com") || strings.HasSuffix("."+parent, ".googleapis.com") || strings.HasSuffix("."+parent, ".windows.net")
}

func temporary(path string) bool {
	return strings.HasPrefix(path, "/tmp/") || strings.HasPrefix(path, "/var/tmp/") || strings.HasPrefix(path, "/dev/shm/")
}

// private paths hold secrets or tell of other processes: each stands alone.
func private(path string) bool {
	for _, p := range []string{"/etc/", "/root/", "/home/", "/proc/", "/sys/", "/run/", "/var/run/"} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return strings.Contains(path, "/.")
}
