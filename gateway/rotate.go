package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// How a sealing or log key is replaced while the gateway works:
//
//	SpareKey     the new key is in the ring; the gateway is opened anew and opens with it, too
//	Rotated      the ledger has it: others seal to it, readers take its signature; the old one stays
//	             (opened anew, the gateway signs the log with both)
//	retire       after the overlap, and when nothing waits that is sealed to the old key: the ledger
//	             says that it has ended, and its file is destroyed
//
// Killed at any moment, the gateway and the command go on where they were.

// defaultOverlap is how long both keys are in use: longer than any view of the ledger may
// be old, and a working day for readers of the log. Our own choice.
const defaultOverlap = 24 * time.Hour

// retireEvery is how often it is looked whether an old key can go.
const retireEvery = time.Minute

// SpareKey returns the newest sealing or log key of a ring (keyring.Seal, keyring.Log)
// that the ledger does not have for the account yet, and makes one if there is none.
// IllegalTransition while an earlier one is not retired.
func SpareKey(ring keyring.Ring, base string, a *identityv1.Account) (sm.PrivateKey, error) {
	p := a.GetGateway()
	alg, has := sm.Ed25519, map[string]bool{string(p.GetLogPublicKey()): true}
	switch base {
	case keyring.Seal:
		alg, has = sm.Algorithm(p.GetSealingKey().GetAlgorithm()), map[string]bool{string(p.GetSealingKey().GetPublicKey()): true}
		if p.GetOldSealingKey() != nil {
			return sm.PrivateKey{}, fault.Newf(fault.IllegalTransition, "the sealing key %s of %s still opens what is on its way; when it is destroyed there can be another", p.GetOldSealingKey().GetId(), a.GetId())
		}
	case keyring.Log:
		for _, k := range p.GetLogKeys() {
			has[string(k.GetPublicKey())] = true
			if k.GetUntilSize() == 0 && !bytes.Equal(k.GetPublicKey(), p.GetLogPublicKey()) {
				return sm.PrivateKey{}, fault.Newf(fault.IllegalTransition, "two keys sign the log of %s; when the older one has ended there can be another", a.GetId())
			}
		}
	default:
		return sm.PrivateKey{}, fault.Newf(fault.OutOfRange, "a key of kind %q is not rotated like this", base)
	}
	keys, err := numberedKeys(ring, a.GetId(), base)
	if err != nil {
		return sm.PrivateKey{}, err
	}
	last := 1
	for _, k := range keys {
		last = max(last, k.n)
	}
	if n := len(keys); n > 0 && !has[string(keys[n-1].key.Public().Bytes())] && keys[n-1].n > 1 {
		return keys[n-1].key, nil // an earlier try made it
	}
	return ring.New(a.GetId(), fmt.Sprintf("%s-%d", base, last+1), alg)
}

// Rotated is the profile of a gateway with a new sealing or log key beside the old one.
// size is how many records its log has.
func Rotated(p *identityv1.GatewayProfile, base string, fresh sm.PublicKey, size uint64) *identityv1.GatewayProfile {
	p = proto.CloneOf(p)
	if base == keyring.Seal {
		p.OldSealingKey = p.SealingKey
		p.SealingKey = &identityv1.Key{Id: fresh.ID(), Algorithm: identityv1.KeyAlgorithm(fresh.Algorithm()), PublicKey: fresh.Bytes()}
		return p
	}
	if len(p.LogKeys) == 0 {
		p.LogKeys = []*identityv1.LogKey{{PublicKey: p.LogPublicKey}}
	}
	p.LogKeys = append(p.LogKeys, &identityv1.LogKey{PublicKey: fresh.Bytes(), FromSize: size})
	p.LogPublicKey = fresh.Bytes()
	return p
}

