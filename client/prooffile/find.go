package prooffile

import (
	"context"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// prefixes are the tables in which an id is looked for, in this order.
var prefixes = []string{
	"share/agreement/", "share/request/", "share/delivery/", "share/use/", "catalogue/entry/", "catalogue/drift/", "evidence/item/",
	"catalogue/duty/", "catalogue/table/", "catalogue/system/", "catalogue/matter/", "catalogue/codetable/", "catalogue/code/", "catalogue/pending/",
	"governance/proposal/", "identity/account/", "trace/head/",
}

var (
	leafID   = regexp.MustCompile(`^(.+/g/[a-z0-9-]+):([0-9]{1,16})$`)
	accessID = regexp.MustCompile(`^([0-9a-f]{16})#([0-9]{1,16})$`)
	eventID  = regexp.MustCompile(`^event:([0-9]{1,16})$`)
	txID     = regexp.MustCompile(`^[0-9a-f]{64}$`)
	parted   = regexp.MustCompile(`^([0-9a-f]{16}/)([0-9]{1,10})$`) // of a delivery or use
)

// Find makes the file of whatever an id names: a state key or the id of a request,
// agreement, delivery, use, entry, drift, duty, table, matter, proposal, account
// or piece of evidence; the id of a transaction (64 hex digits); "event:NUMBER" of
// the ledger's log; "GATEWAY:LEAF" of a gateway's log; "AGREEMENT#NUMBER" of an
// access under an agreement. NotFound if nothing has it.
func (m *Maker) Find(ctx context.Context, id string) ([]byte, error) {
	if x := leafID.FindStringSubmatch(id); x != nil {
		leaf, _ := strconv.ParseUint(x[2], 10, 64)
		return m.Access(ctx, x[1], leaf, nil)
	}
	if x := accessID.FindStringSubmatch(id); x != nil {
		seq, _ := strconv.ParseUint(x[2], 10, 64)
		return m.Numbered(ctx, x[1], seq)
	}
	if x := eventID.FindStringSubmatch(id); x != nil {
		seq, _ := strconv.ParseInt(x[1], 10, 64)
		return m.Event(ctx, seq)
	}
	if txID.MatchString(id) {
		raw, _ := hex.DecodeString(id)
		return m.Transaction(ctx, [32]byte(raw))
	}
	key, err := m.key(ctx, id)
	if err != nil {
		return nil, err
	}
	return m.Object(ctx, key)
}

// key finds the state key of an id.
func (m *Maker) key(ctx context.Context, id string) (string, error) {
	candidates := []string{id}
	for _, p := range prefixes {
		candidates = append(candidates, p+id)
		if x := parted.FindStringSubmatch(id); x != nil { // numbers stand with zeros before them
			candidates = append(candidates, p+x[1]+strings.Repeat("0", 10-len(x[2]))+x[2])
		}
	}
	for _, key := range candidates {
		if key == "" || len(key) > maxKey {
			continue
		}
		res, err := m.c.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key}))
		if err != nil {
			return "", wire.Fault(err)
		}
		if res.Msg.GetFound() {
			return key, nil
		}
	}
	return "", fault.Newf(fault.NotFound, "nothing on this ledger has the id %.100q", id)
}

// Numbered proves the access with that number under an agreement: how it ended, or
// that it was decided. NotFound if no anchored record has the number.
func (m *Maker) Numbered(ctx context.Context, agreement string, seq uint64) ([]byte, error) {
	g := &sharev1.Agreement{}
	found, err := m.c.Get(ctx, "share/agreement/"+agreement, g)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.Newf(fault.NotFound, "there is no agreement %s", agreement)
	}
	for _, gateway := range g.GetProviderGateways() {
		from, to, err := m.span(ctx, agreement, gateway, seq)
		if err != nil {
			return nil, err
		}
		if to == 0 {
			continue
		}
		log, err := m.log(ctx, gateway, nil)
		if err != nil {
			return nil, err
		}
		leaf, err := search(ctx, log, agreement, seq, from, to)
		if err != nil {
			return nil, err
		}
		return m.Access(ctx, gateway, leaf, log)
	}
	return nil, fault.Newf(fault.NotFound, "no anchored record has the number %d under agreement %s", seq, agreement)
}

