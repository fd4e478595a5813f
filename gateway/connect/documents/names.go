package documents

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"mulian/gateway/connect"
)

const (
	// PieceBytes is the most content of one row: with its name it fills a page of a delivery.
	PieceBytes = 1<<20 - 8<<10
	// maxFiles of one table, maxDepth of folders in it, maxName bytes of a file's name. Our
	// own choice; a name's part has at most 255 bytes on Linux.
	maxFiles = 200_000
	maxDepth = 16
	maxName  = 1024
	// maxPatterns that choose files, and their length.
	maxPatterns = 64
	maxPattern  = 256
)

// bookkeeping is our folder in one that is written into.
const bookkeeping = ".mulian"

// clean makes a name that came from outside one that can be a file's here: what steers a
// terminal or another system's paths becomes "_", and so does a leading dot. *ErrInvalid*: it
// would leave the folder, or is out of its bounds.
func clean(name string) (string, error) {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.Count(name, "/") > maxDepth {
		return "", fmt.Errorf("%w: a file's name of %d bytes", connect.ErrInvalid, len(name))
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if part == "" || part == "." || part == ".." || len(part) > 255 {
			return "", fmt.Errorf("%w: a file's name that leaves its folder", connect.ErrInvalid)
		}
		part = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || !unicode.IsGraphic(r) || r == '\\' || r == ':' {
				return '_'
			}
			return r
		}, part)
		if part[0] == '.' {
			part = "_" + part[1:]
		}
		parts[i] = part
	}
	out := path.Join(parts...)
	if !filepath.IsLocal(out) || len(out) > maxName {
		return "", fmt.Errorf("%w: a file's name that leaves its folder", connect.ErrInvalid)
	}
	return out, nil
}

// CheckPatterns refuses patterns that are none: ErrInvalid.
func CheckPatterns(patterns []string) error {
	if len(patterns) > maxPatterns {
		return fmt.Errorf("%w: %d patterns, at most %d", connect.ErrInvalid, len(patterns), maxPatterns)
	}
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil || p == "" || len(p) > maxPattern || !utf8.ValidString(p) {
			return fmt.Errorf("%w: a pattern for files' names", connect.ErrInvalid)
		}
	}
	return nil
}

// chosen tells whether a name fits one of the patterns; without any, each does.
func chosen(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return len(patterns) == 0
}
