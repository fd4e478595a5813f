package witness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// The files of a witness.
const (
	keyFile    = "witness.pem" // Ed25519, mode 0600
	logsDir    = "logs"        // the last cosigned checkpoint of each log
	refusedDir = "refused"     // what was signed by a log and did not continue it
	maxRefused = 1000          // files in it
)

// Witness cosigns checkpoints of the logs that it was given. It is safe for concurrent use;
// one process at a time has its directory.
type Witness struct {
	name string
	dir  string
	key  sm.PrivateKey
	logs map[string]note.Verifiers // by origin
	lock *durable.Lock
	now  func() time.Time

	mu sync.Mutex // one checkpoint at a time: compared and written as one act
}

// Open opens the witness in a directory, and makes it and its key the first time. name is
// its own ("witness.example/w1"); logs are the keys (LogKey) that it trusts, each for the
// log that it names; without any it answers for none. Damaged if the key is there and what the witness has cosigned is not:
// such a witness is retired, not started again. Usage for names and keys that are none.
func Open(dir, name string, logs []string) (*Witness, error) {
	if name == "" || len(name) > 100 || strings.ContainsAny(name, "+ \t\r\n\u2028\u00a0") {
		return nil, fault.Newf(fault.Usage, "a witness has a name of 1 to 100 characters without blanks and plus signs")
	}
	w := &Witness{name: name, dir: dir, logs: map[string]note.Verifiers{}, now: time.Now}
	if err := w.trust(logs); err != nil {
		return nil, err
	}
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "make the directory %s", dir)
	}
	var err error
	if w.lock, err = durable.LockDir(dir, "a witness"); err != nil {
		return nil, fault.Wrap(fault.Locked, err, "%v", err)
	}
	if err := w.load(); err != nil {
		return nil, errors.Join(err, w.lock.Unlock())
	}
	return w, nil
}

// Close gives the directory free.
func (w *Witness) Close() error { return w.lock.Unlock() }

func (w *Witness) trust(logs []string) error {
	if len(logs) > maxLogs {
		return fault.Newf(fault.Usage, "%d keys of logs, at most %d are possible", len(logs), maxLogs)
	}
	keys := map[string][]note.Verifier{}
	for _, text := range logs {
		v, err := note.NewVerifier(text)
		if err != nil {
			return fault.Newf(fault.Usage, "%.200q is no key of a log (ORIGIN+HASH+KEY): %v", text, err)
		}
		keys[v.Name()] = append(keys[v.Name()], v)
	}
	for origin, list := range keys {
		w.logs[origin] = note.VerifierList(list...)
	}
	return nil
}

// load reads the key, or makes it after the directory for what it will cosign: a key is
// never without its memory.
func (w *Witness) load() error {
	path, memory := filepath.Join(w.dir, keyFile), filepath.Join(w.dir, logsDir)
	key, err := sm.LoadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		for _, dir := range []string{memory, filepath.Join(w.dir, refusedDir)} {
			if err := durable.MkdirPrivate(dir); err != nil {
				return fault.Wrap(fault.Inaccessible, err, "make the directory %s", dir)
			}
		}
		if key, err = sm.Generate(sm.Ed25519); err == nil {
			err = sm.SavePrivate(path, key)
		}
	} else if _, lost := os.Stat(memory); err == nil && lost != nil {
		return fault.Newf(fault.Damaged, "the witness in %s has a key, and what it has cosigned is not there: retire it, and make another one elsewhere", w.dir)
	}
	if err != nil {
		return fault.Wrap(fault.Damaged, err, "the witness's key %s", path)
	}
	if key.Algorithm() != sm.Ed25519 {
		return fault.Newf(fault.Damaged, "the witness's key %s is %s, it must be Ed25519", path, key.Algorithm())
	}
	w.key = key
	return nil
}

// Key is the text ("vkey", cosignature/v1) by which people check its cosignatures.
func (w *Witness) Key() string {
	public := w.key.Public().Bytes()
	return fmt.Sprintf("%s+%08x+%s", w.name, keyHash(w.name, algCosignature, public), base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, public...)))
}

// fileOf is where the last checkpoint of a log is kept.
func (w *Witness) fileOf(origin string) string {
	return filepath.Join(w.dir, logsDir, fmt.Sprintf("%x", sha256.Sum256([]byte(origin))))
}

