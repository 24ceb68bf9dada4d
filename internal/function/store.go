package function

import "context"

// Store is the record a Registry needs. Calls with the context of a caller's
// transaction belong to it. A name that is not there is an error of kind
// fault.NotFound.
type Store interface {
	// GetFunction returns the function with all its versions. It stands in the
	// way of every call, so it answers from memory what has not changed since;
	// what it returns is shared and must not be changed.
	GetFunction(ctx context.Context, name string) (*Function, error)
	// ListFunctions returns one page by name and the cursor of the next, empty
	// after the last. Versions hold only those an alias points to and the
	// newest. What it returns is shared and must not be changed.
	ListFunctions(ctx context.Context, q Filter) (page []*Function, next string, err error)
	// PutFunction writes f whole, with the Revision f carries, if the record's
	// revision is expected; 0 expects that there is none of that name. Else
	// nothing is written and the error is of kind fault.Conflict. It keeps f:
	// the caller must not change it afterwards.
	PutFunction(ctx context.Context, f *Function, expected int64) error
	// DeleteFunction removes it with all its versions if its revision is
	// expected, else the error is of kind fault.Conflict. It keeps the mark.
	DeleteFunction(ctx context.Context, name string, expected int64) error
	// FunctionMark returns the highest Revision and Last that were ever put
	// under that name, zeros where none was. A deletion does not undo them.
	FunctionMark(ctx context.Context, name string) (Mark, error)
}

// Mark is what a name has come to: neither number is used again.
type Mark struct {
	Revision int64
	Last     int
}

// Filter selects functions; zero fields do not filter. Text is looked for,
// whatever its case, in name, description and labels. Limit is at least 1 and
// at most 1000.
type Filter struct {
	Limit  int
	Cursor string // what the page before ended with, opaque to all but the Store
	State  State
	Text   string
}
