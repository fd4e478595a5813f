// Package ledgertest is a small state machine with real signatures, and a chain of
// one or more nodes that runs it, for the tests of ledger and node.
//
// It is not the rules of the city: its transactions put a value under a key. Some
// values have effects of their own, see [Put].
package ledgertest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state"
	"mulian/state/machine"
)

// Put is a transaction: it puts Value under Key, counts the puts of the key under
// "count/"+Key, and emits an event. Special values:
//
//	"refuse"              refused with OutOfRange; the id is spent
//	"panic"               the machine panics
//	"validator HEX POWER" changes a validator at the end of the block
type Put struct {
	Key, Value string
	ExpiresMs  int64
	Salt       uint64
}

const domain = "mulian/ledgertest/v1"

// Sign returns the envelope of a Put.
func Sign(chainID string, key sm.PrivateKey, p Put) ([]byte, error) {
	body := []byte{byte(key.Algorithm())}
	body = binary.BigEndian.AppendUint64(body, uint64(p.ExpiresMs))
	body = binary.BigEndian.AppendUint64(body, p.Salt)
	for _, part := range []string{string(key.Public().Bytes()), chainID, p.Key, p.Value} {
		body = binary.BigEndian.AppendUint32(body, uint32(len(part)))
		body = append(body, part...)
	}
	sig, err := key.Sign(canon.Frame(domain, body))
	if err != nil {
		return nil, err
	}
	raw := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	return append(append(raw, body...), sig...), nil
}

type envelope struct {
	body, sig []byte
	public    sm.PublicKey
	chain     string
	Put
}

func parse(raw []byte) (*envelope, error) {
	bad := fault.Newf(fault.Malformed, "not a put of %d bytes", len(raw))
	if len(raw) < 4 || uint64(binary.BigEndian.Uint32(raw)) > uint64(len(raw)-4) {
		return nil, bad
	}
	e := &envelope{body: raw[4 : 4+binary.BigEndian.Uint32(raw)], sig: raw[4+binary.BigEndian.Uint32(raw):]}
	b := e.body
	if len(b) < 17 {
		return nil, bad
	}
	e.ExpiresMs = int64(binary.BigEndian.Uint64(b[1:]))
	e.Salt = binary.BigEndian.Uint64(b[9:])
	alg, b := sm.Algorithm(b[0]), b[17:]
	var parts [4]string
	for i := range parts {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, bad
		}
		n := binary.BigEndian.Uint32(b)
		parts[i], b = string(b[4:4+n]), b[4+n:]
	}
	if len(b) > 0 || len(parts[2]) == 0 || len(parts[2]) > 200 {
		return nil, bad
	}
	public, err := sm.ParsePublic(alg, []byte(parts[0]))
	if err != nil {
		return nil, bad
	}
	e.public, e.chain, e.Key, e.Value = public, parts[1], parts[2], parts[3]
	return e, nil
}

// Machine is the state machine. The zero value is ready.
type Machine struct{}

// Genesis is what Machine.Genesis reads: public keys in hex and powers.
type Genesis struct {
	Validators map[string]int64
}

// Genesis implements [machine.Machine].
func (Machine) Genesis(tx *state.Tx, _ machine.Env, signed []byte) ([]machine.Validator, error) {
	var g Genesis
	if err := json.Unmarshal(signed, &g); err != nil {
		return nil, fault.Newf(fault.Malformed, "genesis: %v", err)
	}
	var out []machine.Validator
	for k, p := range g.Validators {
		raw, err := hex.DecodeString(k)
		if err != nil || len(raw) != 32 {
			return nil, fault.Newf(fault.Malformed, "genesis: key %q", k)
		}
		out = append(out, machine.Validator{PublicKey: [32]byte(raw), Power: p})
	}
	tx.Put([]byte("begun"), []byte("yes"), state.Proved)
	return out, nil
}

// Check implements [machine.Machine].
func (Machine) Check(_ state.View, env machine.Env, raw []byte) error {
	e, err := parse(raw)
	if err != nil {
		return err
	}
	if env.Room != nil { // the part of the key before a slash stands for the account
		if err := env.Room(e.Key); err != nil {
			return err
		}
	}
	if r := e.judge(env); r.Code != fault.OK {
		return fault.Newf(r.Code, "%s", r.Text)
	}
	return nil
}

func (e *envelope) judge(env machine.Env) machine.Result {
	switch {
	case e.chain != env.ChainID:
		return result(fault.WrongChain, env, false)
	case !env.Verify(e.public, canon.Frame(domain, e.body), e.sig):
		return result(fault.BadAuthorisation, env, false)
	case e.ExpiresMs <= env.TimeMs:
		return result(fault.Expired, env, true)
	case e.ExpiresMs > env.TimeMs+600_000:
		return result(fault.OutOfRange, env, true)
	}
	return result(fault.OK, env, true)
}

func result(code fault.Code, env machine.Env, remember bool) machine.Result {
	data, err := canon.Marshal(&txv1.Outcome{Code: uint32(code), Height: env.Height})
	if err != nil {
		panic(err)
	}
	return machine.Result{Code: code, Data: data, Text: "judged " + code.String(), Remember: remember}
}

// Apply implements [machine.Machine].
func (m Machine) Apply(tx *state.Tx, env machine.Env, raw []byte) machine.Result {
	e, err := parse(raw)
	if err != nil {
		return result(fault.Malformed, env, false)
	}
	r := e.judge(env)
	if r.Code != fault.OK {
		return r
	}
	if e.Value == "refuse" {
		tx.Put([]byte("never"), []byte("kept"), state.Proved)
		return result(fault.OutOfRange, env, true)
	}
	if e.Value == "panic" {
		panic("the machine was asked to panic")
	}
	tx.Put([]byte(e.Key), []byte(e.Value), state.Proved)
	count := []byte("count/" + e.Key)
	was, _ := tx.Get(count)
	n, _ := strconv.Atoi(string(was))
	tx.Put(count, []byte(strconv.Itoa(n+1)), state.Plain)
	if strings.HasPrefix(e.Value, "validator ") {
		tx.Put([]byte("pending-validator"), []byte(e.Value), state.Plain)
	}
	id, _ := m.ID(raw)
	event, err := canon.Marshal(&tracev1.Event{Height: env.Height, TimeMs: env.TimeMs, TxId: id[:], Verb: "test/put", Objects: []string{e.Key}})
	if err != nil {
		panic(err)
	}
	tx.Emit(event)
	return r
}

// End implements [machine.Machine].
func (Machine) End(tx *state.Tx, _ machine.Env) []machine.Validator {
	key := []byte("pending-validator")
	v, ok := tx.Get(key)
	if !ok {
		return nil
	}
	tx.Delete(key, state.Plain)
	var hexKey string
	var power int64
	if _, err := fmt.Fscanf(bytes.NewReader(v), "validator %s %d", &hexKey, &power); err != nil {
		return nil
	}
	raw, err := hex.DecodeString(hexKey)
	if err != nil || len(raw) != 32 {
		return nil
	}
	return []machine.Validator{{PublicKey: [32]byte(raw), Power: power}}
}

// ID implements [machine.Machine].
func (Machine) ID(raw []byte) ([32]byte, error) {
	e, err := parse(raw)
	if err != nil {
		return [32]byte{}, err
	}
	return canon.Digest(domain, e.body), nil
}
