package audit

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// Consumer holds an asker's receipts against the logs of the gateways that gave them and
// the heads on the ledger. each calls its argument with every receipt; an error of it ends
// the audit.
func (a *Auditor) Consumer(ctx context.Context, each func(func(*tracev1.Receipt) error) error) (*Report, error) {
	began := a.begin(RoleConsumer)
	c := &comparison{a: a, doors: map[string]*door{}, sum: &Receipts{}}
	a.report.Receipts = c.sum
	if err := each(func(r *tracev1.Receipt) error { return c.receipt(ctx, r) }); err != nil {
		return nil, err
	}
	return a.end(began), nil
}

// comparison is one consumer's audit under way.
type comparison struct {
	a     *Auditor
	doors map[string]*door // nil: it was looked at, and cannot be compared with
	sum   *Receipts
}

func (c *comparison) receipt(ctx context.Context, r *tracev1.Receipt) error {
	a := c.a
	c.sum.Checked++
	rec, ok := read(r.GetRecord())
	if !ok {
		return fault.Newf(fault.Malformed, "receipt %d is none", c.sum.Checked)
	}
	f := Finding{Gateway: rec.GetGateway(), Agreement: rec.GetAgreement(), Number: rec.GetSeq(), Place: rec.GetPlace()}
	if err := a.checkReceipt(ctx, rec, r); err != nil {
		if !fault.Is(err, fault.VerificationFailed) {
			return err
		}
		f.Rule, f.Says = Unsigned, err.Error()
		return a.note(ctx, f, nil)
	}
	shown := prooffile.Shown{Receipt: r}
	if err := a.judge(ctx, rec, r.GetRecord(), f, shown); err != nil {
		return err
	}
	if rec.GetPlace() == 0 {
		c.sum.Old++
		return nil
	}
	d, known := c.doors[rec.GetGateway()]
	if !known {
		var err error
		if d, err = a.gateway(ctx, rec.GetGateway(), false); err != nil {
			return err
		}
		c.doors[rec.GetGateway()] = d
	}
	if d == nil {
		return nil // told once
	}
	return c.compare(ctx, d, rec, f, shown)
}

// compare looks at the receipt's place in the anchored log.
func (c *comparison) compare(ctx context.Context, d *door, rec *tracev1.AccessRecord, f Finding, shown prooffile.Shown) error {
	a := c.a
	if rec.GetPlace() > d.head.GetSize() {
		age := time.Since(time.UnixMilli(rec.GetAtMs()))
		if age <= a.cfg.Bound {
			c.sum.Waiting++
			return nil
		}
		f.Rule, f.Says = prooffile.RuleUnanchored, fmt.Sprintf("released %s ago, and not on the ledger", age.Round(time.Second))
		return a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1})
	}
	leaf, err := d.tiles.Leaf(ctx, rec.GetPlace()-1)
	var way [][]byte
	if err == nil {
		way, err = d.tiles.Way(ctx, rec.GetPlace()-1, d.head.GetSize())
	}
	if err != nil {
		return a.unserved(ctx, d, err)
	}
	path := make([]proof.Hash, len(way))
	for i, h := range way {
		path[i] = proof.Hash(h)
	}
	root, err := proof.RootFromPath(proof.EventLeaf(leaf), int64(rec.GetPlace()-1), int64(d.head.GetSize()), path)
	if err != nil || !bytes.Equal(root[:], d.head.GetRoot()) {
		f.Rule, f.Says = Withheld, "what is served at that place is not what is anchored"
		return a.note(ctx, f, nil)
	}
	if bytes.Equal(leaf, shown.Receipt.GetRecord()) {
		c.sum.Matching++
		return nil
	}
	f.Rule, f.Says = prooffile.RuleContradicted, "the log has something else at that place: "+differ(leaf, rec)
	return a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown, {Leaf: rec.GetPlace() - 1}}, Event: -1, Log: d.tiles})
}

// differ says in what the log's record is not that of the receipt.
func differ(leaf []byte, have *tracev1.AccessRecord) string {
	r, ok := read(leaf)
	switch {
	case !ok:
		return "no record"
	case r.GetAgreement() != have.GetAgreement() || r.GetSeq() != have.GetSeq():
		return fmt.Sprintf("access %d of agreement %s", r.GetSeq(), r.GetAgreement())
	case r.GetOutcome() != have.GetOutcome():
		return r.GetOutcome().String()
	case r.GetRows() != have.GetRows() || r.GetBytes() != have.GetBytes():
		return fmt.Sprintf("%d rows, %d bytes; the receipt has %d, %d", r.GetRows(), r.GetBytes(), have.GetRows(), have.GetBytes())
	}
	return "the same numbers, other fields"
}

// checkReceipt checks both signatures by the keys on the ledger. VerificationFailed if one
// does not hold, or the gateway's is missing.
func (a *Auditor) checkReceipt(ctx context.Context, rec *tracev1.AccessRecord, r *tracev1.Receipt) error {
	for _, s := range []struct {
		account, key string
		sig          []byte
		required     bool
	}{
		{rec.GetGateway(), r.GetProviderKey(), r.GetProviderSignature(), true},
		{rec.GetAsker(), r.GetConsumerKey(), r.GetConsumerSignature(), false},
	} {
		if s.key == "" && !s.required {
			continue
		}
		pub, err := a.keyOf(ctx, s.account, s.key)
		if err != nil {
			return err
		}
		message, sig, err := prooffile.Unbatch(r.GetRecord(), s.sig)
		if err != nil || !pub.Verify(message, sig) {
			return fault.Newf(fault.VerificationFailed, "the receipt is not signed by key %.40q of %s", s.key, s.account)
		}
	}
	return nil
}

// keyOf finds a key that the account has or had.
func (a *Auditor) keyOf(ctx context.Context, account, id string) (sm.PublicKey, error) {
	if k, known := a.keys[account+" "+id]; known {
		return k, nil
	}
	x := &identityv1.Account{}
	if _, _, err := a.proved.Get(ctx, "identity/account/"+account, x); err != nil {
		return sm.PublicKey{}, err
	}
	keys := x.GetKeys()
	retired := &identityv1.Key{}
	if found, _, err := a.proved.Get(ctx, "identity/retired_key/"+account+"/"+id, retired); err != nil {
		return sm.PublicKey{}, err
	} else if found {
		keys = append(keys, retired)
	}
	for _, k := range keys {
		if k.GetId() == id {
			pub, err := sm.ParsePublic(sm.Algorithm(k.GetAlgorithm()), k.GetPublicKey())
			if err != nil {
				return pub, fault.Wrap(fault.VerificationFailed, err, "key %s", id)
			}
			if len(a.keys) >= maxPacts {
				clear(a.keys)
			}
			a.keys[account+" "+id] = pub
			return pub, nil
		}
	}
	return sm.PublicKey{}, fault.Newf(fault.VerificationFailed, "%s has no key %.40q", account, id)
}
