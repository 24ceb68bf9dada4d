package store

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

const killedCallsEnv = "REDOUBT_TEST_CALL_UNTIL_KILLED"

// callUntilKilled accepts asynchronous calls, takes them up and records how
// they ended, as a gateway does, and says how many it has accepted.
func callUntilKilled(path string) error {
	s, err := Open(path, discard())
	if err != nil {
		return err
	}
	ctx, q := context.Background(), s.Queues()
	if err := q.Release(ctx, "async/"); err != nil {
		return err
	}
	n := 0
	if err := s.read.QueryRow("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'").Scan(&n); err != nil {
		return err
	}
	for {
		n++
		if err := q.Send(ctx, message("async/f", fmt.Sprintf("call-%d", n), start)); err != nil {
			return err
		}
		fmt.Println(n)
		got, err := q.Receive(ctx, "async/f", 3, start.Add(time.Hour), time.Hour)
		if err != nil {
			return err
		}
		for _, m := range got {
			in := invoked(n)
			in.ID, in.Function = m.ID, "f"
			if err := s.AddInvocations(ctx, []function.Invocation{in}); err != nil {
				return err
			}
			if _, err := q.Delete(ctx, m.Queue, m.ID); err != nil {
				return err
			}
		}
	}
}

func TestS19_Kill9LeavesEveryAcceptedCallWithOneRecordOrWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "redoubt.db")
	accepted := 0
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedCallsEnv+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		var timer *time.Timer
		for lines.Scan() {
			if timer == nil {
				timer = time.AfterFunc(time.Duration(rand.IntN(80_000))*time.Microsecond, func() { cmd.Process.Kill() })
			}
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				accepted = n
			}
		}
		cmd.Wait()
		s, err := Open(path, discard())
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if accepted == 0 {
			t.Fatalf("round %d: nothing was accepted", round)
		}
		for n := 1; n <= accepted; n++ {
			id := fmt.Sprintf("call-%d", n)
			_, err := s.Invocation(context.Background(), id)
			waiting := count(t, s, "messages WHERE id = '"+id+"'")
			if err != nil && waiting == 0 {
				t.Errorf("round %d: %s was accepted and is lost", round, id)
			}
		}
		var calls int64
		if err := s.read.QueryRow("SELECT coalesce(sum(calls), 0) FROM usage").Scan(&calls); err != nil || calls != int64(count(t, s, "invocations")) {
			t.Errorf("round %d: %d counted, %d recorded, %v", round, calls, count(t, s, "invocations"), err)
		}
		s.Close()
	}
}
