//go:build noconsole

package console

import (
	"embed"
	"io/fs"
)

// Files has no pages in this build.
var Files fs.FS = embed.FS{}
