package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"syscall"

	"mulian/gateway/connect"
)

func init() {
	connect.Register(connect.Driver{Source: open}, "files")
	connect.Register(connect.Driver{Source: open, Sink: openSink(csvForm{})}, "csv")
	connect.Register(connect.Driver{Source: open, Sink: openSink(parquetForm{})}, "parquet")
}

// location is a parsed URL.
type location struct {
	dir   string
	temp  string // for temporary files; empty: the system's
	cache string // for what was inferred; empty: in memory only
}

// parse reads files:DIR, files://DIR, with ?temp=DIR and ?cache=DIR.
func parseURL(rawURL string) (location, error) {
	_, rest, _ := strings.Cut(rawURL, ":")
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		rest = after
	}
	dir, query, _ := strings.Cut(rest, "?")
	at := location{dir: dir}
	values, err := url.ParseQuery(query)
	if dir == "" || err != nil {
		return at, fmt.Errorf("%w: the URL is files:FOLDER, with ?temp=FOLDER and ?cache=FOLDER", connect.ErrInvalid)
	}
	for key, v := range values {
		switch {
		case len(v) != 1 || v[0] == "":
			return at, fmt.Errorf("%w: %.20q in the folder's URL", connect.ErrInvalid, key)
		case key == "temp":
			at.temp = v[0]
		case key == "cache":
			at.cache = v[0]
		default:
			return at, fmt.Errorf("%w: unknown %.20q in the folder's URL", connect.ErrInvalid, key)
		}
	}
	return at, nil
}

// openRoot opens the folder. Nothing outside of it can be reached through it, by whatever
// name or link.
func openRoot(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failure(err)
	}
	return root, nil
}

func open(_ context.Context, rawURL string) (connect.Source, error) {
	at, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(at.dir) // whether it answers; each call opens it again
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return &source{at: at, shapes: newMemory(at.cache, at.dir)}, nil
}

// failure gives an error of the system its meaning, without the path of this machine.
func failure(err error) error {
	var perr *fs.PathError
	reason := err
	if errors.As(err, &perr) {
		reason = perr.Err
	}
	switch {
	case err == nil, errors.Is(err, connect.ErrUnreachable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %w", connect.ErrUnreachable, reason)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", connect.ErrDenied, reason)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", connect.ErrFull, reason)
	case strings.Contains(err.Error(), "path escapes"):
		return fmt.Errorf("%w: a link that leaves the folder", connect.ErrDenied)
	}
	return reason
}
