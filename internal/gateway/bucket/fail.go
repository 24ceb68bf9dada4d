package bucket

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"syscall"

	"redoubt.dev/redoubt/internal/fault"
)

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
