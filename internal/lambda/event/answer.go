package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/net/http/httpguts"
)

const maxPrelude = 64 << 10

// Response is an HTTP response as a function meant it.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// said is an answer as functions write it.
type said struct {
	Status  *json.RawMessage           `json:"statusCode"`
	Headers map[string]any             `json:"headers"`
	Multi   map[string]json.RawMessage `json:"multiValueHeaders"`
	Cookies []string                   `json:"cookies"`
	Body    *string                    `json:"body"`
	Base64  bool                       `json:"isBase64Encoded"`
}

// Answer1 reads an answer in payload format 1.0: an object with a statusCode.
// The error says in plain words what is wrong with it.
func Answer1(payload []byte) (*Response, error) {
	var s said
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, fmt.Errorf("the answer is not an object of statusCode, headers and body: %w", err)
	}
	if s.Status == nil {
		return nil, errors.New("the answer has no statusCode; payload format 1.0 needs one")
	}
	return s.response()
}

// Answer2 reads an answer in payload format 2.0. One without a statusCode is
// the body itself: 200, application/json, a JSON string as its text.
func Answer2(payload []byte) (*Response, error) {
	var probe map[string]json.RawMessage
	if json.Unmarshal(payload, &probe) == nil && probe["statusCode"] != nil {
		var s said
		if err := json.Unmarshal(payload, &s); err != nil {
			return nil, fmt.Errorf("the answer is not an object of statusCode, headers and body: %w", err)
		}
		return s.response()
	}
	if !json.Valid(payload) {
		return nil, errors.New("the answer is not JSON")
	}
	var text string
	body := payload
	if json.Unmarshal(payload, &text) == nil && !bytes.Equal(bytes.TrimSpace(payload), []byte("null")) {
		body = []byte(text)
	}
	return &Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}

func (s *said) response() (*Response, error) {
	r := &Response{Header: http.Header{}}
	if err := s.head(r); err != nil {
		return nil, err
	}
	if s.Body == nil {
		return r, nil
	}
	if r.Body = []byte(*s.Body); !s.Base64 {
		return r, nil
	}
	var err error
	if r.Body, err = base64.StdEncoding.DecodeString(*s.Body); err != nil {
		return nil, fmt.Errorf("the body is not the base64 that isBase64Encoded promises: %w", err)
	}
	return r, nil
}

func (s *said) head(r *Response) error {
	r.Status = http.StatusOK
	if s.Status != nil {
		// Some write it as a string, and API Gateway takes that.
		if _, err := fmt.Sscanf(string(bytes.Trim(*s.Status, `"`)), "%d", &r.Status); err != nil || r.Status < 200 || r.Status > 599 {
			return fmt.Errorf("statusCode %.40s is not one of an HTTP answer", *s.Status)
		}
	}
	for name, value := range s.Headers {
		switch v := value.(type) {
		case nil:
		case string, bool, float64:
			r.Header.Set(name, fmt.Sprint(v))
		default:
			return fmt.Errorf("header %.80q is neither text nor a number", name)
		}
	}
	for name, raw := range s.Multi {
		var values []string
		if json.Unmarshal(raw, &values) != nil {
			return fmt.Errorf("multi-value header %.80q is not a list of texts", name)
		}
		r.Header[http.CanonicalHeaderKey(name)] = values // it goes before the single one
	}
	for _, c := range s.Cookies {
		r.Header.Add("Set-Cookie", c)
	}
	return check(r.Header)
}

// check refuses what would break out of a header.
func check(h http.Header) error {
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return fmt.Errorf("%.80q is no name of a header", name)
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return fmt.Errorf("header %.80q holds a line break or another character it may not", name)
			}
		}
	}
	return nil
}

// StreamType is the content type of a streamed answer that begins with a
// prelude: status, headers and cookies as JSON, then eight zero bytes.
const StreamType = "application/vnd.awslambda.http-integration-response"

// Prelude reads the beginning of a streamed answer. The Response has no Body:
// what follows is left in the reader that is returned.
func Prelude(r io.Reader) (*Response, io.Reader, error) {
	var head []byte
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		head = append(head, buf[:n]...)
		if end := bytes.Index(head, make([]byte, 8)); end >= 0 && end <= maxPrelude {
			resp, bad := prelude(head[:end])
			return resp, io.MultiReader(bytes.NewReader(head[end+8:]), r), bad
		}
		switch {
		case len(head) > maxPrelude:
			return nil, nil, fmt.Errorf("the streamed answer does not begin with a prelude of at most %d bytes", maxPrelude)
		case errors.Is(err, io.EOF):
			return nil, nil, errors.New("the streamed answer ended within its prelude")
		case err != nil:
			return nil, nil, fmt.Errorf("read the prelude of a streamed answer: %w", err)
		}
	}
}

func prelude(doc []byte) (*Response, error) {
	var s said
	if err := json.Unmarshal(doc, &s); err != nil {
		return nil, fmt.Errorf("the prelude of the streamed answer is not JSON: %w", err)
	}
	r := &Response{Header: http.Header{}}
	return r, s.head(r)
}
