package event

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

// Object is a change in a bucket.
type Object struct {
	Event     string // "ObjectCreated:Put", "ObjectRemoved:Delete"
	Time      time.Time
	Region    string
	Bucket    string
	Key       string // as it is, not escaped
	Size      int64
	ETag      string
	Version   string
	Sequencer string // grows with every change of a key
	Principal string // who made the change
	SourceIP  string
	RequestID string
	Trigger   string // id of the notification that asked for it
}

type object struct {
	Key       string `json:"key"`
	Size      *int64 `json:"size,omitempty"`
	ETag      string `json:"eTag,omitempty"`
	Version   string `json:"versionId,omitempty"`
	Sequencer string `json:"sequencer,omitempty"`
}

// S3 is a notification of changes in buckets.
func S3(all ...Object) []byte {
	records := make([]any, 0, len(all))
	for _, o := range all {
		what := object{Key: url.QueryEscape(o.Key), ETag: o.ETag, Version: o.Version, Sequencer: o.Sequencer}
		if len(o.Event) < 13 || o.Event[:13] != "ObjectRemoved" {
			what.Size = &o.Size
		}
		records = append(records, map[string]any{
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": o.Region, "eventTime": stamp(o.Time), "eventName": o.Event,
			"userIdentity":      map[string]string{"principalId": o.Principal},
			"requestParameters": map[string]string{"sourceIPAddress": o.SourceIP},
			"responseElements":  map[string]string{"x-amz-request-id": o.RequestID, "x-amz-id-2": o.RequestID},
			"s3": map[string]any{
				"s3SchemaVersion": "1.0", "configurationId": o.Trigger, "object": what,
				"bucket": map[string]any{"name": o.Bucket, "arn": "arn:aws:s3:::" + o.Bucket, "ownerIdentity": map[string]string{"principalId": o.Principal}},
			},
		})
	}
	return marshal(map[string]any{"Records": records})
}

// Message is one of a queue.
type Message struct {
	ID         string
	Receipt    string // what names this hand-out; ID where empty
	Body       string
	Sent       time.Time
	Received   time.Time // first; Sent where zero
	Count      int       // how often it was handed out
	Sender     string
	Attributes map[string]string // texts that the sender added
}

type attribute struct {
	Text       string   `json:"stringValue"`
	Texts      []string `json:"stringListValues"`
	BinaryList []string `json:"binaryListValues"`
	Type       string   `json:"dataType"`
}

// SQS is a batch of messages of a queue, named by its ARN.
func SQS(arn, region string, all ...Message) []byte {
	records := make([]any, 0, len(all))
	for _, m := range all {
		attributes := map[string]attribute{}
		for name, text := range m.Attributes {
			attributes[name] = attribute{Text: text, Texts: []string{}, BinaryList: []string{}, Type: "String"}
		}
		if m.Receipt == "" {
			m.Receipt = m.ID
		}
		if m.Received.IsZero() {
			m.Received = m.Sent
		}
		sum := md5.Sum([]byte(m.Body))
		records = append(records, map[string]any{
			"messageId": m.ID, "receiptHandle": m.Receipt, "body": m.Body, "md5OfBody": hex.EncodeToString(sum[:]),
			"messageAttributes": attributes, "eventSource": "aws:sqs", "eventSourceARN": arn, "awsRegion": region,
			"attributes": map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(m.Count), "SenderId": m.Sender,
				"SentTimestamp": strconv.FormatInt(m.Sent.UnixMilli(), 10), "ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.Received.UnixMilli(), 10),
			},
		})
	}
	return marshal(map[string]any{"Records": records})
}

// Failures reads which messages of a batch failed. None are where the answer
// says nothing of it; all is true where what it says cannot be trusted: an
// unknown id, or one that is empty.
func Failures(answer []byte, batch []string) (failed []string, all bool) {
	var said struct {
		Items *[]struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	var probe map[string]json.RawMessage
	if json.Unmarshal(answer, &probe) != nil || probe["batchItemFailures"] == nil {
		return nil, false
	}
	if json.Unmarshal(answer, &said) != nil {
		return nil, true
	}
	if said.Items == nil {
		return nil, false
	}
	known := make(map[string]bool, len(batch))
	for _, id := range batch {
		known[id] = true
	}
	for _, item := range *said.Items {
		if item.ID == nil || !known[*item.ID] {
			return nil, true
		}
		failed = append(failed, *item.ID)
	}
	return failed, false
}

// Scheduled is an EventBridge event of a rule that is due.
func Scheduled(id, rule, region, account string, due time.Time) []byte {
	return marshal(map[string]any{
		"version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.events", "account": account,
		"time": due.UTC().Format(time.RFC3339), "region": region, "detail": map[string]any{},
		"resources": []string{fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", region, account, rule)},
	})
}

// MQTT is a message of a topic as an IoT rule passes it on that selects all of
// it with its topic, client and time: a JSON object keeps its members and gets
// topic, clientid and timestamp where it has none of its own; anything else is
// the member payload, in base64 with base64 set where it is no text.
func MQTT(topic, client string, at time.Time, payload []byte) []byte {
	event := map[string]any{"topic": topic, "clientid": client, "timestamp": at.UnixMilli()}
	var members map[string]json.RawMessage
	var value json.RawMessage
	switch {
	case json.Unmarshal(payload, &members) == nil && members != nil:
		for name, raw := range members {
			event[name] = raw
		}
	case json.Unmarshal(payload, &value) == nil:
		event["payload"] = value
	case utf8.Valid(payload):
		event["payload"] = string(payload)
	default:
		event["payload"], event["base64"] = base64.StdEncoding.EncodeToString(payload), true
	}
	return marshal(event)
}

// Result is how an asynchronous invocation ended.
type Result struct {
	Time     time.Time
	ID       string
	ARN      string // of the function, with version or alias
	Version  string
	Cause    string // "Success", "RetriesExhausted" or "EventAgeExceeded"
	Attempts int
	Request  []byte // the event
	Status   int    // 200 where the code answered, with an error or without
	Error    string // "Unhandled" where it failed
	Response []byte // what it answered, or the error document
}

// Destination is the envelope in which Lambda passes on how an asynchronous
// invocation ended.
func Destination(r Result) []byte {
	response := map[string]any{"statusCode": r.Status, "executedVersion": r.Version}
	if r.Error != "" {
		response["functionError"] = r.Error
	}
	return marshal(map[string]any{
		"version": "1.0", "timestamp": stamp(r.Time),
		"requestContext":  map[string]any{"requestId": r.ID, "functionArn": r.ARN, "condition": r.Cause, "approximateInvokeCount": r.Attempts},
		"requestPayload":  document(r.Request),
		"responseContext": response,
		"responsePayload": document(r.Response),
	})
}

// document is b where it is JSON, its text where it is not, null where empty.
func document(b []byte) any {
	switch {
	case len(b) == 0:
		return nil
	case json.Valid(b):
		return json.RawMessage(b)
	default:
		return string(b)
	}
}
