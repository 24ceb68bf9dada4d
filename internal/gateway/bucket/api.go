package bucket

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Visit is one request with who makes it and what its server thinks of that.
type Visit struct {
	ID      string
	Who     string
	Path    string                                  // /BUCKET/KEY, escaped
	May     func(act Act, bucket, key string) error // asked before anything is told or done; key is empty for a whole bucket
	Code    func(error) string                      // S3's name of an error that came from reading or asking; nil knows none
	Changed func(Change)                            // told of every change that was made
}

// Act is what a request wants to do.
type Act string

// The acts.
const (
	Get    Act = "Get"
	Put    Act = "Put"
	Delete Act = "Delete"
	List   Act = "List"
)

func actOf(method, key string) Act {
	switch {
	case method == http.MethodDelete:
		return Delete
	case method != http.MethodGet && method != http.MethodHead:
		return Put
	case key == "":
		return List
	}
	return Get
}

// Change is an object that came or went.
type Change struct {
	Bucket  string
	Object  Object
	Removed bool
	Event   string // S3's name: ObjectCreated:Put
}

// Serve answers one request of the S3 API.
func (s *Store) Serve(w http.ResponseWriter, r *http.Request, v Visit) {
	w.Header().Set("X-Amz-Request-Id", v.ID)
	if err := s.serve(w, r, v); err != nil {
		fail(w, r, v, err)
	}
}

func (s *Store) serve(w http.ResponseWriter, r *http.Request, v Visit) error {
	name, rest, _ := strings.Cut(strings.TrimPrefix(v.Path, "/"), "/")
	key, err := url.PathUnescape(rest)
	if err != nil {
		return fault.New(fault.Invalid, "the key is not escaped well")
	}
	write := r.Method != http.MethodGet && r.Method != http.MethodHead
	if err := v.May(actOf(r.Method, key), name, key); err != nil {
		return err
	}
	switch {
	case name == "":
		if write {
			return errMethod
		}
		return s.list(w)
	case key == "":
		return s.serveBucket(w, r, v, name)
	}
	return s.serveObject(w, r, v, name, key)
}

var errMethod = fault.New(fault.Unsupported, "this is no operation of the buckets here")

func (s *Store) list(w http.ResponseWriter) error {
	type bucket struct {
		Name         string
		CreationDate time.Time
	}
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   struct{ ID string }
		Buckets []bucket `xml:"Buckets>Bucket"`
	}{}
	out.Owner.ID = "redoubt"
	for _, b := range s.Buckets() {
		out.Buckets = append(out.Buckets, bucket{b.Name, b.Created.UTC()})
	}
	return reply(w, &out)
}

func (s *Store) serveBucket(w http.ResponseWriter, r *http.Request, v Visit, name string) error {
	q := r.URL.Query()
	if r.Method != http.MethodPut {
		if _, err := s.find(name); err != nil {
			return err
		}
	}
	switch r.Method {
	case http.MethodPut:
		if err := s.Create(name); err != nil {
			return err
		}
		w.Header().Set("Location", "/"+name)
		w.WriteHeader(http.StatusOK)
		return nil
	case http.MethodHead:
		w.WriteHeader(http.StatusOK)
		return nil
	case http.MethodDelete:
		if err := s.Drop(name); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPost:
		if q.Has("delete") {
			return s.deleteMany(w, r, v, name)
		}
	case http.MethodGet:
		if q.Has("location") {
			return reply(w, &struct {
				XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
			}{})
		}
		for _, other := range []string{"acl", "policy", "versioning", "versions", "uploads", "tagging", "lifecycle", "cors", "website", "notification", "encryption"} {
			if q.Has(other) {
				return fault.New(fault.Unsupported, "%s of buckets is not kept here", other)
			}
		}
		return s.listObjects(w, q, name)
	}
	return errMethod
}

func (s *Store) remove(v Visit, name, key, event string) error {
	o, was, err := s.Delete(name, key)
	if err == nil && was {
		v.Changed(Change{Bucket: name, Object: *o, Removed: true, Event: event})
	}
	return err
}

func (s *Store) serveObject(w http.ResponseWriter, r *http.Request, v Visit, name, key string) error {
	q := r.URL.Query()
	id := q.Get("uploadId")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return s.get(w, r, name, key)
	case http.MethodPut:
		switch {
		case id != "":
			return s.putPart(w, r, name, key, id)
		case r.Header.Get("X-Amz-Copy-Source") != "":
			return s.copy(w, r, v, name, key)
		}
		return s.put(w, r, v, name, key)
	case http.MethodDelete:
		err := error(nil)
		if id != "" {
			err = s.Abort(name, key, id)
		} else {
			err = s.remove(v, name, key, "ObjectRemoved:Delete")
		}
		if err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPost:
		switch {
		case q.Has("uploads"):
			return s.beginParts(w, r, v, name, key)
		case id != "":
			return s.completeParts(w, r, v, name, key, id)
		}
	}
	return errMethod
}

