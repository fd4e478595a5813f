package prooffile

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// What the verifier reads of the ledger's messages (proto/mulian/*/v1). An event
// and an access record are read strictly, for the statement shows all of them; of
// the others only the named fields count.

// founding is what a genesis says of the chain.
type founding struct {
	chain      string
	validators []pinned
}

// pinned is a validator of the genesis.
type pinned struct {
	key   []byte // Ed25519
	power int64
	sm2   []byte // SEC 1 uncompressed; nil: none
}

func scanGenesis(raw []byte) (*founding, error) {
	v, err := scan(raw, false, field{1, 't'}, field{8, 'B'})
	if err != nil {
		return nil, err
	}
	g := &founding{chain: v.text(1)}
	if n := len(v.bytes[8]); n == 0 || n > maxValidators {
		return nil, fmt.Errorf("%d validators, 1 to %d are possible", n, maxValidators)
	}
	for i, b := range v.bytes[8] {
		x, err := scan(b, false, field{1, 'b'}, field{2, 'n'}, field{5, 'b'})
		if err != nil {
			return nil, fmt.Errorf("validator %d: %w", i, err)
		}
		p := pinned{key: x.raw(1), power: int64(x.number(2)), sm2: x.raw(5)}
		if len(p.key) != 32 || p.power < 1 || p.power > maxPower || len(p.sm2) != 0 && len(p.sm2) != 65 {
			return nil, fmt.Errorf("validator %d has no usable key or power", i)
		}
		g.validators = append(g.validators, p)
	}
	return g, nil
}

// sm2Of returns the SM2 key that the genesis pins for a validator, or nil.
func (g *founding) sm2Of(key []byte) []byte {
	for _, v := range g.validators {
		if string(v.key) == string(key) {
			return v.sm2
		}
	}
	return nil
}

// accountKey is a key as the ledger keeps it.
type accountKey struct {
	id                         string
	algorithm                  uint64
	public                     []byte
	addedMs, endsMs, revokedMs uint64
	passkey                    []byte // Passkey; nil: it is none
}

func scanKey(raw []byte) (*accountKey, error) {
	v, err := scan(raw, false, field{1, 't'}, field{2, 'n'}, field{3, 'b'}, field{6, 'n'}, field{7, 'n'}, field{8, 'n'}, field{11, 'b'})
	if err != nil {
		return nil, err
	}
	return &accountKey{id: v.text(1), algorithm: v.number(2), public: v.raw(3), addedMs: v.number(6), endsMs: v.number(7), revokedMs: v.number(8), passkey: v.raw(11)}, nil
}

// scanAccount returns an account's id and its keys.
func scanAccount(raw []byte) (id string, keys []*accountKey, err error) {
	v, err := scan(raw, false, field{1, 't'}, field{5, 'B'})
	if err != nil {
		return "", nil, err
	}
	if n := len(v.bytes[5]); n > maxKeys {
		return "", nil, fmt.Errorf("it has %d keys, at most %d are possible", n, maxKeys)
	}
	for _, b := range v.bytes[5] {
		k, err := scanKey(b)
		if err != nil {
			return "", nil, fmt.Errorf("it has a key that is none: %w", err)
		}
		keys = append(keys, k)
	}
	return v.text(1), keys, nil
}

// event is one leaf of the ledger's log.
type event struct {
	height, timeMs, message uint64
	tx                      []byte
	actor, verb, note       string
	objects                 []string
}

func scanEvent(raw []byte) (*event, error) {
	v, err := scan(raw, true, field{1, 'n'}, field{2, 'n'}, field{3, 'b'}, field{4, 'n'}, field{5, 't'}, field{6, 't'}, field{7, 'T'}, field{8, 't'})
	if err != nil {
		return nil, err
	}
	e := &event{
		height: v.number(1), timeMs: v.number(2), message: v.number(4), tx: v.raw(3),
		actor: v.text(5), verb: v.text(6), note: v.text(8), objects: v.texts(7),
	}
	if len(e.tx) != 0 && len(e.tx) != 32 || e.timeMs > maxMs {
		return nil, fmt.Errorf("its transaction id has %d bytes, its time is %d", len(e.tx), e.timeMs)
	}
	return e, nil
}

func (v values) texts(n protowire.Number) []string {
	var out []string
	for _, b := range v.bytes[n] {
		out = append(out, string(b))
	}
	return out
}

