package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"redoubt.dev/redoubt/internal/fault"
)

// checkedWhole is the size up to which Open reads every page of the database;
// above it, only the file's header and length are checked, and damage further
// in shows when it is read. A start must not take minutes.
const checkedWhole = 64 << 20

// ErrFull says that the disk is full: nothing of the change was kept, and it
// may be tried again.
var ErrFull = errors.New("disk full")

// errDamaged says that the file is not a whole SQLite database.
var errDamaged = errors.New("database damaged")

// checkFile looks at the file's header before SQLite does, which takes a very
// short file for an empty database and would write a new one.
func checkFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.New(fault.Unavailable, "open database: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fault.New(fault.Unavailable, "open database: %w", err)
	}
	if st.Size() == 0 {
		return nil
	}
	var head [100]byte
	if _, err := io.ReadFull(f, head[:]); err != nil || string(head[:16]) != "SQLite format 3\x00" {
		return damaged(path, "it does not begin like one")
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil // its pages may still be missing in the file: check looks once they are there
	}
	return checkLength(path, st.Size(), head[:])
}

// checkLength says whether the file has all the pages its header counts.
func checkLength(path string, size int64, head []byte) error {
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	if whole := page * pages; size < whole {
		return damaged(path, fmt.Sprintf("%d of %d bytes are there", size, whole))
	}
	return nil
}

func damaged(path, what string) error {
	return fault.New(fault.Unavailable, "%w: %s is not a whole Redoubt database: %s. Nothing was changed. "+
		"Restore it from a copy, or move %s, %s-wal and %s-shm aside and start redoubt again: it makes a new database, and defenders send what they have spooled",
		errDamaged, path, what, path, path, path)
}

// check brings what a crash left in the log into the file, and reads the whole
// database where that is quick.
func (s *Store) check(ctx context.Context) error {
	var busy, frames, done int
	if err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(truncate)").Scan(&busy, &frames, &done); err != nil {
		return err
	}
	if err := checkFile(s.path); err != nil {
		return err
	}
	st, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if st.Size() > checkedWhole {
		return s.write.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(new(int))
	}
	return s.Check(ctx)
}

// Check reads every page and says what is damaged, as a fault.Unavailable
// error. It takes about a second per 100 MB and keeps no one from working.
func (s *Store) Check(ctx context.Context) error {
	// A connection of its own: on one that has read before, the check of the
	// word index looks through what it remembers and reports merged segments as
	// lost.
	db, err := sql.Open("sqlite", dsn(s.path, "query_only(1)"))
	if err != nil {
		return s.explain(fmt.Errorf("check database: %w", err))
	}
	defer db.Close()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return s.explain(fmt.Errorf("check database: %w", err))
	}
	if found != "ok" {
		return damaged(s.path, found)
	}
	return nil
}

// explain turns what SQLite says into an error a caller can branch on and a
// person can act on.
func (s *Store) explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		if errors.Is(err, errDamaged) {
			return err
		}
		return damaged(s.path, err.Error())
	case sqlite3.SQLITE_FULL:
		return fault.New(fault.Unavailable, "%w: free space for %s: %w", ErrFull, s.path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fault.New(fault.Unavailable, "%s is in use by another process: stop the other redoubt: %w", s.path, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
		return fault.New(fault.Unavailable, "use database %s: %w", s.path, err)
	}
	return err
}
