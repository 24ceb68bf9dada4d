package event

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func TestS16_S3Notification(t *testing.T) {
	doc := S3(
		Object{Event: "ObjectCreated:Put", Time: noon, Region: "local", Bucket: "photos", Key: "in box/ü+1.jpg", Size: 0, ETag: "e", Version: "v", Sequencer: "01", Principal: "user/alice", SourceIP: "192.0.2.7", RequestID: "r", Trigger: "thumb"},
		Object{Event: "ObjectRemoved:Delete", Time: noon, Bucket: "photos", Key: "a"},
	)
	got := strict[events.S3Event](t, doc)
	r := got.Records[0]
	if r.S3.Object.URLDecodedKey != "in box/ü+1.jpg" || r.S3.Object.Key != "in+box%2F%C3%BC%2B1.jpg" {
		t.Errorf("key %q, %q", r.S3.Object.Key, r.S3.Object.URLDecodedKey)
	}
	r.S3.Object.Key, r.S3.Object.URLDecodedKey = "", ""
	same(t, r, events.S3EventRecord{
		EventVersion: "2.1", EventSource: "aws:s3", AWSRegion: "local", EventTime: noon, EventName: "ObjectCreated:Put",
		PrincipalID: events.S3UserIdentity{PrincipalID: "user/alice"}, RequestParameters: events.S3RequestParameters{SourceIPAddress: "192.0.2.7"},
		ResponseElements: map[string]string{"x-amz-request-id": "r", "x-amz-id-2": "r"},
		S3: events.S3Entity{SchemaVersion: "1.0", ConfigurationID: "thumb",
			Bucket: events.S3Bucket{Name: "photos", Arn: "arn:aws:s3:::photos", OwnerIdentity: events.S3UserIdentity{PrincipalID: "user/alice"}},
			Object: events.S3Object{VersionID: "v", ETag: "e", Sequencer: "01"}},
	})
	var raw struct {
		Records []struct {
			S3 struct{ Object map[string]any }
		}
	}
	if err := json.Unmarshal(doc, &raw); err != nil || raw.Records[0].S3.Object["size"] != 0.0 || raw.Records[1].S3.Object["size"] != nil {
		t.Errorf("an empty object has a size, a removed one has none: %v %+v", err, raw)
	}
}

func TestS16_QueueBatch(t *testing.T) {
	doc := SQS("arn:aws:sqs:local:000000000000:mail", "local",
		Message{ID: "m1", Body: "hello", Sent: noon, Count: 2, Sender: "function/orders", Attributes: map[string]string{"k": "v"}}, Message{ID: "m2", Receipt: "lease", Body: "", Sent: noon})
	got := strict[events.SQSEvent](t, doc)
	text := "v"
	same(t, got.Records[0], events.SQSMessage{
		MessageId: "m1", ReceiptHandle: "m1", Body: "hello", Md5OfBody: "5d41402abc4b2a76b9719d911017c592", EventSource: "aws:sqs",
		EventSourceARN: "arn:aws:sqs:local:000000000000:mail", AWSRegion: "local",
		Attributes:        map[string]string{"ApproximateReceiveCount": "2", "SenderId": "function/orders", "SentTimestamp": "1772625600123", "ApproximateFirstReceiveTimestamp": "1772625600123"},
		MessageAttributes: map[string]events.SQSMessageAttribute{"k": {StringValue: &text, StringListValues: []string{}, BinaryListValues: [][]byte{}, DataType: "String"}},
	})
	if got.Records[1].ReceiptHandle != "lease" {
		t.Error(got.Records[1])
	}
}

