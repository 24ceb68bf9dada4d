package gateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"redoubt.dev/redoubt/internal/function"
)

// maxJournal is the size at which the journal is written anew.
const maxJournal = 8 << 20

// journal is a file that knows which calls are under way and which records
// have not been stored yet, so that a process that is killed leaves none of
// them without a record. It outlives the process, not the machine's power:
// nothing is synced.
//
// Each line is a call's record as far as it is known, without an outcome when
// it begins and with one when it ended; "-ID" says that the record is stored.
type journal struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
	open map[string][]byte // what is neither ended nor stored: its last line
}

// openJournal reads what a predecessor left and begins a new file.
func openJournal(path string) (*journal, []function.Invocation, error) {
	j := &journal{path: path, open: map[string][]byte{}}
	left, err := readJournal(path)
	if err != nil {
		return nil, nil, err
	}
	for i := range left {
		line, err := json.Marshal(&left[i])
		if err != nil {
			return nil, nil, fmt.Errorf("write journal: %w", err)
		}
		j.open[left[i].ID] = append(line, '\n')
	}
	return j, left, j.renew()
}

// readJournal returns the calls whose record may not have been stored. A line
// that was cut off is left out.
func readJournal(path string) ([]function.Invocation, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	var order []string
	last := map[string]function.Invocation{}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), 4<<20)
	for lines.Scan() {
		if id, stored := bytes.CutPrefix(lines.Bytes(), []byte("-")); stored {
			delete(last, string(id))
			continue
		}
		var inv function.Invocation
		if json.Unmarshal(lines.Bytes(), &inv) != nil || inv.ID == "" {
			continue
		}
		if _, again := last[inv.ID]; !again {
			order = append(order, inv.ID)
		}
		last[inv.ID] = inv
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	var left []function.Invocation
	for _, id := range order {
		if inv, ok := last[id]; ok {
			left = append(left, inv)
			delete(last, id)
		}
	}
	return left, nil
}

// note remembers a record as it is now: when a call begins and when it ended.
func (j *journal) note(inv *function.Invocation) error {
	line, err := json.Marshal(inv)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	line = append(line, '\n')
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open[inv.ID] = line
	return j.write(line)
}

// stored forgets records that are safe.
func (j *journal) stored(all []function.Invocation) error {
	var lines bytes.Buffer
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range all {
		if _, open := j.open[all[i].ID]; open {
			delete(j.open, all[i].ID)
			fmt.Fprintf(&lines, "-%s\n", all[i].ID)
		}
	}
	if lines.Len() == 0 {
		return nil
	}
	return j.write(lines.Bytes())
}

// write appends; the caller holds the lock. What a full disk cut off is
// repaired by writing the file anew.
func (j *journal) write(b []byte) error {
	if j.file == nil || j.size > maxJournal {
		return j.renew()
	}
	n, err := j.file.Write(b)
	j.size += int64(n)
	if err != nil {
		j.file.Close()
		j.file = nil
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// renew replaces the file by one that holds only what is open.
func (j *journal) renew() error {
	fresh := j.path + ".new"
	f, err := os.OpenFile(fresh, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("begin journal: %w", err)
	}
	w := bufio.NewWriter(f)
	size := int64(0)
	for _, line := range j.open {
		w.Write(line)
		size += int64(len(line))
	}
	if err := errors.Join(w.Flush(), os.Rename(fresh, j.path)); err != nil {
		f.Close()
		return fmt.Errorf("begin journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	// Renewed again only after as much again was added, however much is open.
	j.file, j.size = f, min(size, maxJournal/2)
	return nil
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
