package sm

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"mulian/internal/durable"
)

// LoadPrivate reads the key file at path. It refuses a file that others than its
// owner can read or write: the key must then be taken as known to them.
func LoadPrivate(path string) (PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat() // of the open file, not of the path: nobody can change it in between
	if err != nil {
		return PrivateKey{}, fmt.Errorf("stat key file: %w", err)
	}
	if !st.Mode().IsRegular() {
		return PrivateKey{}, fmt.Errorf("key file %s is not a regular file", path)
	}
	if mode := st.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return PrivateKey{}, fmt.Errorf("key file %s has mode %04o: other users of this machine can reach it; run: chmod 600 %s (and replace the key if they may have read it)", path, mode, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, MaxKeyFileSize+1))
	if err != nil {
		return PrivateKey{}, fmt.Errorf("read key file: %w", err)
	}
	k, err := ParsePrivate(text)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("key file %s: %w", path, err)
	}
	return k, nil
}

// SavePrivate writes k to a new file of mode 0600. It never replaces a file: the
// error then wraps fs.ErrExist. When it returns nil the key survives a power
// failure; when it fails there is no file, or the whole key under a temporary name.
func SavePrivate(path string, k PrivateKey) error {
	text, err := k.Marshal()
	if err != nil {
		return err
	}
	if err := durable.CreateFile(path, text, 0o600); err != nil {
		return fmt.Errorf("save key %s: %w", k.pub.ID(), err)
	}
	return nil
}