func TestPartialBatches(t *testing.T) {
	library, _ := json.Marshal(events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{{ItemIdentifier: "b"}}})
	for answer, want := range map[string]struct {
		failed []string
		all    bool
	}{
		string(library): {[]string{"b"}, false},
		`{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}`: {[]string{"a", "b"}, false},
		`{"batchItemFailures":[]}`:   {nil, false},
		`{"batchItemFailures":null}`: {nil, false},
		`null`:                       {nil, false},
		`"done"`:                     {nil, false},
		`{}`:                         {nil, false},
		``:                           {nil, false},
		`{"batchItemFailures":[{"itemIdentifier":"x"}]}`: {nil, true},
		`{"batchItemFailures":[{"itemIdentifier":""}]}`:  {nil, true},
		`{"batchItemFailures":[{}]}`:                     {nil, true},
		`{"batchItemFailures":"all"}`:                    {nil, true},
	} {
		failed, all := Failures([]byte(answer), []string{"a", "b"})
		same(t, failed, want.failed)
		if all != want.all {
			t.Errorf("%s: all is %v", answer, all)
		}
	}
}

func FuzzFailures(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":"a"}]}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		failed, _ := Failures(answer, []string{"a", "b"})
		for _, id := range failed {
			if id != "a" && id != "b" {
				t.Fatalf("unknown %q", id)
			}
		}
	})
}

func TestS16_Schedule(t *testing.T) {
	got := strict[events.EventBridgeEvent](t, Scheduled("id", "nightly", "local", "000000000000", noon))
	same(t, got, events.EventBridgeEvent{
		Version: "0", ID: "id", DetailType: "Scheduled Event", Source: "aws.events", AccountID: "000000000000", Time: noon.Truncate(1e9), Region: "local",
		Resources: []string{"arn:aws:events:local:000000000000:rule/nightly"}, Detail: json.RawMessage(`{}`),
	})
}

func TestS16_MQTT(t *testing.T) {
	for payload, want := range map[string]string{
		`{"heat":21.5}`:      `{"clientid":"c1","heat":21.5,"timestamp":1772625600123,"topic":"plant/1"}`,
		`{"topic":"mine"}`:   `{"clientid":"c1","timestamp":1772625600123,"topic":"mine"}`,
		`21.5`:               `{"clientid":"c1","payload":21.5,"timestamp":1772625600123,"topic":"plant/1"}`,
		`warm`:               `{"clientid":"c1","payload":"warm","timestamp":1772625600123,"topic":"plant/1"}`,
		"":                   `{"clientid":"c1","payload":"","timestamp":1772625600123,"topic":"plant/1"}`,
		"null":               `{"clientid":"c1","payload":null,"timestamp":1772625600123,"topic":"plant/1"}`,
		"\xff\x00":           `{"base64":true,"clientid":"c1","payload":"/wA=","timestamp":1772625600123,"topic":"plant/1"}`,
		`12345678901234567.`: `{"clientid":"c1","payload":"12345678901234567.","timestamp":1772625600123,"topic":"plant/1"}`,
		`12345678901234567`:  `{"clientid":"c1","payload":12345678901234567,"timestamp":1772625600123,"topic":"plant/1"}`,
	} {
		same(t, string(MQTT("plant/1", "c1", noon, []byte(payload))), want)
	}
}

func FuzzMQTT(f *testing.F) {
	f.Add("a/b", []byte(`{"x":1}`))
	f.Add("\xff", []byte("\xff"))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		if doc := MQTT(topic, "c", noon, payload); !json.Valid(doc) {
			t.Fatalf("not JSON: %s", doc)
		}
	})
}

func TestDestination(t *testing.T) {
	doc := Destination(Result{Time: noon, ID: "r", ARN: "arn:f:live", Version: "3", Cause: "RetriesExhausted", Attempts: 3, Request: []byte(`{"a":1}`), Status: 200, Error: "Unhandled", Response: []byte(`no json`)})
	same(t, string(doc), `{"requestContext":{"approximateInvokeCount":3,"condition":"RetriesExhausted","functionArn":"arn:f:live","requestId":"r"},`+
		`"requestPayload":{"a":1},"responseContext":{"executedVersion":"3","functionError":"Unhandled","statusCode":200},"responsePayload":"no json","timestamp":"2026-03-04T12:00:00.123Z","version":"1.0"}`)
	doc = Destination(Result{Time: noon, Cause: "Success"})
	var got map[string]any
	if err := json.Unmarshal(doc, &got); err != nil || got["responsePayload"] != nil || got["requestPayload"] != nil {
		t.Errorf("%s", doc)
	}
}
