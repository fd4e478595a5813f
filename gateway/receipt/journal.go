package receipt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"mulian/internal/durable"
)

// journal is a file of frames: length (4 bytes, big endian), CRC-32C of the
// content (4), content.
type journal struct {
	out *durable.Appender
	in  *os.File
}

const frameHead = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openJournal reads all whole frames, calls visit for each, cuts a torn end, which is set
// aside, and opens the file for appending. torn is asked before the cut whether so many bytes can
// be what a power failure left of the last write: a bit that flipped in an old frame
// must not cost those that follow it.
func openJournal(path string, visit func(offset int64, content []byte) error, torn func(bytes int64) error) (*journal, error) {
	in, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	end, err := scanFrames(in, visit)
	var size int64
	if err == nil {
		size, err = in.Seek(0, io.SeekEnd)
	}
	if err == nil && size > end {
		if err = torn(size - end); err == nil {
			err = setAside(path, in, end, size)
		}
	}
	if err == nil && size > end {
		// Power fails here: the torn end is still there, and is cut next time.
		if err = in.Truncate(end); err == nil {
			err = in.Sync()
		}
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("journal %s: %w", path, err)
	}
	out, err := durable.OpenAppend(path, 0o600)
	if err != nil {
		in.Close()
		return nil, err
	}
	return &journal{out: out, in: in}, nil
}

// setAside copies what is cut from a journal beside it: nothing of it is deleted.
func setAside(path string, in io.ReaderAt, from, end int64) error {
	cut := fmt.Sprintf("%s.cut-%d-%d", path, from, time.Now().UnixNano())
	return durable.ReplaceWith(cut, 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, io.NewSectionReader(in, from, end-from))
		return err
	})
}

// scanFrames returns where the last whole frame ends.
func scanFrames(in io.Reader, visit func(offset int64, content []byte) error) (end int64, err error) {
	r := bufio.NewReaderSize(in, 1<<20)
	head := make([]byte, frameHead)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return end, tornIsEnd(err)
		}
		size := binary.BigEndian.Uint32(head)
		if size == 0 || size > maxFrame {
			return end, nil
		}
		content := make([]byte, size)
		if _, err := io.ReadFull(r, content); err != nil {
			return end, tornIsEnd(err)
		}
		if crc32.Checksum(content, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
			return end, nil
		}
		if err := visit(end, content); err != nil {
			return end, err
		}
		end += frameHead + int64(size)
	}
}

func tornIsEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// append writes the contents in one write and returns the offset of the first when
// all are durable. The others follow at once, each frameHead and its length on.
func (j *journal) append(contents ...[]byte) (int64, error) {
	size := 0
	for _, c := range contents {
		size += frameHead + len(c)
	}
	b := make([]byte, 0, size)
	for _, c := range contents {
		b = binary.BigEndian.AppendUint32(b, uint32(len(c)))
		b = binary.BigEndian.AppendUint32(b, crc32.Checksum(c, castagnoli))
		b = append(b, c...)
	}
	return j.out.Append(b)
}

// read returns the content of the frame at offset.
func (j *journal) read(offset int64) ([]byte, error) {
	head := make([]byte, frameHead)
	if _, err := j.in.ReadAt(head, offset); err != nil {
		return nil, fmt.Errorf("read journal at %d: %w", offset, err)
	}
	size := binary.BigEndian.Uint32(head)
	if size == 0 || size > maxFrame {
		return nil, fmt.Errorf("read journal at %d: no frame there", offset)
	}
	content := make([]byte, size)
	if _, err := j.in.ReadAt(content, offset+frameHead); err != nil {
		return nil, fmt.Errorf("read journal at %d: %w", offset, err)
	}
	if crc32.Checksum(content, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return nil, fmt.Errorf("read journal at %d: checksum differs", offset)
	}
	return content, nil
}

func (j *journal) close() error { return errors.Join(j.out.Close(), j.in.Close()) }