// retire ends keys that were replaced, until ctx ends.
func (g *Gateway) retire(ctx context.Context) error {
	overlap := cmp.Or(g.opts.KeyOverlap, defaultOverlap)
	for {
		if err := g.retireDue(ctx, overlap); err != nil && ctx.Err() == nil {
			g.log.Warn("a key that was replaced is not retired yet", "code", fault.CodeOf(err).String(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(retireEvery, max(overlap/4, 50*time.Millisecond))):
		}
	}
}

// retireDue looks at each kind of key by itself: one that has to wait keeps no other.
func (g *Gateway) retireDue(ctx context.Context, overlap time.Duration) error {
	ring := keyring.Ring{Dir: g.cfg.KeysDir()}
	return errors.Join(ring.Sweep(), g.retireSeal(ctx, overlap), g.retireLog(ctx, overlap))
}

// replaced reads this gateway's account, and notes since when the ledger has its keys.
func (g *Gateway) replaced(ctx context.Context) (*identityv1.Account, sightings, error) {
	a := &identityv1.Account{}
	_, at, err := g.proved.Get(ctx, "identity/account/"+g.cfg.Account, a)
	if err != nil {
		return nil, nil, err
	}
	since, err := sighted(filepath.Join(g.cfg.Home, sightingsFile), at.Time, a.GetGateway().GetSealingKey().GetPublicKey(), a.GetGateway().GetLogPublicKey())
	return a, since, err
}

func (g *Gateway) retireSeal(ctx context.Context, overlap time.Duration) error {
	a, since, err := g.replaced(ctx)
	old := a.GetGateway().GetOldSealingKey()
	if err != nil || old == nil {
		return err
	}
	if waits, err := g.asker.Waiting(); err != nil || waits > 0 || !g.overlapped(keyring.Seal, a.GetGateway().GetSealingKey().GetPublicKey(), since, overlap) {
		return err
	}
	return g.retired(ctx, a, keyring.Seal, old.GetPublicKey(), func(p *identityv1.GatewayProfile) { p.OldSealingKey = nil })
}

func (g *Gateway) retireLog(ctx context.Context, overlap time.Duration) error {
	a, since, err := g.replaced(ctx)
	if err != nil {
		return err
	}
	newest := a.GetGateway().GetLogPublicKey()
	for i, k := range a.GetGateway().GetLogKeys() {
		if k.GetUntilSize() != 0 || bytes.Equal(k.GetPublicKey(), newest) {
			continue
		}
		if !g.overlapped(keyring.Log, newest, since, overlap) {
			return nil
		}
		return g.retired(ctx, a, keyring.Log, k.GetPublicKey(), func(p *identityv1.GatewayProfile) {
			// Above all that is anchored, whatever is anchored meanwhile.
			p.LogKeys[i].UntilSize = g.records.Size() + endAhead
		})
	}
	return nil
}

// endAhead is how many records above its present size a log may grow before the ledger has
// the end of a key: what a busy gateway logs in some seconds.
const endAhead = 100_000

// overlapped tells whether a new key is in use for long enough: the ledger has had it for
// so long, and this process works with it.
func (g *Gateway) overlapped(base string, public []byte, since sightings, overlap time.Duration) bool {
	inUse := g.keys.Seal
	if base == keyring.Log {
		inUse = g.keys.Log
	}
	if !bytes.Equal(inUse.Public().Bytes(), public) {
		// The ledger has it since this gateway was opened; it is opened anew to use it. A
		// sealing key is in use already: it opens with all that are in the ring.
		if base == keyring.Log || !g.keys.opens(public) {
			return false
		}
	}
	seen, ok := since[sightingOf(public)]
	return ok && time.Since(seen) >= overlap
}

func (k *Keys) opens(public []byte) bool {
	for _, s := range k.MoreSeals {
		if bytes.Equal(s.Public().Bytes(), public) {
			return true
		}
	}
	return false
}

// retired tells the ledger that a key has ended, and destroys it. The ledger's event is the
// record of it.
func (g *Gateway) retired(ctx context.Context, a *identityv1.Account, base string, public []byte, end func(*identityv1.GatewayProfile)) error {
	ring := keyring.Ring{Dir: g.cfg.KeysDir()}
	keys, err := numberedKeys(ring, g.cfg.Account, base)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if !bytes.Equal(k.key.Public().Bytes(), public) {
			continue
		}
		if err := ring.Destroy(g.cfg.Account, k.label); err != nil {
			return err
		}
		g.log.Info("a key that was replaced is destroyed", "label", k.label, "key", k.key.Public().ID())
	}
	// Power fails here: the file is gone, and the next start tells the ledger.
	p := proto.CloneOf(a.GetGateway())
	end(p)
	_, err = g.chain.Send(ctx, g.signer(), &identityv1.UpdateGateway{Gateway: g.cfg.Account, Profile: p, Version: a.GetVersion()})
	return err
}
