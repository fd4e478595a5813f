package custodian

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"mulian/custody/hsm"
	custodyv1 "mulian/gen/mulian/custody/v1"
	"mulian/internal/custody"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/safebox"
)

// UnwrapPath is where the custodian's door takes boxes.
const UnwrapPath = "/unwrap"

// Bounds of a question and an answer: a box is 113 bytes (safebox: an encapsulated key and
// 48). Our own choice above it.
const (
	maxAsk     = 16 << 10
	maxSealed  = 4096
	maxAccount = 64
)

// Ask is what a counter brings to the custodian's door.
type Ask struct {
	Account    string `json:"account"`
	Number     uint64 `json:"number"`      // of the unwrap on the ledger
	KeyVersion uint64 `json:"key_version"` // of the vault file
	Box        []byte `json:"box"`         // UnlockerBox.box
}

// Answer is what it gets: the seed, sealed to the receiver on the ledger, or a fault.
type Answer struct {
	Sealed []byte `json:"sealed,omitempty"`
	Code   uint32 `json:"code,omitempty"`
	Error  string `json:"error,omitempty"`
}

// Door answers counters: POST [UnwrapPath] with an [Ask]. It needs no secrecy: what comes and
// goes is sealed, and who asks is on the ledger.
func (c *Custodian) Door() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+UnwrapPath, func(w http.ResponseWriter, r *http.Request) {
		var ask Ask
		var answer Answer
		err := json.NewDecoder(io.LimitReader(r.Body, maxAsk)).Decode(&ask)
		if err != nil {
			err = fault.Wrap(fault.Malformed, err, "the question")
		} else {
			answer.Sealed, err = c.unwrap(r.Context(), ask)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			code := fault.CodeOf(err)
			c.Log.Warn("vault not opened", "account", fmt.Sprintf("%.40q", ask.Account), "unwrap", ask.Number, "code", code.String(), "error", err)
			answer = Answer{Code: uint32(code), Error: err.Error()}
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
		_ = json.NewEncoder(w).Encode(answer) // who has gone asks again
	})
	return mux
}

// unwrap opens a box once; who asks again gets what was sealed the first time. That the ledger
// has asked is proved before anybody waits for anybody.
func (c *Custodian) unwrap(ctx context.Context, ask Ask) ([]byte, error) {
	if _, err := c.asked(ctx, ask); err != nil {
		return nil, err
	}
	c.opening.Lock()
	defer c.opening.Unlock()
	c.sweep()
	w, err := c.asked(ctx, ask) // again: it may have been answered meanwhile
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.Dir, fmt.Sprintf("%s-%d.sealed", w.GetAccount(), w.GetNumber()))
	sealed, kept := os.ReadFile(path)
	switch sum := sha256.Sum256(sealed); {
	case w.GetState() == custodyv1.UnwrapState_UNWRAP_STATE_GIVEN && kept == nil && string(sum[:]) == string(w.GetResultHash()):
		return sealed, nil
	case w.GetState() != custodyv1.UnwrapState_UNWRAP_STATE_ASKED:
		return nil, fault.Newf(fault.IllegalTransition, "unwrap %d of %s is %s", w.GetNumber(), w.GetAccount(), w.GetState())
	case kept != nil && !errors.Is(kept, os.ErrNotExist):
		return nil, fmt.Errorf("read what was sealed: %w", kept)
	case kept != nil:
		if sealed, err = c.open(ctx, w, ask); err != nil {
			return nil, err
		}
		if err := durable.ReplaceFile(path, sealed, 0o600); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(sealed)
	if err := c.close(ctx, w, sum[:]); err != nil {
		return nil, err
	}
	c.Log.Info("vault opened for a receiver", "account", w.GetAccount(), "unwrap", w.GetNumber())
	return sealed, nil
}

// asked proves what the ledger says of the opening: NotFound; VerificationFailed (another box).
func (c *Custodian) asked(ctx context.Context, ask Ask) (*custodyv1.Unwrap, error) {
	w := &custodyv1.Unwrap{}
	if len(ask.Account) > maxAccount {
		return nil, fault.Newf(fault.TooLong, "account: %d bytes", len(ask.Account))
	}
	found, _, err := c.Proved.Get(ctx, fmt.Sprintf("%s%s/%010d", unwraps, ask.Account, ask.Number), w)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(ask.Box)
	switch {
	case !found || w.GetCustodian() != c.org():
		return nil, fault.Newf(fault.NotFound, "%.60s has no unwrap %d in the custody of %s", ask.Account, ask.Number, c.org())
	case string(hash[:]) != string(w.GetBoxHash()):
		return nil, fault.Newf(fault.VerificationFailed, "this is not the box that unwrap %d of %s is of", ask.Number, w.GetAccount())
	}
	return w, nil
}

// open opens the box in the hardware and seals what is in it to the receiver.
func (c *Custodian) open(ctx context.Context, w *custodyv1.Unwrap, ask Ask) ([]byte, error) {
	a, err := c.arrangement(ctx, w.GetAccount())
	if err != nil {
		return nil, err
	}
	public, err := sm.ParsePublic(sm.P256, a.GetSealKey())
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the opening key of %s", w.GetAccount())
	}
	key, err := c.Device.Opening(public.ID())
	if err != nil {
		return nil, err
	}
	private, err := hpke.NewDHKEMPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("the opening key of %s: %w", w.GetAccount(), err)
	}
	seed, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), safebox.CustodyBound(w.GetAccount(), ask.KeyVersion, c.org()), ask.Box)
	switch {
	case errors.Is(err, hsm.ErrDevice):
		return nil, fault.Wrap(fault.Unreachable, err, "the hardware of %s", c.org())
	case err != nil: // the version came with the question and nobody has signed it: ask again
		return nil, fault.Newf(fault.VerificationFailed, "the box of %s does not open as version %d: another vault's, another version's, or changed", w.GetAccount(), ask.KeyVersion)
	}
	return seal(w.GetReceiver(), custody.Handed(w.GetAccount(), w.GetNumber(), w.GetTxId()), seed)
}

// close says on the ledger what is given.
func (c *Custodian) close(ctx context.Context, w *custodyv1.Unwrap, hash []byte) error {
	_, err := c.Ledger.Send(ctx, c.Signer, &custodyv1.CloseUnwrap{Account: w.GetAccount(), Number: w.GetNumber(), ResultHash: hash})
	return err
}

// sweep removes sealed results for which nobody can ask any more, and what was signed for uses
// that are long over.
func (c *Custodian) sweep() {
	for pattern, keep := range map[string]time.Duration{"*.sealed": keepFor, "*.envelope": keepSigned} {
		files, err := filepath.Glob(filepath.Join(c.Dir, pattern))
		if err != nil {
			continue
		}
		for _, f := range files {
			if st, err := os.Stat(f); err == nil && time.Since(st.ModTime()) > keep {
				_ = os.Remove(f) // the next sweep tries again
			}
		}
	}
}

// seal closes a secret to a P-256 point.
func seal(point, info, secret []byte) ([]byte, error) {
	public, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the key to seal to")
	}
	to, err := hpke.NewDHKEMPublicKey(public)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the key to seal to")
	}
	return hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), info, secret)
}
