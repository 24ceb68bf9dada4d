package guard

import (
	"net/netip"
	"testing"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestR2_WhatAVisitorConnectsToIsNotLearned(t *testing.T) {
	event := func(kind redoubt.EventKind, p *redoubt.Process) *redoubt.Event {
		return &redoubt.Event{Kind: kind, Process: p, Workload: redoubt.WorkloadRef{ID: "docker/web", Kind: redoubt.KindContainer},
			Network: &redoubt.Connection{Proto: redoubt.TCP, Local: netip.MustParseAddrPort("0.0.0.0:4444"), Remote: netip.MustParseAddrPort("203.0.113.9:443")}}
	}
	shell := &redoubt.Process{Path: "/bin/sh", Entered: true}
	curl := &redoubt.Process{Path: "/usr/bin/curl", Parent: shell}
	server := &redoubt.Process{Path: "/usr/sbin/nginx"}
	for _, c := range []struct {
		name   string
		ev     *redoubt.Event
		learns bool
		alarms bool
	}{
		{"server connects", event(redoubt.EventConnect, server), true, false},
		{"visitor connects", event(redoubt.EventConnect, curl), false, false},
		{"server listens", event(redoubt.EventListen, server), true, false},
		{"visitor listens", event(redoubt.EventListen, curl), false, true},
	} {
		v := Decide(c.ev, nil, profile.Learning, nil, Context{})
		if Learns(v) != c.learns || Alarms(v) != c.alarms {
			t.Errorf("%s: learns %v, alarms %v: %+v", c.name, Learns(v), Alarms(v), v)
		}
	}
}
