package store

import (
	"context"
	"errors"
)

// ErrNone says that there is no such blob.
var ErrNone = errors.New("there is nothing of that name")

// Blobs is the medium: names to bytes. Names are relative paths of [a-z0-9-./], at most 300
// bytes; contents at most PartBytes and a little. Two implementations must not differ in
// anything that package boxtest sees. Any number of goroutines may use it.
type Blobs interface {
	// Put writes a blob whole, in place of any of that name. Durable once it returns nil;
	// after an error or a crash the old or the new one is there.
	Put(ctx context.Context, name string, content []byte) error
	// Get returns a blob, at most limit bytes of it. ErrNone.
	Get(ctx context.Context, name string, limit int64) ([]byte, error)
	// Size returns a blob's length. ErrNone.
	Size(ctx context.Context, name string) (int64, error)
	// Delete destroys a blob's content and then its name. Durable once it returns nil. A
	// name that is not there is no error.
	Delete(ctx context.Context, name string) error
	// List returns up to limit names with the prefix that come after after, in byte order.
	List(ctx context.Context, prefix, after string, limit int) ([]string, error)
	// Close ends the use.
	Close() error
}
