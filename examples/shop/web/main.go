// Command web is the shop's web site. It knows nobody's password and holds no
// lasting right: what proves who it is, a key or a workload identity, it
// exchanges for a token of a few minutes, and calls the gateway with that.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed index.html
var page []byte

const maxBody = 64 << 10

func main() {
	s := &site{gateway: os.Getenv("SHOP_GATEWAY"), proof: os.Getenv("SHOP_PROOF")}
	if err := s.run(os.Getenv("SHOP_LISTEN"), os.Getenv("SHOP_CACERT")); err != nil {
		log.Fatal(err)
	}
}

// site passes what browsers ask on to the gateway.
type site struct {
	gateway string
	proof   string // file of an API key or a workload's token
	client  *http.Client

	mu    sync.Mutex
	token string
	ends  time.Time
}

func (s *site) run(listen, cacert string) error {
	pem, err := os.ReadFile(cacert)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	s.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { w.Write(page) })
	mux.HandleFunc("GET /prices", s.pass)
	mux.HandleFunc("POST /orders", s.pass)
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, func() { server.Close() })
	log.Printf("shop is open on %s", listen)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// pass sends the request to the same path of the gateway, as the site itself.
func (s *site) pass(w http.ResponseWriter, r *http.Request) {
	token, err := s.fresh(r.Context())
	if err != nil {
		log.Print(err)
		http.Error(w, "the shop is closed, come back in a minute", http.StatusServiceUnavailable)
		return
	}
	out, err := http.NewRequestWithContext(r.Context(), r.Method, s.gateway+r.URL.RequestURI(), http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the shop does not understand", http.StatusBadRequest)
		return
	}
	out.Header.Set("Authorization", "Bearer "+token)
	out.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(out)
	if err != nil {
		log.Print(err)
		http.Error(w, "the shop is closed, come back in a minute", http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", answer.Header.Get("X-Request-Id"))
	w.WriteHeader(answer.StatusCode)
	io.Copy(w, answer.Body)
}

// fresh returns a token that is good for another minute at least.
func (s *site) fresh(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Until(s.ends) > time.Minute {
		return s.token, nil
	}
	proof, err := os.ReadFile(s.proof)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(proof))
	wish := map[string]string{"ttl": "5m"}
	isKey := strings.HasPrefix(secret, "rdk_")
	if !isKey {
		wish["token"] = secret
	}
	body, err := json.Marshal(wish)
	if err != nil {
		return "", err
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gateway+"/token", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	ask.Header.Set("Content-Type", "application/json")
	if isKey {
		ask.Header.Set("X-Api-Key", secret)
	}
	answer, err := s.client.Do(ask)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var given struct {
		Token   string    `json:"access_token"`
		Expires time.Time `json:"expires"`
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
		return "", fmt.Errorf("no token: %s: %s", answer.Status, text)
	}
	if err := json.NewDecoder(answer.Body).Decode(&given); err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	s.token, s.ends = given.Token, given.Expires
	return s.token, nil
}
