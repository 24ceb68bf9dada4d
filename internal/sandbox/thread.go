package sandbox

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread of its own, which ends with f: it may join
// namespaces and groups it cannot leave. The process's first thread is spared,
// because it would not end but stay where f went, for ever.
func onThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		// While this goroutine holds the first thread, the next gets another.
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			f()
		}()
		<-done
		runtime.UnlockOSThread()
	}()
}

// call runs f on such a thread and waits for its result.
func call[T any](f func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	c := make(chan result, 1)
	onThread(func() {
		v, err := f()
		c <- result{v, err}
	})
	r := <-c
	return r.v, r.err
}
