package egress

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The same client and server, once without and once with a Proxy between.
func BenchmarkHTTP(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	b.Cleanup(s.Close)
	w := newWorld(b, Config{}, "one.example:80")
	w.proxy.cfg.Report = func(Use) {}
	w.at("one.example:80", addrOf(s))
	for _, c := range []struct{ name, addr string }{{"direct", addrOf(s)}, {"proxied", w.serve(80)}} {
		b.Run(c.name, func(b *testing.B) {
			tr := &http.Transport{}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr}
			for b.Loop() {
				req, err := http.NewRequest("GET", "http://"+c.addr+"/", nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Host = "one.example"
				r, err := client.Do(req)
				if err != nil || r.StatusCode != 200 {
					b.Fatal(r, err)
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
		})
	}
}

func BenchmarkHello(b *testing.B) {
	hello := helloBytes(b, &tls.Config{ServerName: "api.example.com"})
	b.ReportAllocs()
	for b.Loop() {
		readHelloBytes(hello)
	}
}

func BenchmarkName(b *testing.B) {
	put := target("dynamodb", "DynamoDB_20120810.PutItem", `{"TableName":"orders","Item":{"id":{"S":"7"},"n":{"N":"1"}}}`)
	b.ReportAllocs()
	for b.Loop() {
		nameOf(b, put)
	}
}

func BenchmarkMatch(b *testing.B) {
	var grants []string
	for i := range 50 {
		grants = append(grants, fmt.Sprintf("host%d.example.com:443", i), fmt.Sprintf("dynamodb:PutItem table/t%d", i))
	}
	a := Attempt{Kind: KindAWS, Host: "dynamodb.us-east-1.amazonaws.com", Port: 443, Action: "dynamodb:PutItem", Resource: "table/t49"}
	b.ReportAllocs()
	for b.Loop() {
		Match(grants, a)
	}
}

func BenchmarkLeaf(b *testing.B) {
	ca, err := NewCA()
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := ca.certificate(fmt.Sprintf("b%d.s3.amazonaws.com", i)); err != nil {
			b.Fatal(err)
		}
	}
}
