package bucket

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"syscall"
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

func (s *Store) putPart(w http.ResponseWriter, r *http.Request, name, key, id string) error {
	number, err := strconv.Atoi(r.URL.Query().Get("partNumber"))
	if err != nil || r.Header.Get("X-Amz-Copy-Source") != "" {
		return fault.New(fault.Invalid, "a part has a number and its own bytes")
	}
	body, err := checked(r)
	if err != nil {
		return err
	}
	etag, err := s.PutPart(name, key, id, number, body)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+etag+`"`)
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Store) beginParts(w http.ResponseWriter, r *http.Request, v Visit, name, key string) error {
	o, err := about(r, v, key)
	if err != nil {
		return err
	}
	id, err := s.Begin(name, o)
	if err != nil {
		return err
	}
	return reply(w, &struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
		Bucket, Key, UploadId string
	}{Bucket: name, Key: key, UploadId: id})
}

func (s *Store) completeParts(w http.ResponseWriter, r *http.Request, v Visit, name, key, id string) error {
	var in struct {
		Parts []struct {
			PartNumber int
			ETag       string
		} `xml:"Part"`
	}
	if err := readXML(r, &in); err != nil {
		return err
	}
	var parts []Part
	for _, p := range in.Parts {
		parts = append(parts, Part{p.PartNumber, p.ETag})
	}
	done, err := s.Complete(name, key, id, parts)
	if err != nil {
		return err
	}
	v.Changed(Change{Bucket: name, Object: *done, Event: "ObjectCreated:CompleteMultipartUpload"})
	return reply(w, &struct {
		XMLName           xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
		Bucket, Key, ETag string
	}{Bucket: name, Key: key, ETag: `"` + done.ETag + `"`})
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

// codes are S3's names of what goes wrong.
var codes = map[fault.Kind]struct {
	status int
	code   string
}{
	fault.NotFound: {404, "NoSuchKey"}, fault.Denied: {403, "AccessDenied"}, fault.Unauthenticated: {403, "InvalidAccessKeyId"},
	fault.Invalid: {400, "InvalidArgument"}, fault.Conflict: {409, "BucketNotEmpty"}, fault.Unavailable: {503, "ServiceUnavailable"},
	fault.Unsupported: {501, "NotImplemented"}, fault.Limited: {400, "EntityTooLarge"}, fault.Internal: {500, "InternalError"},
}

func fail(w http.ResponseWriter, r *http.Request, v Visit, err error) {
	kind := fault.Of(err)
	c, text := codes[kind], err.Error()
	if v.Code != nil {
		if code := v.Code(err); code != "" {
			c.code = code
		}
	}
	var big *http.MaxBytesError
	switch {
	case errors.Is(err, errNoBucket):
		c.code = "NoSuchBucket"
	case errors.Is(err, errNoUpload):
		c.code = "NoSuchUpload"
	case errors.Is(err, errExists):
		c.status, c.code = 412, "PreconditionFailed"
	case errors.Is(err, errQuota):
		c.status, c.code = http.StatusInsufficientStorage, "QuotaExceeded"
	case errors.Is(err, errDigest):
		c.status, c.code = 400, "BadDigest"
	case errors.As(err, &big):
		c.status, c.code = 400, "EntityTooLarge"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		c.status, c.code, text = http.StatusInsufficientStorage, "InsufficientStorage", "the disk is full"
	case kind == fault.Internal:
		text = "internal error"
	}
	body, _ := xml.Marshal(&struct {
		XMLName                            xml.Name `xml:"Error"`
		Code, Message, Resource, RequestId string
	}{Code: c.code, Message: text, Resource: strings.ToValidUTF8(v.Path, "?"), RequestId: v.ID})
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(c.status)
	if r.Method != http.MethodHead {
		w.Write(append([]byte(xml.Header), body...))
	}
}
