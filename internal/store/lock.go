package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"redoubt.dev/redoubt/internal/fault"
)

// lock keeps a second process from opening the database: each keeps the next
// ids in memory. The lock ends with the process, however that ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+"-lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "lock database: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.New(fault.Unavailable, "%s is in use by another redoubt: stop that one, or choose another state directory", path)
	}
	return nil, fmt.Errorf("lock database: %w", err)
}
