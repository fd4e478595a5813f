package durable

import (
	"io"
	"io/fs"
	"os"
)

// ReplaceWith is [ReplaceFile] for content that is too large to be held: write
// writes it. When write fails, the file at path is the old one.
func ReplaceWith(path string, mode fs.FileMode, write func(io.Writer) error) error {
	return place(path, write, mode, os.Rename)
}
