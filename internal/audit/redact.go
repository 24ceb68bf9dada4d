package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
)

// secrets are the fields whose value never goes into the trail, wherever they
// stand; the trail still shows that they were there.
var secrets = map[string]bool{
	"password": true, "passphrase": true, "secret": true, "token": true, "csrf": true,
	"hash": true, "key": true, "private_key": true, "privatekey": true, "api_key": true, "apikey": true,
	"cookie": true, "authorization": true, "credential": true, "credentials": true,
}

const (
	hidden = "***"
	// maxState bounds Before and After; a larger one is named by its hash.
	maxState = 64 << 10
	maxField = 1 << 10 // bytes of any other field
)

// state writes v as JSON with secrets hidden; nil is "".
func state(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode state: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return "", fmt.Errorf("encode state: %w", err)
	}
	out, err := json.Marshal(redact(tree))
	if err != nil {
		return "", fmt.Errorf("encode state: %w", err)
	}
	if len(out) > maxState {
		return fmt.Sprintf(`{"bytes":%d,"sha256":"%x"}`, len(out), sha256.Sum256(out)), nil
	}
	return string(out), nil
}

func redact(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if secrets[strings.ToLower(k)] && inner != "" && inner != nil {
				v[k] = hidden
			} else {
				v[k] = redact(inner)
			}
		}
	case []any:
		for i := range v {
			v[i] = redact(v[i])
		}
	}
	return v
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxField {
		s = strings.ToValidUTF8(s[:maxField], "")
	}
	return s
}
