package pack

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"mulian/client/evidence"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Zip writes a checked folder into one zip file, with the original beside the folder, as
// they lie here: unpacked, `mulian evidence verify` finds both. original "" leaves it out. The
// file at path is there whole or not at all, readable by its owner alone. Inaccessible.
func Zip(path, folder, original string) error {
	raw, err := read(folder, ManifestFile, maxManifest)
	if err != nil {
		return err
	}
	m, err := parse(raw)
	if err != nil {
		return err
	}
	o, err := evidence.ReadOpening(folder)
	if err != nil {
		return err
	}
	name := filepath.Base(o.Metadata.Name)
	out, err := os.CreateTemp(filepath.Dir(path), ".evidence-*")
	if err != nil {
		return fault.Wrap(fault.Inaccessible, err, "write %s", path)
	}
	defer os.Remove(out.Name()) // after the renaming there is none
	z := zip.NewWriter(out)
	at := time.UnixMilli(o.AtMs).UTC() // of the block: two packs of one folder are the same bytes
	for _, f := range append(m.Files, File{Name: ManifestFile}) {
		if err = add(z, name+evidence.Suffix+"/"+f.Name, filepath.Join(folder, f.Name), at); err != nil {
			break
		}
	}
	if err == nil && original != "" {
		err = add(z, name, original, at)
	}
	if err = errors.Join(err, z.Close()); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	return fault.Wrap(fault.Inaccessible, err, "write %s", path)
}

func add(z *zip.Writer, name, path string, at time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	defer f.Close()
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at}
	h.SetMode(0o600)
	w, err := z.CreateHeader(h)
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}
