package witness

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"mulian/internal/fault"
)

// Bounds of what comes from outside; our own choices, above what the standards need.
const (
	maxNote    = 8 << 10   // bytes of a checkpoint with all its signatures
	maxRequest = 16 << 10  // bytes of a request: 63 hashes of 45 bytes and a checkpoint
	maxHashes  = 63        // lines of a consistency proof (tlog-witness)
	maxSize    = 1<<53 - 1 // events of a log: what every program can hold exactly
	maxLogs    = 1000      // logs that a witness watches
)

// Checkpoint is a state of a log: the three lines that are signed.
type Checkpoint struct {
	Origin string // names the log; of ours prooffile.Origin
	Size   uint64
	Root   [32]byte
}

// String is the text that is signed.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// parseCheckpoint reads the text of a note. Lines after the third are signed along and mean
// nothing to us.
func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 || lines[0] == "" {
		return c, fault.Newf(fault.Malformed, "a checkpoint has three lines: origin, size, root")
	}
	c.Origin = lines[0]
	root, rootErr := base64.StdEncoding.Strict().DecodeString(lines[2])
	c.Size, err = strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(c.Size, 10) != lines[1] || c.Size > maxSize || rootErr != nil || len(root) != 32 || len(lines[2]) != 44 {
		return c, fault.Newf(fault.Malformed, "a checkpoint with the size %.30q and the root %.60q", lines[1], lines[2])
	}
	copy(c.Root[:], root)
	return c, nil
}

// Attest signs a checkpoint for a log: how is the caller's, who has the key; public is its
// Ed25519 key. What comes back is the signed note.
func Attest(c Checkpoint, public ed25519.PublicKey, how func(text []byte) ([]byte, error)) ([]byte, error) {
	out, err := note.Sign(&note.Note{Text: c.String()}, attester{c.Origin, public, how})
	if err != nil {
		return nil, fmt.Errorf("sign the checkpoint of %s: %w", c.Origin, err)
	}
	return out, nil
}

// attester is a note.Signer whose key is elsewhere.
type attester struct {
	name   string
	public ed25519.PublicKey
	how    func([]byte) ([]byte, error)
}

func (a attester) Name() string                     { return a.name }
func (a attester) KeyHash() uint32                  { return keyHash(a.name, algEd25519, a.public) }
func (a attester) Sign(text []byte) ([]byte, error) { return a.how(text) }

// Kinds of signatures in a note (C2SP signed-note).
const (
	algEd25519     = 1
	algCosignature = 4
)

// keyHash is the id of a key in a note.
func keyHash(name string, alg byte, public []byte) uint32 {
	h := sha256.Sum256(append([]byte(name+"\n"+string(rune(alg))), public...))
	return binary.BigEndian.Uint32(h[:])
}

// LogKey is the text ("vkey") by which people hand on the key of a log's signer.
func LogKey(origin string, public ed25519.PublicKey) (string, error) {
	text, err := note.NewEd25519VerifierKey(origin, public)
	return text, fault.Wrap(fault.Malformed, err, "the key of the log %s", origin)
}

// A Way returns the consistency proof that leads from the first old events of a log to the
// checkpoint that is being pushed (RFC 6962 section 2.1.2).
type Way func(ctx context.Context, old uint64) ([][]byte, error)
