package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

const (
	maxMessage   = 256 << 10
	messageLife  = 4 * 24 * time.Hour
	messageLease = 30 * time.Second
	maxLease     = 12 * time.Hour
	maxBatch     = 10
)

var queueForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`)

// received is a message as receivers get it. Receipt names this handing-out.
type received struct {
	ID       string    `json:"id"`
	Body     string    `json:"body"`
	Sent     time.Time `json:"sent"`
	Attempts int       `json:"attempts"`
	Sender   string    `json:"sender,omitempty"`
}

// serveQueue is a small API of queues:
//
//	POST   /queues/NAME/messages           the body is the message; 202 {"id": …}
//	GET    /queues/NAME/messages?max=&lease=  hands out messages for lease seconds
//	DELETE /queues/NAME/messages/ID        the message is done
//	GET    /queues/NAME                    how many wait
func (g *Gateway) serveQueue(a *answer, r *http.Request) {
	if err := g.queue(a, r); err != nil {
		no := refused(err)
		if no.status >= 500 {
			g.log.Warn("queue failed", "id", a.id, "error", err)
		}
		a.fail(no)
	}
}

func (g *Gateway) queue(a *answer, r *http.Request) error {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 2 || len(parts) > 4 || len(parts) > 2 && parts[2] != "messages" || !queueForm.MatchString(parts[1]) {
		return fault.New(fault.NotFound, "no operation of queues has this path")
	}
	name := parts[1]
	g.bound(a, r, maxMessage)
	who, err := g.authenticate(a, r, "iam")
	if err != nil {
		return err
	}
	may := func(action string) error {
		if from := insider(r.Context()); from != nil {
			return g.insiderMay(who, from, useOf(function.UseQueue, name), action, "queue/"+name)
		}
		return g.permit(who, action, "queue/"+name, asked(r), false)
	}
	switch {
	case r.Method == http.MethodPost && len(parts) == 3:
		if err := may("queue:Send"); err != nil {
			return err
		}
		return g.send(a, r, name, who.Principal)
	case insider(r.Context()) != nil:
		return fault.New(fault.Denied, "a role lets code send to queues; what is to receive has a trigger")
	case r.Method == http.MethodGet && len(parts) == 3:
		if err := may("queue:Receive"); err != nil {
			return err
		}
		return g.receive(a, r, name)
	case r.Method == http.MethodDelete && len(parts) == 4:
		if err := may("queue:Receive"); err != nil {
			return err
		}
		there, err := g.cfg.Queues.Delete(r.Context(), name, parts[3])
		if err == nil && !there {
			err = fault.New(fault.NotFound, "no such message")
		}
		if err == nil {
			a.WriteHeader(http.StatusNoContent)
		}
		return err
	case r.Method == http.MethodGet && len(parts) == 2:
		if err := may("queue:Receive"); err != nil {
			return err
		}
		return g.queueState(a, r, name)
	}
	return refuse("", http.StatusMethodNotAllowed, "MethodNotAllowedException", "queues do not know %s here", clip(r.Method, 32))
}

func (g *Gateway) send(a *answer, r *http.Request, name, who string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return fault.New(fault.Invalid, "a message is UTF-8; encode other bytes as base64")
	}
	now := g.cfg.Clock()
	m := &function.Message{ID: a.id, Queue: name, Body: body, Sent: now, Due: now, Expires: now.Add(messageLife), Attributes: map[string]string{"sender": who}}
	if from := insider(r.Context()); from != nil {
		if c := g.running(from); c != nil {
			m.Attributes["parent"], m.Attributes["trace"], m.Attributes["tenant"] = c.rec.ID, c.trace.root, c.rec.Tenant
			m.Attributes["depth"] = strconv.Itoa(c.trace.depth + 1)
		}
	}
	if delay := r.URL.Query().Get("delay"); delay != "" {
		n, err := strconv.Atoi(delay)
		if err != nil || n < 0 || n > 900 {
			return fault.New(fault.Invalid, "delay is 0 to 900 seconds")
		}
		m.Due = now.Add(time.Duration(n) * time.Second)
	}
	if err := g.cfg.Queues.Send(r.Context(), m); err != nil {
		return err
	}
	g.heard.ring()
	return a.json(http.StatusAccepted, map[string]string{"id": m.ID})
}

func (g *Gateway) receive(a *answer, r *http.Request, name string) error {
	number := func(key string, def, most int) (int, error) {
		text := r.URL.Query().Get(key)
		if text == "" {
			return def, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > most {
			return 0, fault.New(fault.Invalid, "%s is 1 to %d", key, most)
		}
		return n, nil
	}
	most, err := number("max", 1, maxBatch)
	if err != nil {
		return err
	}
	lease, err := number("lease", int(messageLease.Seconds()), int(maxLease.Seconds()))
	if err != nil {
		return err
	}
	all, err := g.cfg.Queues.Receive(r.Context(), name, most, g.cfg.Clock(), time.Duration(lease)*time.Second)
	if err != nil {
		return err
	}
	out := make([]received, 0, len(all))
	for _, m := range all {
		out = append(out, received{m.ID, string(m.Body), m.Sent, m.Attempts, m.Attributes["sender"]})
	}
	return a.json(http.StatusOK, map[string]any{"messages": out})
}

func (g *Gateway) queueState(a *answer, r *http.Request, name string) error {
	states, err := g.cfg.Queues.States(r.Context(), name)
	if err != nil {
		return err
	}
	for _, s := range states {
		if s.Name == name {
			return a.json(http.StatusOK, s)
		}
	}
	return a.json(http.StatusOK, function.QueueState{Name: name})
}

func (a *answer) json(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	a.write(status, "application/json", append(body, '\n'))
	return nil
}
