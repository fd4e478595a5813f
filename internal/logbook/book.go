package logbook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Bounds of a book; our own choice: some 15,000 acts a file, years of a machine's life.
const (
	fileBytes = 4 << 20
	maxFiles  = 16
	maxFacts  = 64
	maxKey    = 64
	maxValue  = 512
	// lockWait is how long another process may be writing.
	lockWait = 5 * time.Second
)

const (
	folder   = "logbook"
	current  = "acts.jsonl"
	headFile = "head"
	domain   = "mulian-logbook-v1\x00"
)

// Act is one line.
type Act struct {
	Number uint64            `json:"n"`  // 1, 2, ... without gaps
	At     string            `json:"at"` // RFC 3339, UTC, milliseconds, by the machine's clock
	Verb   string            `json:"act"`
	Who    Who               `json:"who"`
	Facts  map[string]string `json:"facts,omitempty"`
	Prev   string            `json:"prev"` // hash of the line before; of the first: 64 zeros
}

// Who did it, as the system knows him: not proven, but by whom the process runs.
type Who struct {
	UID  int    `json:"uid"`
	User string `json:"user,omitempty"`
	Sudo string `json:"sudo,omitempty"` // who became root, by his own word
	Key  string `json:"key,omitempty"`  // id of the key that signed, where one did
}

// Me returns who runs this process.
func Me() Who {
	w := UserOf(os.Getuid())
	if w.UID == 0 {
		w.Sudo = cut(os.Getenv("SUDO_USER"), maxKey)
	}
	return w
}

// UserOf returns a user of this machine.
func UserOf(uid int) Who {
	w := Who{UID: uid}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		w.User = u.Username
	}
	return w
}

// Book is the logbook of one home. Nothing is open between two lines: several processes
// write to it, the node, the gateway and the command line.
type Book struct {
	dir string
	log *slog.Logger
	now func() time.Time
	big int64 // of a file; a test has smaller ones
}

// In returns the book of a home; log gets each line too, nil = nobody does.
func In(home string, log *slog.Logger) *Book {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Book{dir: filepath.Join(home, folder), log: log, now: time.Now, big: fileBytes}
}

// Write adds a line. It is durable when Write returns. Locked when another process writes
// for too long, DiskFull, Damaged when the book's end cannot be read; the act itself is the
// caller's: whether it goes on without its line is for him to say.
func (b *Book) Write(ctx context.Context, who Who, verb string, facts map[string]string) error {
	unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	last, torn, err := b.end()
	if err != nil {
		return err
	}
	facts = bounded(facts)
	if torn > 0 {
		facts["torn_bytes_before"] = strconv.FormatInt(torn, 10)
	}
	if last, err = b.rotate(last); err != nil {
		return err
	}
	_, err = b.add(last, who, verb, facts)
	return err
}

// head is the end of a book.
type head struct {
	number uint64
	hash   string
}

var nothing = head{hash: strings.Repeat("0", 2*sha256.Size)}

func (b *Book) add(last head, who Who, verb string, facts map[string]string) (head, error) {
	act := Act{Number: last.number + 1, At: b.now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), Verb: verb, Who: who, Facts: facts, Prev: last.hash}
	line, hash, err := act.line()
	if err != nil {
		return head{}, err
	}
	path := filepath.Join(b.dir, current)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return head{}, written(err)
	}
	_, err = f.Write(line)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return head{}, written(err)
	}
	if act.Number == 1 {
		if err := durable.SyncDir(b.dir); err != nil {
			return head{}, written(err)
		}
	}
	// The power may fail here: the head is then one behind, which Verify accepts.
	next := head{act.Number, hash}
	if err := durable.ReplaceFile(filepath.Join(b.dir, headFile), fmt.Appendf(nil, "%d %s\n", next.number, next.hash), 0o600); err != nil {
		return head{}, written(err)
	}
	b.log.Info("operator's act", "act", verb, "number", act.Number, "uid", who.UID, "user", who.User, "hash", hash)
	return next, nil
}

func written(err error) error { return fault.Wrap(fault.CodeOf(err), err, "write the logbook") }

// line is an act as it stands in the file, and its hash: of the bytes of the line without
// the hash, behind a domain of its own.
func (a Act) line() ([]byte, string, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return nil, "", fmt.Errorf("logbook: %w", err)
	}
	hash := hashOf(body)
	return append(body[:len(body)-1], `,"hash":"`+hash+"\"}\n"...), hash, nil
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(append([]byte(domain), body...))
	return hex.EncodeToString(sum[:])
}

