package access

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"redoubt.dev/redoubt/internal/fault"
)

// Principal is who asks.
type Principal struct {
	ID     string   `json:"id"` // user/alice, role/web, function/orders, key/K1, service/bucket/photos, anonymous
	Groups []string `json:"groups,omitempty"`
	Tenant string   `json:"tenant,omitempty"`
}

// Context is how a call comes. What is not known stays zero.
type Context struct {
	IP     netip.Addr `json:"ip,omitzero"`
	Time   time.Time  `json:"time,omitzero"`
	MTLS   bool       `json:"mtls,omitempty"`
	TLS    bool       `json:"tls,omitempty"`
	Route  string     `json:"route,omitempty"` // "GET /orders/{id}"
	Stage  string     `json:"stage,omitempty"`
	Tenant string     `json:"tenant,omitempty"`
	Method string     `json:"method,omitempty"`
	Source string     `json:"source,omitempty"`
	Bytes  int64      `json:"bytes,omitempty"`
}

// Request is one question. Resource is function/NAME, function/NAME:VERSION or
// :ALIAS, bucket/NAME, bucket/NAME/OBJECT, queue/, topic/, secret/, route/ or
// role/NAME, or system.
type Request struct {
	Principal Principal `json:"principal"`
	Action    string    `json:"action"`
	Resource  string    `json:"resource"`
	Context   Context   `json:"context"`
}

const mostName = 2048 // bytes of a principal or resource

func principalUID(id string) (types.EntityUID, error) {
	if id == "anonymous" {
		return types.NewEntityUID("Anonymous", "anonymous"), nil
	}
	kind, name := splitPath(id)
	switch kind {
	case "user", "role", "key", "service", "function":
		if name != "" && len(id) <= mostName {
			return types.NewEntityUID(kinds[kind], types.String(name)), nil
		}
	}
	return types.EntityUID{}, fault.New(fault.Invalid, "principal %.160q: write user/NAME, role/NAME, function/NAME, key/ID, service/NAME or anonymous", id)
}

// resourceUID returns the entity and the one around it, if any.
func resourceUID(path string) (uid, parent types.EntityUID, err error) {
	kind, name := splitPath(path)
	t, known := kinds[kind]
	switch {
	case path == "system":
		return types.NewEntityUID("System", "system"), parent, nil
	case !known || name == "" || kind == "system" || kind == "user" || kind == "key" || kind == "service" || len(path) > mostName:
		return uid, parent, fault.New(fault.Invalid, "resource %.160q: write function/NAME[:VERSION], bucket/NAME[/OBJECT], queue/NAME, topic/NAME, secret/NAME, route/NAME, role/NAME or system", path)
	}
	uid = types.NewEntityUID(t, types.String(name))
	switch around, _, inner := strings.Cut(name, separator(kind)); {
	case kind == "function" && inner:
		return types.NewEntityUID("FunctionVersion", uid.ID), types.NewEntityUID("Function", types.String(around)), nil
	case kind == "bucket" && inner:
		return types.NewEntityUID("Object", uid.ID), types.NewEntityUID("Bucket", types.String(around)), nil
	}
	return uid, parent, nil
}

func separator(kind string) string {
	if kind == "function" {
		return ":"
	}
	return "/"
}

// pathOf is the way back.
func pathOf(uid types.EntityUID) string {
	switch uid.Type {
	case "Anonymous":
		return "anonymous"
	case "System":
		return "system"
	case "FunctionVersion":
		return "function/" + string(uid.ID)
	case "Object":
		return "bucket/" + string(uid.ID)
	}
	return strings.ToLower(string(uid.Type)) + "/" + string(uid.ID)
}

// facts are the entities of one request.
type facts struct {
	request           types.Request
	principal, parent types.Entity
	resource          types.Entity
	groups            []types.EntityUID
	l                 *language
	asked             *Request
	globs             []string // patterns somebody may ask about
}

// Get finds an entity; groups and what is around a resource have nothing to say.
func (f *facts) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case f.request.Principal: // also where a function calls itself
		return f.principal, true
	case f.request.Resource:
		return f.resource, true
	case f.parent.UID:
		return f.parent, true
	}
	if uid.Type == "Action" {
		a, ok := f.l.Actions[uid]
		return a.Entity, ok
	}
	return types.Entity{}, false
}

func (l *language) facts(r *Request, globs []string) (*facts, error) {
	p, err := principalUID(r.Principal.ID)
	if err != nil {
		return nil, err
	}
	res, parent, err := resourceUID(r.Resource)
	if err != nil {
		return nil, err
	}
	if _, ok := l.bits[actionUID(r.Action)]; !ok || strings.HasSuffix(r.Action, ":*") {
		return nil, fault.New(fault.Invalid, "there is no action %.60q: %s", r.Action, didYouMean(r.Action, l.actions))
	}
	if !l.applies(r.Action, res.Type) {
		return nil, fault.New(fault.Invalid, "action %s is not for %s", r.Action, r.Resource)
	}
	f := &facts{l: l, asked: r, globs: globs, request: types.Request{Principal: p, Action: actionUID(r.Action), Resource: res}}
	for _, g := range r.Principal.Groups {
		if uid := types.NewEntityUID("Group", types.String(g)); !slices.Contains(f.groups, uid) {
			f.groups = append(f.groups, uid)
		}
	}
	f.principal = types.Entity{UID: p, Parents: types.NewEntityUIDSet(f.groups...)}
	f.resource = types.Entity{UID: res}
	if parent.Type != "" {
		f.parent = types.Entity{UID: parent}
		f.resource.Parents = types.NewEntityUIDSet(parent)
	}
	return f, nil
}

// tell fills in what the statements' conditions look at. Most have none, and
// it is the costly part of a request.
func (f *facts) tell(statements few) {
	context, names := false, false
	for _, s := range statements {
		context, names = context || s.context, names || s.names
	}
	if context {
		f.request.Context = f.asked.Context.record()
	}
	if !names {
		return
	}
	f.principal.Attributes = attributes(f.principal.UID, f.asked.Principal.ID, f.asked.Principal.Tenant, f.globs)
	f.resource.Attributes = attributes(f.resource.UID, f.asked.Resource, "", f.globs)
	if f.parent.UID.Type != "" {
		f.parent.Attributes = attributes(f.parent.UID, pathOf(f.parent.UID), "", f.globs)
	}
}

func attributes(uid types.EntityUID, path, tenant string, globs []string) types.Record {
	var fit []types.Value
	for _, g := range globs {
		if globFits(g, path) {
			fit = append(fit, types.String(g))
		}
	}
	return types.NewRecord(types.RecordMap{"name": uid.ID, "path": types.String(path), "tenant": types.String(tenant), "globs": types.NewSet(fit...)})
}

func (c *Context) record() types.Record {
	ip := c.IP.Unmap()
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	ip = ip.WithZone("")
	return types.NewRecord(types.RecordMap{
		"ip": types.IPAddr(netip.PrefixFrom(ip, ip.BitLen())), "time": types.NewDatetime(c.Time),
		"mtls": types.Boolean(c.MTLS), "tls": types.Boolean(c.TLS),
		"route": types.String(c.Route), "stage": types.String(c.Stage), "tenant": types.String(c.Tenant),
		"method": types.String(c.Method), "source": types.String(c.Source), "bytes": types.Long(c.Bytes),
	})
}

// globFits matches * for any text and ? for one character.
func globFits(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	star, back := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, back = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			back++
			i, j = star+1, back
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
