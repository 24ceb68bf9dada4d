package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the database driver

	"redoubt.dev/redoubt/internal/fault"
)

const readers = 4

// Store is one open database. It is safe for concurrent use.
type Store struct {
	path   string
	locked *os.File
	log    *slog.Logger
	now    func() time.Time
	write  *sql.DB // one connection
	read   *sql.DB

	mu      sync.Mutex // held by the one writer
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	ids     counters
	interns interns
	touched map[int64]bool // atoms used while a sweep is on; nil otherwise

	salt    [16]byte
	atoms   *cache[int64, []byte]
	shapes  *cache[int64, *shape]
	refs    *cache[int64, *refRow]
	streams *cache[int64, streamKey]

	functions functionCache
}

// Open opens the database at path, making it where there is none, checks it
// and brings its tables up to date. A damaged file gives a fault.Unavailable
// error that names the file and the next step; it is never removed.
func Open(path string, log *slog.Logger) (*Store, error) {
	ctx := context.Background()
	if err := makeDirectory(path); err != nil {
		return nil, err
	}
	locked, err := lock(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path: path, log: log, now: time.Now, locked: locked,
		stmts:   make(map[string]*sql.Stmt),
		atoms:   newCache[int64, []byte](bodiesCached),
		shapes:  newCache[int64, *shape](shapesCached),
		refs:    newCache[int64, *refRow](refsCached),
		streams: newCache[int64, streamKey](streamsCached),
	}
	s.interns = newInterns()
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, s.explain(err)
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if err := checkFile(s.path); err != nil {
		return err
	}
	if err := makePrivate(s.path); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", dsn(s.path, "auto_vacuum(incremental)", "journal_mode(wal)", "synchronous(full)", "journal_size_limit(67108864)", "cache_size(-16000)")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := s.check(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", dsn(s.path, "query_only(1)", "cache_size(-16000)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return err
	}
	return s.change(ctx, (*tx).begin)
}

// begin loads what the writer keeps in memory.
func (t *tx) begin() error {
	fresh := make([]byte, len(t.s.salt))
	rand.Read(fresh)
	if err := t.exec("INSERT INTO settings (name, value) VALUES ('salt', ?) ON CONFLICT DO NOTHING", fresh); err != nil {
		return fmt.Errorf("write hash key: %w", err)
	}
	var salt []byte
	if err := t.one("SELECT value FROM settings WHERE name = 'salt'", nil, &salt); err != nil {
		return fmt.Errorf("read hash key: %w", err)
	}
	copy(t.s.salt[:], salt)
	return t.loadCounters()
}

// Close ends the store. Changes already written stay.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, st := range s.stmts {
		errs = append(errs, st.Close())
	}
	clear(s.stmts)
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
		s.conn = nil
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	return errors.Join(append(errs, s.locked.Close())...)
}

// Path returns the name of the database file.
func (s *Store) Path() string { return s.path }

func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(5000)", "foreign_keys(1)"}, pragmas...)}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// makePrivate creates an empty database file that only its owner can read:
// SQLite gives its side files the same mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make database: %w", err)
	}
	return f.Close()
}

func makeDirectory(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.New(fault.Unavailable, "make state directory: %w", err)
	}
	return nil
}