// last is the last cosigned checkpoint of a log, with the note; size 0 if there is none. One
// that cannot be read is Damaged: nothing is cosigned then.
func (w *Witness) last(origin string) (Checkpoint, []byte, error) {
	raw, err := os.ReadFile(w.fileOf(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{Origin: origin}, nil, nil
	}
	if err != nil {
		return Checkpoint{}, nil, fault.Wrap(fault.Inaccessible, err, "read what was cosigned of %s", origin)
	}
	text, _, _ := strings.Cut(string(raw), "\n\n")
	c, err := parseCheckpoint(text + "\n")
	if err != nil || c.Origin != origin {
		return c, nil, fault.Newf(fault.Damaged, "what was cosigned of %s cannot be read: %s", origin, w.fileOf(origin))
	}
	return c, raw, nil
}

// A verdict is what becomes of a checkpoint: the status of the protocol.
type verdict struct {
	status int
	body   string // the cosignature, the size that was expected, or for people
}

// add judges a checkpoint and cosigns what continues the last one.
func (w *Witness) add(old uint64, path [][]byte, raw []byte) (verdict, error) {
	origin, _, _ := strings.Cut(string(raw), "\n")
	keys := w.logs[origin]
	if keys == nil {
		return verdict{404, "this witness does not know the log\n"}, nil
	}
	signed, err := note.Open(raw, keys)
	if err != nil {
		return verdict{403, "no key of the log that this witness knows has signed\n"}, nil
	}
	c, err := parseCheckpoint(signed.Text)
	if err != nil {
		return verdict{400, err.Error() + "\n"}, nil
	}
	if old > c.Size {
		return verdict{400, "the old size is above the checkpoint's\n"}, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, _, err := w.last(origin)
	if err != nil {
		return verdict{}, err
	}
	if old != last.Size {
		return verdict{409, fmt.Sprintf("%d\n", last.Size)}, nil
	}
	if old == c.Size && old > 0 && c.Root != last.Root {
		return verdict{409, fmt.Sprintf("%d\n", last.Size)}, w.keep(raw)
	}
	if !continues(last, c, path) {
		return verdict{422, "the proof does not lead from the last checkpoint to this one\n"}, w.keep(raw)
	}
	line, err := w.cosign(signed.Text)
	if err != nil {
		return verdict{}, err
	}
	if err := durable.ReplaceFile(w.fileOf(origin), append(raw, line...), 0o600); err != nil {
		return verdict{}, fault.Wrap(fault.Inaccessible, err, "keep the checkpoint of %s", origin)
	}
	return verdict{200, line}, nil
}

// continues tells whether a checkpoint contains the last one.
func continues(last, c Checkpoint, path [][]byte) bool {
	if last.Size == 0 || last.Size == c.Size {
		empty := rfc6962.DefaultHasher.EmptyRoot()
		return len(path) == 0 && (c.Size > 0 || string(c.Root[:]) == string(empty)) && (last.Size == 0 || last.Root == c.Root)
	}
	return proof.VerifyConsistency(rfc6962.DefaultHasher, last.Size, c.Size, path, last.Root[:], c.Root[:]) == nil
}

// keep stores a checkpoint that a log has signed and that does not continue the last one:
// together they are evidence. Not more than maxRefused.
func (w *Witness) keep(raw []byte) error {
	dir := filepath.Join(w.dir, refusedDir)
	if list, err := os.ReadDir(dir); err != nil || len(list) >= maxRefused {
		return fault.Wrap(fault.Inaccessible, err, "read %s", dir)
	}
	path := filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256(raw)))
	return fault.Wrap(fault.Inaccessible, durable.ReplaceFile(path, raw, 0o600), "keep a refused checkpoint")
}

// cosign returns the line of the witness's signature (C2SP tlog-cosignature, v1).
func (w *Witness) cosign(text string) (string, error) {
	at := uint64(w.now().Unix())
	sig, err := w.key.Sign([]byte(cosigned(at, text)))
	if err != nil {
		return "", fmt.Errorf("cosign: %w", err)
	}
	raw := binary.BigEndian.AppendUint32(nil, keyHash(w.name, algCosignature, w.key.Public().Bytes()))
	raw = append(binary.BigEndian.AppendUint64(raw, at), sig...)
	return fmt.Sprintf("— %s %s\n", w.name, base64.StdEncoding.EncodeToString(raw)), nil
}

// cosigned is what a witness signs.
func cosigned(at uint64, text string) string {
	return fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, text)
}

// cosigner checks the cosignatures of one witness, as a note.Verifier.
type cosigner struct {
	name   string
	public ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return keyHash(c.name, algCosignature, c.public) }
func (c cosigner) Verify(text, sig []byte) bool {
	return len(sig) == 8+ed25519.SignatureSize && ed25519.Verify(c.public, []byte(cosigned(binary.BigEndian.Uint64(sig), string(text))), sig[8:])
}

// Cosigner reads the key of a witness. Usage if it is none.
func Cosigner(text string) (note.Verifier, error) {
	name, rest, _ := strings.Cut(text, "+")
	hash, key, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil || len(raw) != 33 || raw[0] != algCosignature || name == "" {
		return nil, fault.Newf(fault.Usage, "%.200q is no key of a witness (NAME+HASH+KEY, cosignature/v1)", text)
	}
	c := cosigner{name, raw[1:]}
	if fmt.Sprintf("%08x", c.KeyHash()) != hash {
		return nil, fault.Newf(fault.Usage, "the key of the witness %.100q does not fit its hash", name)
	}
	return c, nil
}
