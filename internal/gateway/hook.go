package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/gateway/bucket"
)

// serveHook takes S3 event notifications of buckets elsewhere, POST
// /events/s3/BUCKET, and calls the functions that wait for changes there. Who
// sends them has to be allowed bucket:Put there.
func (g *Gateway) serveHook(a *answer, r *http.Request) {
	err := g.hook(a, r)
	if err == nil {
		a.WriteHeader(http.StatusAccepted)
		return
	}
	no := refused(err)
	if no.status >= 500 {
		g.log.Warn("notification failed", "id", a.id, "error", err)
	}
	a.fail(no)
}

// notification is S3's, as far as it is needed.
type notification struct {
	Records []struct {
		Event string    `json:"eventName"`
		Time  time.Time `json:"eventTime"`
		S3    struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object struct {
				Key  string `json:"key"`
				Size int64  `json:"size"`
				ETag string `json:"eTag"`
			} `json:"object"`
		} `json:"s3"`
	}
}

const maxRecords = 1000 // of one notification

func (g *Gateway) hook(a *answer, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, "/events/s3/")
	g.bound(a, r, maxAsyncBody)
	who, err := g.authenticate(a, r, "iam")
	if err != nil {
		return err
	}
	if r.Method != http.MethodPost || insider(r.Context()) != nil {
		return refuse("", http.StatusMethodNotAllowed, "MethodNotAllowedException", "notifications are posted, from outside")
	}
	if err := g.permit(who, "bucket:Put", "bucket/"+name, asked(r), false); err != nil {
		return err
	}
	if g.buckets.Has(name) {
		return fault.New(fault.Conflict, "bucket %s is kept here: it tells of its changes itself", clip(name, 64))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var n notification
	if json.Unmarshal(body, &n) != nil || len(n.Records) > maxRecords {
		return fault.New(fault.Invalid, "the body is no S3 notification of at most %d records", maxRecords)
	}
	for _, rec := range n.Records {
		if rec.S3.Bucket.Name != name {
			return fault.New(fault.Invalid, "the notification is of bucket %q, not of %q", clip(rec.S3.Bucket.Name, 64), clip(name, 64))
		}
	}
	for _, rec := range n.Records {
		ch := bucket.Change{Bucket: name, Event: strings.TrimPrefix(rec.Event, "s3:")}
		ch.Removed = strings.HasPrefix(ch.Event, "ObjectRemoved")
		ch.Object = bucket.Object{Key: unquery(rec.S3.Object.Key), Size: rec.S3.Object.Size, ETag: rec.S3.Object.ETag, Modified: rec.Time}
		g.objectChanged(r.Context(), ch, who.Principal, r.RemoteAddr, nil)
	}
	return nil
}

// unquery undoes how notifications write keys.
func unquery(key string) string {
	plain, err := url.QueryUnescape(key)
	if err != nil {
		return key
	}
	return plain
}
