// Package sandbox runs one program in isolation: in namespaces of its own, on a
// read-only root, as nobody, without privileges, behind a filter of system
// calls and Landlock, within limits of memory, CPU and processes, with no way
// out but sockets that its host opened for it. It knows nothing of what the
// program is for, and makes no policy: a Spec says what the program may have.
//
// # What is guaranteed about starting programs
//
// Every exec is decided here, outside the sandbox. Without Spec.Exec none is
// allowed after the program itself, and there is nothing to race: the kernel is
// told to refuse before it looks at the path.
//
// With Spec.Exec the process's memory is read to decide, and could be changed
// before the kernel reads it again. A program that can do that runs machine code
// of its choice already; what it gains is bounded by Landlock, which holds every
// exec to the files of the program, those of Spec.Exec, and the interpreters
// these name. Two things follow. A granted script grants its interpreter. And
// the dynamic loader, which dynamic programs need, can be raced into loading
// another program of the root; that program is as confined as the first, and
// cannot start any other. Memory files cannot be executed, nor files in /tmp.
// Where the kernel has no Landlock, Host.Gaps says so.
//
// No rule about exec can keep a program from interpreting what it likes in its
// own memory. That is what all the other walls are for.
//
// # Who does what
//
// The host prepares: control groups, a network with its sockets, mounts that
// nobody else sees. A small launcher forks, because a large process is slow to
// copy. Init builds the root inside, gives everything up and becomes the
// program. If the host dies, the kernel ends the launcher, and with it all
// programs.
//
// # What is shared
//
// The kernel. This isolates the owner's own code, which may be attacked; it is
// no place for code of hostile tenants.
package sandbox
