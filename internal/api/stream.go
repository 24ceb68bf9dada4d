package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const maxMessage = 4 << 20

// Stream calls use for every message of the given types (all where there are
// none) until ctx ends, use returns an error or the console refuses. A
// connection that breaks or says nothing for a minute is opened again, ever
// more slowly; since messages may have been missed meanwhile, use then gets one
// of Type "missed", as it does when the console could not keep up. The first
// connection failing is an error.
func (c *Client) Stream(ctx context.Context, types []string, use func(StreamMessage) error) error {
	const least = 500 * time.Millisecond
	wait, connected := least, false
	for {
		began := time.Now()
		err := c.streamOnce(ctx, types, func(m StreamMessage) error {
			if err := use(m); err != nil {
				return stopped{err}
			}
			return nil
		}, &connected)
		var done stopped
		switch {
		case errors.As(err, &done):
			return done.error
		case ctx.Err() != nil:
			return ctx.Err()
		case !connected, !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Limited):
			return err
		case time.Since(began) > time.Minute:
			wait = least
		}
		select {
		case <-time.After(wait/2 + rand.N(wait/2)):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, 15*time.Second)
	}
}

// stopped marks the error with which the caller ended the stream.
type stopped struct{ error }

func (c *Client) streamOnce(ctx context.Context, types []string, use func(StreamMessage) error, connected *bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{}
	if len(types) > 0 {
		query.Set("types", strings.Join(types, ","))
	}
	resp, err := c.send(ctx, http.MethodGet, path("stream"), query, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if *connected {
		if err := use(StreamMessage{Type: "missed"}); err != nil {
			return err
		}
	}
	*connected = true
	quiet := time.AfterFunc(time.Minute, cancel)
	defer quiet.Stop()
	err = readEvents(resp.Body, func() { quiet.Reset(time.Minute) }, use)
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.New(fault.Unavailable, "the console closed the stream")
	}
	return err
}

// readEvents reads server-sent events to the end of r. alive is called for
// every line, also for the comments that keep a connection up.
func readEvents(r io.Reader, alive func(), use func(StreamMessage) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxMessage)
	var data strings.Builder
	for lines.Scan() {
		alive()
		line := lines.Text()
		if more, ok := strings.CutPrefix(line, "data:"); ok && data.Len()+len(more) <= maxMessage {
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(strings.TrimPrefix(more, " "))
		}
		if line != "" || data.Len() == 0 {
			continue
		}
		var m StreamMessage
		err := json.Unmarshal([]byte(data.String()), &m)
		data.Reset()
		if err != nil {
			continue // what is no message of ours says nothing
		}
		if err := use(m); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return err
		}
		return fault.New(fault.Unavailable, "read stream: %w", err)
	}
	return nil
}
