// Package event writes the events AWS services send to Lambda functions, and
// reads the answers they expect back: API Gateway's two payload formats, S3
// notifications, SQS batches, EventBridge schedules, MQTT messages, and the
// envelope of asynchronous results. It knows shapes only: where events come
// from and go to is the gateway's.
package event

import (
	"encoding/json"
	"time"
)

// marshal writes an event of ours: made of strings, numbers, lists and maps,
// so it cannot fail.
func marshal(v any) []byte {
	doc, _ := json.Marshal(v)
	return doc
}

// stamp is a time as most services write it: UTC, in milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