// body is what a transaction says of itself.
type body struct {
	chain, account string
	messages       int
}

func scanBody(raw []byte) (*body, error) {
	v, err := scan(raw, false, field{1, 't'}, field{2, 't'}, field{5, 'B'})
	if err != nil {
		return nil, err
	}
	return &body{chain: v.text(1), account: v.text(2), messages: len(v.bytes[5])}, nil
}

// scanEnvelope takes apart what a server answers: a file has the parts. A step-up is not
// among them: the ledger has judged it, as it has the level of the key.
func scanEnvelope(raw []byte) (*sealed, error) {
	v, err := scan(raw, true, field{1, 'b'}, field{2, 'm'}, field{3, 'm'})
	if err != nil {
		return nil, err
	}
	s, err := scan(v.raw(2), true, field{1, 't'}, field{2, 'b'})
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	id := idOf(v.raw(1))
	return &sealed{id: id[:], body: v.raw(1), key: s.text(1), signature: s.raw(2)}, nil
}

// record is one leaf of a gateway's log.
type record struct{ values }

func scanRecord(raw []byte) (*record, error) {
	v, err := scan(
		raw, true, field{1, 't'}, field{2, 't'}, field{3, 'n'}, field{4, 'n'}, field{5, 'n'}, field{6, 't'}, field{7, 't'}, field{8, 't'},
		field{9, 'n'}, field{10, 'T'}, field{11, 't'}, field{12, 'n'}, field{13, 'n'}, field{14, 'b'}, field{15, 'b'}, field{16, 'n'},
		field{17, 'n'}, field{18, 'n'}, field{19, 'b'}, field{20, 'n'}, field{21, 'n'}, field{22, 't'}, field{23, 'b'}, field{24, 'n'},
	)
	if err != nil {
		return nil, err
	}
	r := &record{v}
	if outcome := v.number(4); outcome == 0 || outcome >= uint64(len(outcomes)) || v.number(16) > maxMs {
		return nil, fmt.Errorf("its outcome is %d, its time %d", v.number(4), v.number(16))
	}
	if _, err := r.secret(); err != nil {
		return nil, err
	}
	return r, nil
}

// outcomes by number (mulian.trace.v1.Outcome).
var outcomes = []string{"", "granted", "refused", "completed", "failed", "opened"}

func (r *record) gateway() string { return r.text(1) }
func (r *record) asker() string   { return r.text(7) }
func (r *record) atMs() uint64    { return r.number(16) }

// logKey is a key of a log and the sizes that it signs.
type logKey struct {
	public      []byte
	from, until uint64 // until 0: it still signs
}

// scanLogKeys reads origin and keys of the log of a gateway's account: those that it
// lists, or the one that it names, for every size.
func scanLogKeys(raw []byte, account string) (origin string, keys []logKey, err error) {
	v, err := scan(raw, false, field{1, 't'}, field{11, 'm'})
	if err != nil || v.text(1) != account {
		return "", nil, fmt.Errorf("it is not that account: %v", err)
	}
	p, err := scan(v.raw(11), false, field{3, 't'}, field{4, 'b'}, field{6, 'B'})
	if err != nil {
		return "", nil, err
	}
	for _, b := range p.bytes[6] {
		k, err := scan(b, false, field{1, 'b'}, field{2, 'n'}, field{3, 'n'})
		if err != nil {
			return "", nil, err
		}
		keys = append(keys, logKey{k.raw(1), k.number(2), k.number(3)})
	}
	if len(keys) == 0 {
		keys = []logKey{{public: p.raw(4)}}
	}
	for _, k := range keys {
		if p.text(3) == "" || len(k.public) != 32 {
			return "", nil, fmt.Errorf("no origin, or a key of %d bytes", len(k.public))
		}
	}
	return p.text(3), keys, nil
}

// scanHead reads size and root of an anchored head.
func scanHead(raw []byte) (gateway string, size uint64, root []byte, err error) {
	v, err := scan(raw, false, field{1, 't'}, field{2, 'n'}, field{3, 'b'})
	if err == nil && len(v.raw(3)) != 32 {
		err = fmt.Errorf("a root of %d bytes", len(v.raw(3)))
	}
	return v.text(1), v.number(2), v.raw(3), err
}

// clock writes a time of the ledger or of a gateway, which count milliseconds.
func clock(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}