// maxSpan bounds the records that are searched for a number: an anchor brings at
// most so many (gateway/receipt).
const maxSpan = 50_000

// span finds between which sizes of a gateway's log the number was anchored.
// to 0: not at all.
func (m *Maker) span(ctx context.Context, agreement, gateway string, seq uint64) (from, to uint64, err error) {
	key := "trace/sequence/" + agreement + "/" + gateway
	for after, pages := int64(-1), 0; pages < 100; pages++ {
		steps, more, err := m.trace(ctx, key, after, tailPage)
		if err != nil || len(steps) == 0 {
			return 0, 0, err
		}
		var fails error
		at, _ := slices.BinarySearchFunc(steps, seq, func(s *tracev1.TraceStep, seq uint64) int {
			last, err := m.reaches(ctx, s.GetEvent(), agreement)
			if err != nil {
				fails = err
			}
			return int(min(1, max(-1, int64(last-seq))))
		})
		if fails != nil {
			return 0, 0, fails
		}
		if at < len(steps) {
			if at > 0 {
				from = sizeOf(steps[at-1])
			}
			return from, sizeOf(steps[at]), nil
		}
		if !more {
			return 0, 0, nil
		}
		from, after = sizeOf(steps[len(steps)-1]), steps[len(steps)-1].GetSeq()
	}
	return 0, 0, fault.Newf(fault.TooLong, "agreement %s has too many accesses to search; name the record: %s:LEAF", agreement, gateway)
}

// sizeOf is the log's size that an anchor's event notes.
func sizeOf(s *tracev1.TraceStep) uint64 {
	n, _ := strconv.ParseUint(s.GetEvent().GetNote(), 10, 53)
	return n
}

// reaches tells up to which number of an agreement an anchor goes.
func (m *Maker) reaches(ctx context.Context, e *tracev1.Event, agreement string) (uint64, error) {
	res, err := m.c.Ledger.GetTx(ctx, connect.NewRequest(&ledgerv1.GetTxRequest{TxId: e.GetTxId()}))
	if err != nil {
		return 0, wire.Fault(err)
	}
	env, body := &txv1.Envelope{}, &txv1.Body{}
	if err := proto.Unmarshal(res.Msg.GetEnvelope(), env); err != nil {
		return 0, fault.Wrap(fault.VerificationFailed, err, "transaction %x", e.GetTxId())
	}
	if err := proto.Unmarshal(env.GetBody(), body); err != nil {
		return 0, fault.Wrap(fault.VerificationFailed, err, "transaction %x", e.GetTxId())
	}
	if i := int(e.GetMessage()); i < len(body.GetMessages()) {
		for _, r := range body.GetMessages()[i].GetAnchorHead().GetRanges() {
			if r.GetAgreement() == agreement {
				return r.GetLast(), nil
			}
		}
	}
	return 0, fault.Newf(fault.Pruned, "the anchor in transaction %x is no longer kept by this server", e.GetTxId())
}

// search finds the record of a number: how the access ended, else its decision.
func search(ctx context.Context, log Leaves, agreement string, seq, from, to uint64) (uint64, error) {
	if to > from+maxSpan {
		return 0, fault.Newf(fault.TooLong, "%d records to search, at most %d", to-from, maxSpan)
	}
	decided, found := uint64(0), false
	for i := from; i < to; i++ {
		raw, err := log.Leaf(ctx, i)
		if err != nil {
			return 0, err
		}
		r, err := scanRecord(raw)
		if err != nil || r.text(2) != agreement || r.number(3) != seq {
			continue
		}
		if outcomes[r.number(4)] == "completed" || outcomes[r.number(4)] == "failed" {
			return i, nil
		}
		decided, found = i, true
	}
	if !found {
		return 0, fault.Newf(fault.VerificationFailed, "the log's records %d to %d, which were anchored with number %d of agreement %s, do not have it", from, to-1, seq, agreement)
	}
	return decided, nil
}