const hashTail = len(`,"hash":""}`) + 2*sha256.Size

// parse reads a line without its end, and checks its hash.
func parse(line []byte) (act Act, hash string, err error) {
	if len(line) < hashTail {
		return act, "", errors.New("it is no line of a logbook")
	}
	body, tail := line[:len(line)-hashTail], string(line[len(line)-hashTail:])
	hash = strings.TrimSuffix(strings.TrimPrefix(tail, `,"hash":"`), `"}`)
	body = append(bytes.Clone(body), '}')
	if len(hash) != 2*sha256.Size || hashOf(body) != hash {
		return act, "", errors.New("its hash is not that of its content")
	}
	return act, hash, json.Unmarshal(body, &act)
}

// end finds the last whole line, and cuts off one that a power failure has torn.
func (b *Book) end() (last head, torn int64, err error) {
	path := filepath.Join(b.dir, current)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b.noted()
	}
	if err != nil {
		return head{}, 0, written(err)
	}
	whole := raw[:bytes.LastIndexByte(raw, '\n')+1]
	if torn = int64(len(raw) - len(whole)); torn > 0 {
		if err := os.Truncate(path, int64(len(whole))); err != nil {
			return head{}, 0, written(err)
		}
	}
	if len(whole) == 0 {
		last, _, err = b.noted()
		return last, torn, err
	}
	line := bytes.TrimSuffix(whole, []byte("\n"))
	act, hash, err := parse(line[bytes.LastIndexByte(line, '\n')+1:])
	if err != nil {
		// Going on behind it hides nothing: Verify finds the line.
		last, _, nerr := b.noted()
		if nerr != nil || last.number == 0 {
			return head{}, 0, fault.Wrap(fault.Damaged, err, "the last line of %s", path)
		}
		return last, torn, nil
	}
	return head{act.Number, hash}, torn, nil
}

// noted is the end as the head file has it; nothing if there is none.
func (b *Book) noted() (head, int64, error) {
	raw, err := os.ReadFile(filepath.Join(b.dir, headFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nothing, 0, nil
	}
	if err != nil {
		return head{}, 0, written(err)
	}
	h, err := parseHead(string(raw))
	return h, 0, err
}

func parseHead(text string) (head, error) {
	number, hash, ok := strings.Cut(strings.TrimSpace(text), " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || len(hash) != 2*sha256.Size {
		return head{}, fault.Newf(fault.Damaged, "the logbook's head file says %.80q", text)
	}
	return head{n, hash}, nil
}

// rotate puts a full file aside, and drops the oldest when there are too many.
func (b *Book) rotate(last head) (head, error) {
	path := filepath.Join(b.dir, current)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() < b.big {
		return last, nil
	}
	if err != nil {
		return last, written(err)
	}
	first, err := firstOf(path)
	if err != nil {
		return last, err
	}
	if err := os.Rename(path, filepath.Join(b.dir, fmt.Sprintf("acts-%012d.jsonl", first.Number))); err != nil {
		return last, written(err)
	}
	files, err := b.files()
	if err != nil || len(files) < maxFiles {
		return last, err
	}
	// Written down before it is gone: else a dropped file and a stolen one look alike.
	next, err := firstOf(files[1])
	if err != nil {
		return last, err
	}
	if last, err = b.add(last, Me(), "logbook.drop", map[string]string{"through": strconv.FormatUint(next.Number-1, 10), "hash": next.Prev}); err != nil {
		return last, err
	}
	return last, written(os.Remove(files[0]))
}

// lock waits for its turn among the processes.
func (b *Book) lock(ctx context.Context) (unlock func(), err error) {
	if err := durable.MkdirPrivate(b.dir); err != nil {
		return nil, written(err)
	}
	for end := b.now().Add(lockWait); ; {
		l, err := durable.LockDir(b.dir, "mulian logbook")
		if err == nil {
			return func() { _ = l.Unlock() }, nil
		}
		if !errors.Is(err, durable.ErrHeld) || b.now().After(end) {
			return nil, fault.Wrap(fault.Locked, err, "the logbook %s", b.dir)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func bounded(facts map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range facts {
		if len(out) == maxFacts {
			out["more"] = strconv.Itoa(len(facts) - maxFacts)
			break
		}
		out[cut(k, maxKey)] = cut(v, maxValue)
	}
	return out
}

func cut(text string, most int) string {
	if len(text) <= most {
		return strings.ToValidUTF8(text, "?")
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
