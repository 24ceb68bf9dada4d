package link

// The wire in short. Calls are connectrpc over HTTP/2 and TLS 1.3; both ends
// show certificates of the console's own authority (see package pki), and the
// node a call speaks for is read from the certificate, never from a message.
//
// Events travel as protobuf with tables of strings, workloads, files,
// processes and verdicts per batch, because they are many and alike. Policies,
// profiles, deltas, workloads and status travel as the JSON of their Go types
// inside one bytes field each: they are few, they are documents the API shows
// in that very form, and JSON keeps and skips unknown fields just as well.
//
// Versions: every request carries Protocol, every answer too. Protobuf numbers
// are never reused, JSON fields never change their meaning, and a peer ignores
// what it does not know. A console therefore serves defenders of its own
// release and of the two before it, and refuses older ones with a sentence
// that says what to upgrade; oldest says where that line is.
const (
	// Protocol is the version of the wire this build speaks.
	Protocol = 1
	oldest   = 1
)

// Limits of what one peer takes from the other.
const (
	maxEvents   = 4096      // events in a batch
	maxBatch    = 16 << 20  // bytes of a batch on the wire, decompressed
	fullBatch   = 4 << 20   // bytes above which an Outbox makes two
	maxExpanded = 64 << 20  // bytes of a batch once its tables are resolved
	maxEvent    = 1 << 20   // bytes of one event once its tables are resolved
	maxString   = 128 << 10 // bytes of one path, argument, reason
	maxDesired  = 64 << 20  // bytes of the desired state
	maxDepth    = 64        // processes in a parent chain
)
