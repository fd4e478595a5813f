//go:build !noconsole

package console

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are the pages: index.html, box.html, assets/.
var Files = func() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("console: " + err.Error()) // the folder is embedded above
	}
	return sub
}()
