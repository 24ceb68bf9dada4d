package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/lambda/event"
)

const (
	maxTopic   = 256
	maxReading = 128 << 10 // bytes of a message, as AWS IoT has it
)

// ServeMQTT is a broker for sensors on l until ctx ends. Clients name their
// principal as user name and prove it by password, key or token; every topic
// is authorized; messages on topics that functions wait for call them.
func (g *Gateway) ServeMQTT(ctx context.Context, l net.Listener) error {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumClients = 10000
	caps.MaximumPacketSize = maxReading + 4096
	caps.MaximumClientWritesPending = 1024
	caps.MaximumInflight = 1024
	caps.MaximumSessionExpiryInterval = 24 * 3600
	caps.MaximumMessageExpiryInterval = 24 * 3600
	server := mqtt.New(&mqtt.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler)})
	hook := &broker{g: g, ctx: ctx}
	if err := server.AddHook(hook, nil); err != nil {
		return err
	}
	if err := server.AddListener(listeners.NewNet("mqtt", l)); err != nil {
		return err
	}
	if err := server.Serve(); err != nil {
		return err
	}
	<-ctx.Done()
	if err := server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// broker decides about clients and topics, and hears messages.
type broker struct {
	mqtt.HookBase
	g       *Gateway
	ctx     context.Context
	callers sync.Map // *mqtt.Client → client
}

// client is who a connection is, and what it calls itself.
type client struct {
	who  iam.Caller
	name string
}

// ID implements mqtt.Hook.
func (b *broker) ID() string { return "redoubt" }

// Provides implements mqtt.Hook.
func (b *broker) Provides(event byte) bool {
	return bytes.IndexByte([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnDisconnect, mqtt.OnWill}, event) >= 0
}

// OnConnectAuthenticate implements mqtt.Hook.
func (b *broker) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	who, err := b.g.login(b.ctx, string(pk.Connect.Username), string(pk.Connect.Password), cl.Net.Remote)
	b.g.cfg.AccessLog.Info("mqtt connect", "from", cl.Net.Remote, "caller", who.Principal, "allowed", err == nil)
	if err != nil {
		return false
	}
	b.callers.Store(cl, client{who, cl.ID})
	// A session belongs to who made it: by its name alone another could take it
	// over, with what waits in it.
	cl.ID = who.Principal + "\x00" + cl.ID
	return true
}

// OnDisconnect implements mqtt.Hook.
func (b *broker) OnDisconnect(cl *mqtt.Client, _ error, _ bool) { b.callers.Delete(cl) }

// client is who a connection is, as long as who it is may still be here.
func (b *broker) client(cl *mqtt.Client) (client, bool) {
	c, ok := b.callers.Load(cl)
	if !ok || b.g.cfg.IAM.Still(c.(client).who) != nil {
		return client{}, false
	}
	return c.(client), true
}

// OnACLCheck implements mqtt.Hook. A filter is authorized as it is written, so
// a policy that is to allow it has to cover its wildcards.
func (b *broker) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	c, ok := b.client(cl)
	if !ok || len(topic) > maxTopic || strings.HasPrefix(topic, "$") {
		return false
	}
	action := "topic:Subscribe"
	if write {
		action = "topic:Publish"
	}
	asked := access.Context{Source: "mqtt"}
	asked.IP, _ = netip.ParseAddr(address(cl.Net.Remote))
	return b.g.permit(c.who, action, "topic/"+topic, asked, false) == nil
}

// OnWill implements mqtt.Hook: a last will is a message like any other, and is
// authorized when it is told.
func (b *broker) OnWill(cl *mqtt.Client, will mqtt.Will) (mqtt.Will, error) {
	if !b.OnACLCheck(cl, will.TopicName, true) {
		return will, packets.ErrNotAuthorized
	}
	return will, nil
}

// OnPublish implements mqtt.Hook: it calls the functions that wait for the
// topic. What could not be accepted is refused, so that a client that wants to
// be sure sends it again.
func (b *broker) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	from, ok := b.client(cl)
	if !ok {
		return pk, packets.ErrNotAuthorized
	}
	for _, w := range b.g.wired.Load().topics {
		if !topicMatches(w.trigger.Topic, pk.TopicName) {
			continue
		}
		c := b.g.event("mqtt", "service/mqtt/"+w.function, w.function, w.name)
		c.rec.From, c.who.Tenant = cl.Net.Remote, from.who.Tenant
		c.payload = event.MQTT(pk.TopicName, from.name, c.rec.Time, pk.Payload)
		if err := b.g.accept(b.ctx, c); err != nil {
			b.g.log.Warn("mqtt message refused", "topic", pk.TopicName, "function", w.function, "error", err)
			if refused(err).status >= 500 {
				return pk, packets.ErrServerUnavailable
			}
		}
	}
	return pk, nil
}

// topicMatches compares a topic with a filter that may hold + and #.
func topicMatches(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	if strings.HasPrefix(topic, "$") && (f[0] == "+" || f[0] == "#") {
		return false
	}
	for i, level := range f {
		switch {
		case level == "#":
			return i == len(f)-1
		case i >= len(t):
			return false
		case level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t)
}
