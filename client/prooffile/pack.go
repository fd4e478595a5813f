package prooffile

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages in a file repeat each other: an object stands in the transaction
// that made it, accounts and keys stand everywhere. So they are packed, in a way of
// our own, because a packed form has to be the only one: a verifier unpacks, packs
// again and compares. Deflate has as many forms as there are programs.
//
// The messages lie one behind the other in a window, in the order genesis, values
// of objects, events, transactions. Each is a row of tokens:
//
//	count of bytes that follow | the bytes | length of a copy - 5 | its distance - 1
//
// and the last token may end after its bytes. Numbers are varints in their shortest
// form. The packer goes from left to right: where the next 5 bytes stood before, at
// the last such place it copies as much as it can; else it passes over one byte.
// A place counts if its 5 bytes lie within one message.

// minCopy is the shortest copy: shorter ones win nothing.
const minCopy = 5

// maxUnpacked bounds all messages of a file together.
const maxUnpacked = 2 << 20

// window is what was packed or unpacked so far.
type window struct {
	data []byte
	last map[uint64]int32 // the last place of 5 bytes
}

func newWindow() *window { return &window{last: make(map[uint64]int32, 1<<12)} }

// five returns the 5 bytes at a place as a number.
func (w *window) five(i int) uint64 {
	b := w.data[i : i+minCopy]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32
}

// pack appends a message to the window and returns its tokens.
func (w *window) pack(message []byte) []byte {
	start := len(w.data)
	w.data = append(w.data, message...)
	end := len(w.data)
	var out []byte
	plain, i := start, start
	for i+minCopy <= end {
		from, there := w.last[w.five(i)]
		if !there {
			w.last[w.five(i)] = int32(i)
			i++
			continue
		}
		n := minCopy
		for i+n < end && w.data[int(from)+n] == w.data[i+n] {
			n++
		}
		out = protowire.AppendBytes(out, w.data[plain:i])
		out = protowire.AppendVarint(out, uint64(n-minCopy))
		out = protowire.AppendVarint(out, uint64(i-int(from)-1))
		for stop := i + n; i < stop; i++ {
			if i+minCopy <= end {
				w.last[w.five(i)] = int32(i)
			}
		}
		plain = i
	}
	if plain < end {
		out = protowire.AppendBytes(out, w.data[plain:end])
	}
	return out
}

// unpack returns the message with these tokens, which are the ones that pack makes.
func (w *window) unpack(tokens []byte) ([]byte, error) {
	message, err := w.expand(tokens)
	if err != nil {
		return nil, err
	}
	if string(w.pack(message)) != string(tokens) {
		return nil, fmt.Errorf("the form in which a packer writes these %d bytes", len(message))
	}
	return message, nil
}

// expand reads the tokens.
func (w *window) expand(tokens []byte) ([]byte, error) {
	var out []byte
	room := maxUnpacked - len(w.data)
	for len(tokens) > 0 {
		n, used, err := varint(tokens)
		if err != nil || n > uint64(len(tokens)-used) || n > uint64(room-len(out)) {
			return nil, fmt.Errorf("plain bytes within %d in all", maxUnpacked)
		}
		out = append(out, tokens[used:used+int(n)]...)
		if tokens = tokens[used+int(n):]; len(tokens) == 0 {
			break
		}
		length, used, err := varint(tokens)
		if err != nil || length > uint64(room) || length+minCopy > uint64(room-len(out)) {
			return nil, fmt.Errorf("a copy within %d bytes in all", maxUnpacked)
		}
		tokens = tokens[used:]
		back, used, err := varint(tokens)
		if err != nil || back >= uint64(len(w.data)+len(out)) {
			return nil, fmt.Errorf("a copy of what stands before it")
		}
		tokens = tokens[used:]
		from := len(w.data) + len(out) - int(back) - 1
		for range int(length) + minCopy {
			if from < len(w.data) {
				out = append(out, w.data[from])
			} else {
				out = append(out, out[from-len(w.data)])
			}
			from++
		}
	}
	return out, nil
}