func (s *Store) get(w http.ResponseWriter, r *http.Request, name, key string) error {
	o, f, err := s.Get(name, key)
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("ETag", `"`+o.ETag+`"`)
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Content-Type-Options", "nosniff")
	kind := o.Type
	if kind == "" {
		kind = "binary/octet-stream"
	}
	h.Set("Content-Type", kind)
	if o.Encoding != "" {
		h.Set("Content-Encoding", o.Encoding)
	}
	for name, value := range o.Meta {
		h.Set("X-Amz-Meta-"+name, value)
	}
	http.ServeContent(w, r, "", o.Modified, f)
	return nil
}

// about takes from a request what is kept of an object besides its bytes.
func about(r *http.Request, v Visit, key string) (Object, error) {
	o := Object{Key: key, Type: r.Header.Get("Content-Type"), By: v.Who}
	for _, enc := range strings.Split(r.Header.Get("Content-Encoding"), ",") {
		// aws-chunked is how it travels, not what it is.
		if enc = strings.TrimSpace(enc); enc != "" && enc != "aws-chunked" {
			o.Encoding = enc
		}
	}
	size := len(o.Type) + len(o.Encoding)
	for name, values := range r.Header {
		if rest, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok && len(values) > 0 {
			if o.Meta == nil {
				o.Meta = map[string]string{}
			}
			o.Meta[textproto.CanonicalMIMEHeaderKey(rest)] = values[0]
			size += len(rest) + len(values[0])
		}
	}
	if size > maxMeta {
		return o, fault.New(fault.Limited, "type and metadata of an object have at most %d bytes", maxMeta)
	}
	return o, nil
}

func (s *Store) put(w http.ResponseWriter, r *http.Request, v Visit, name, key string) error {
	o, err := about(r, v, key)
	if err != nil {
		return err
	}
	if r.Header.Get("If-None-Match") == "*" {
		if _, err := s.Head(name, key); err == nil {
			return errExists
		}
	}
	body, err := checked(r)
	if err != nil {
		return err
	}
	done, err := s.Put(name, o, body)
	if err != nil {
		return err
	}
	v.Changed(Change{Bucket: name, Object: *done, Event: "ObjectCreated:Put"})
	w.Header().Set("ETag", `"`+done.ETag+`"`)
	w.WriteHeader(http.StatusOK)
	return nil
}

var errExists = fault.New(fault.Conflict, "an object has this key already")

func (s *Store) copy(w http.ResponseWriter, r *http.Request, v Visit, name, key string) error {
	source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source"))
	if err != nil {
		return fault.New(fault.Invalid, "the source is not escaped well")
	}
	from, fromKey, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	if err := v.May(Get, from, fromKey); err != nil {
		return err
	}
	old, f, err := s.Get(from, fromKey)
	if err != nil {
		return err
	}
	defer f.Close()
	o := *old
	if r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		if o, err = about(r, v, key); err != nil {
			return err
		}
	}
	o.Key, o.By = key, v.Who
	done, err := s.Put(name, o, f)
	if err != nil {
		return err
	}
	v.Changed(Change{Bucket: name, Object: *done, Event: "ObjectCreated:Copy"})
	return reply(w, &struct {
		XMLName      xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CopyObjectResult"`
		LastModified time.Time
		ETag         string
	}{LastModified: done.Modified, ETag: `"` + done.ETag + `"`})
}

// checked is a request's body, held to the digest it names.
func checked(r *http.Request) (io.Reader, error) {
	text := r.Header.Get("Content-Md5")
	if text == "" {
		return r.Body, nil
	}
	want, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(want) != 16 {
		return nil, fault.New(fault.Invalid, "Content-MD5 is no MD5 in base64")
	}
	return newDigested(r.Body, hex.EncodeToString(want)), nil
}

func readXML(r *http.Request, v any) error {
	dec := xml.NewDecoder(http.MaxBytesReader(nil, r.Body, 2<<20))
	if err := dec.Decode(v); err != nil {
		return fault.New(fault.Invalid, "the request is not the XML it should be")
	}
	return nil
}

func reply(w http.ResponseWriter, v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Write(append([]byte(xml.Header), body...))
	return nil
}
