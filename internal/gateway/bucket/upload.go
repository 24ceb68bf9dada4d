package bucket

import (
	"encoding/xml"
	"net/http"
	"strconv"

	"redoubt.dev/redoubt/internal/fault"
)

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
