package bucket

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

type listedObject struct {
	Key          string
	LastModified time.Time
	ETag         string
	Size         int64
	StorageClass string
}

type listedPrefix struct{ Prefix string }

// listObjects is ListObjectsV2, and ListObjects where a client asks for that.
func (s *Store) listObjects(w http.ResponseWriter, q url.Values, name string) error {
	max := 1000
	if text := q.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fault.New(fault.Invalid, "max-keys is a number")
		}
		max = min(n, max)
	}
	second := q.Get("list-type") == "2"
	after := q.Get("marker")
	if second {
		after = q.Get("start-after")
		if token := q.Get("continuation-token"); token != "" {
			raw, err := base64.RawURLEncoding.DecodeString(token)
			if err != nil || len(raw) > MaxKey {
				return fault.New(fault.Invalid, "nobody made this continuation-token")
			}
			after = string(raw)
		}
	}
	page, err := s.List(name, q.Get("prefix"), q.Get("delimiter"), after, max)
	if err != nil {
		return err
	}
	escape := func(s string) string { return s }
	if q.Get("encoding-type") == "url" {
		escape = url.QueryEscape
	}
	out := struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Name                  string
		Prefix                string
		Delimiter             string `xml:",omitempty"`
		EncodingType          string `xml:",omitempty"`
		MaxKeys               int
		KeyCount              int
		IsTruncated           bool
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		NextMarker            string `xml:",omitempty"`
		StartAfter            string `xml:",omitempty"`
		Contents              []listedObject
		CommonPrefixes        []listedPrefix
	}{Name: name, Prefix: escape(q.Get("prefix")), Delimiter: escape(q.Get("delimiter")), EncodingType: q.Get("encoding-type"), MaxKeys: max,
		ContinuationToken: q.Get("continuation-token"), StartAfter: escape(q.Get("start-after")), IsTruncated: page.Next != ""}
	for _, o := range page.Objects {
		out.Contents = append(out.Contents, listedObject{escape(o.Key), o.Modified, `"` + o.ETag + `"`, o.Size, "STANDARD"})
	}
	for _, p := range page.Prefixes {
		out.CommonPrefixes = append(out.CommonPrefixes, listedPrefix{escape(p)})
	}
	out.KeyCount = len(out.Contents) + len(out.CommonPrefixes)
	switch {
	case page.Next == "":
	case second:
		out.NextContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(page.Next))
	default:
		out.NextMarker = escape(page.Next)
	}
	return reply(w, &out)
}

func (s *Store) deleteMany(w http.ResponseWriter, r *http.Request, v Visit, name string) error {
	var in struct {
		Quiet   bool
		Objects []struct{ Key string } `xml:"Object"`
	}
	if err := readXML(r, &in); err != nil {
		return err
	}
	if len(in.Objects) > 1000 {
		return fault.New(fault.Invalid, "at most 1000 objects are deleted at once")
	}
	type gone struct{ Key string }
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
		Deleted []gone
	}{}
	for _, o := range in.Objects {
		if err := v.May(Delete, name, o.Key); err != nil {
			return err
		}
		if err := s.remove(v, name, o.Key, "ObjectRemoved:Delete"); err != nil {
			return err
		}
		if !in.Quiet {
			out.Deleted = append(out.Deleted, gone{o.Key})
		}
	}
	return reply(w, &out)
}
