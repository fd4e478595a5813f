package deliver

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	"mulian/gateway/drift/ranges"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Bounds of comparisons; our own choices.
const (
	// maxComparisons is how many askers' comparisons a provider keeps the key of,
	// comparisonLife for how long after the last question.
	maxComparisons = 64
	comparisonLife = time.Hour
	// maxSumming is how many questions are worked at once: each reads a part of a table.
	maxSumming = 2
	// maxQuestionBytes bounds the keys in one question, so that it fits into maxBody.
	maxQuestionBytes = 128 << 10
)

// comparisons are the digest keys of those that are under way. A key is of one comparison
// alone and goes out sealed: digests that somebody has overheard say nothing to him.
//
//	first question (the whole, no bounds) ──▶ key made ──▶ more of the same name ──▶ forgotten after an hour
type comparisons struct {
	mu   sync.Mutex
	of   map[string]*comparing // by asker and name
	busy int
}

type comparing struct {
	agreement, entry string
	key              ranges.Key
	last             time.Time
}

// begin gives a comparison's key and a place to work at: Busy, NotFound (no such comparison
// any more), Idempotency. end leaves the place.
func (x *comparisons) begin(r *request, b *gatewayv1.CompareBody, now time.Time) (k ranges.Key, end func(), err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for name, c := range x.of {
		if now.Sub(c.last) > comparisonLife {
			delete(x.of, name)
		}
	}
	name := r.asker.GetId() + "\x00" + b.GetComparison()
	c := x.of[name]
	q := b.GetRanges()
	switch {
	case c != nil && (c.agreement != b.GetAgreement() || c.entry != b.GetEntry()):
		return k, nil, fault.Newf(fault.Idempotency, "comparison %s is of another agreement or entry", b.GetComparison())
	case c == nil && (len(q) != 1 || len(q[0].GetAfter())+len(q[0].GetUpTo())+len(q[0].GetBounds()) > 0):
		return k, nil, fault.Newf(fault.NotFound, "there is no comparison %s here; begin with the whole table", b.GetComparison())
	case x.busy >= maxSumming:
		return k, nil, fault.Newf(fault.Busy, "%d comparisons read here already", x.busy)
	case c == nil && len(x.of) >= maxComparisons:
		return k, nil, fault.Newf(fault.Busy, "%d comparisons are under way here", len(x.of))
	case c == nil:
		c = &comparing{agreement: b.GetAgreement(), entry: b.GetEntry()}
		_, _ = rand.Read(c.key[:]) // never fails
		if x.of == nil {
			x.of = map[string]*comparing{}
		}
		x.of[name] = c
	}
	c.last = now
	x.busy++
	return c.key, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.busy--
	}, nil
}

// Compare gives digests of ranges of a table, of the rows and values that the agreement
// gives, so that the receiver of the whole finds where its copy is another. Who may take the
// whole as a batch may compare; each answer is a call of the agreement, logged with
// no rows. Refusals as of Query; FormatMethodMismatch where rows have no order that both
// sides can see.
func (p *Provider) Compare(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	done, err := p.turn(ctx)
	if err != nil {
		return nil, p.failed(err)
	}
	defer done()
	r, err := p.admit(ctx, m.Msg)
	if err != nil {
		return nil, p.strange(err)
	}
	p.cfg.Anchor.Touch()
	answer, err := p.compare(ctx, r)
	if err != nil {
		return nil, p.failed(err)
	}
	return rpc.NewResponse(answer), nil
}

func (p *Provider) compare(ctx context.Context, r *request) (*gatewayv1.Answer, error) {
	b := r.body.GetCompare()
	if b == nil {
		return nil, fault.Newf(fault.Malformed, "the request compares nothing")
	}
	c := claim{agreement: b.GetAgreement(), entry: b.GetEntry(), purpose: b.GetPurpose(), method: methodBatch}
	if err := c.check(); err != nil {
		return nil, err
	}
	if n := len(b.GetComparison()); n < minRequestID || n > maxRequestID || !printable(b.GetComparison()) {
		return nil, fault.Newf(fault.Malformed, "comparison: %d to %d printable characters", minRequestID, maxRequestID)
	}
	if n := len(b.GetRanges()); n < 1 || n > ranges.MaxQuestions {
		return nil, fault.Newf(fault.Malformed, "%d ranges, 1 to %d are possible", n, ranges.MaxQuestions)
	}
	d, err := p.decide(ctx, r, c)
	var table *ranges.Table
	if err == nil {
		table, err = p.comparable(d)
	}
	var questions []ranges.Question
	if err == nil {
		questions, err = d.questions(b.GetRanges(), table)
	}
	give := func() {}
	if err == nil {
		give, err = p.quotas.take(d.agreement, time.Now().UnixMilli())
	}
	if err != nil {
		return nil, p.refuse(ctx, r, c, d, err)
	}
	key, end, err := p.comparisons.begin(r, b, time.Now())
	if err != nil {
		give()
		return nil, err
	}
	defer end()
	sums, cause := table.Sums(ctx, key, questions)
	return p.releaseSums(ctx, r, c, d, table, key, sums, cause, give)
}

// releaseSums seals the sums, logs that they were given, and gives them: as with changes,
// nothing leaves that is not agreed any more.
func (p *Provider) releaseSums(ctx context.Context, r *request, c claim, d *decision, table *ranges.Table, key ranges.Key, sums [][]ranges.Sum, cause error, give func()) (*gatewayv1.Answer, error) {
	var hash []byte
	var answer *gatewayv1.Answer
	if cause == nil {
		hash, answer, cause = p.sealSums(r, d, table, key, sums)
	}
	rec := p.grant(r, c, d)
	last := proto.CloneOf(rec)
	if cause = sourceFault(cause); cause != nil {
		last.Outcome, last.Code = tracev1.Outcome_OUTCOME_FAILED, uint32(fault.CodeOf(cause))
		p.count.Failed.Add(1)
		// The record of an end must not depend on whether the asker still waits.
		if _, _, err := p.cfg.Log.AppendWhole(context.WithoutCancel(ctx), rec, last); err != nil {
			give()
			return nil, errors.Join(cause, err)
		}
		return nil, cause
	}
	bytes := uint64(len(answer.GetSealed()))
	// The reading may have taken minutes.
	now, err := p.lastLook(ctx, r, c, d)
	if err == nil {
		err = p.quotas.hold(d.agreement, 0, bytes, time.Now().UnixMilli())
	}
	if err != nil {
		give()
		return nil, p.refuse(ctx, r, c, now, err)
	}
	last.Outcome, last.Bytes, last.ResponseHash = tracev1.Outcome_OUTCOME_COMPLETED, bytes, hash
	_, e, err := p.cfg.Log.AppendWhole(ctx, rec, last)
	if err != nil {
		give()
		p.quotas.drop(c.agreement, 0, bytes)
		return nil, fmt.Errorf("nothing is released: %w", err)
	}
	p.count.Granted.Add(1)
	p.quotas.spend(c.agreement, 0, bytes, e.Record.GetAtMs())
	if now, err = p.lastLook(ctx, r, c, d); err != nil {
		return nil, p.refuse(ctx, r, c, now, err)
	}
	if answer.Receipt, err = p.sign(e); err != nil {
		return nil, fmt.Errorf("nothing is released: %w", err)
	}
	p.count.Bytes.Add(bytes)
	return answer, nil
}

func (p *Provider) sealSums(r *request, d *decision, table *ranges.Table, key ranges.Key, sums [][]ranges.Sum) (hash []byte, a *gatewayv1.Answer, err error) {
	out := &gatewayv1.CompareResult{DigestKey: key[:], Columns: d.resultColumns()}
	for _, k := range table.Key {
		out.Key = append(out.Key, uint32(slices.Index(table.Columns, k)))
	}
	for _, of := range sums {
		s := &gatewayv1.RangeSums{}
		for _, part := range of {
			s.Rows, s.Digests = append(s.Rows, uint64(part.Rows)), append(s.Digests, part.Digest[:])
		}
		out.Sums = append(out.Sums, s)
	}
	raw, err := canon.Marshal(out)
	if err != nil {
		return nil, nil, err
	}
	header, sealed, err := p.sealTo(d.seal, r.aad, raw)
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(sealed)
	return sum[:], &gatewayv1.Answer{SealHeader: header, Sealed: sealed}, nil
}

// comparable is the table as the agreement gives it, if its rows can be put in an order that
// the receiver sees, too: it has a key, whose columns are all given as they are.
func (p *Provider) comparable(d *decision) (*ranges.Table, error) {
	source, name, err := p.cfg.Table(d.table.GetSource(), d.table.GetName())
	if err != nil {
		return nil, err
	}
	t := &ranges.Table{Source: agreedRows{Source: source, form: d.form, provider: p}, Name: name}
	for _, it := range d.items {
		t.Columns = append(t.Columns, it.GetColumn())
	}
	for _, c := range d.table.GetColumns() {
		if c.GetPrimaryKey() {
			t.Key = append(t.Key, c.GetName())
		}
	}
	if len(t.Key) == 0 {
		t.Key = d.order()
	}
	for _, k := range t.Key {
		i := slices.IndexFunc(d.items, func(it *cataloguev1.Item) bool { return it.GetColumn() == k })
		if i < 0 || d.agreedMask(d.items[i].GetCode()) != nil {
			return nil, fault.Newf(fault.FormatMethodMismatch, "column %s of the key is not given as it is: entry %s cannot be compared by ranges", k, d.entry.GetId())
		}
	}
	if len(t.Key) == 0 {
		return nil, fault.Newf(fault.FormatMethodMismatch, "entry %s has no key: it cannot be compared by ranges", d.entry.GetId())
	}
	return t, nil
}

// questions reads what is asked: keys of the key's kinds, in bounds.
func (d *decision) questions(in []*gatewayv1.CompareRange, t *ranges.Table) ([]ranges.Question, error) {
	var kinds []connect.Kind
	for _, k := range t.Key {
		var kind connect.Kind
		if err := kind.UnmarshalText([]byte(column(d.table, k).GetType())); err != nil {
			return nil, fault.Newf(fault.FormatMethodMismatch, "column %s of the key has no order", k)
		}
		kinds = append(kinds, kind)
	}
	total := 0
	rows := func(raw []byte, most int) ([]connect.Row, error) {
		if len(raw) == 0 {
			return nil, nil
		}
		if total += len(raw); total > maxQuestionBytes {
			return nil, fault.Newf(fault.TooLong, "keys of more than %d bytes", maxQuestionBytes)
		}
		_, out, err := connect.DecodeRows(raw)
		if err != nil || len(out) > most {
			return nil, fault.Newf(fault.Malformed, "keys that cannot be read, or too many of them")
		}
		for _, key := range out {
			for i, v := range key {
				if len(key) != len(kinds) || v.Kind != kinds[i] || v.Check() != nil {
					return nil, fault.Newf(fault.Malformed, "a key that cannot be one of entry %s", d.entry.GetId())
				}
			}
		}
		return out, nil
	}
	var out []ranges.Question
	for _, x := range in {
		after, err1 := rows(x.GetAfter(), 1)
		upTo, err2 := rows(x.GetUpTo(), 1)
		bounds, err3 := rows(x.GetBounds(), ranges.MaxBounds)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		q := ranges.Question{Bounds: bounds}
		if len(after) > 0 {
			q.Span.After = after[0]
		}
		if len(upTo) > 0 {
			q.Span.UpTo = upTo[0]
		}
		if d.form == nil { // else many rows may not be of the scope, and the number says nothing
			q.Span.Expect = max(0, x.GetExpect())
		}
		out = append(out, q)
	}
	return out, nil
}

// agreedRows is a table's source as the agreement lets it be seen: rows of the scope,
// masked.
type agreedRows struct {
	connect.Source
	form     *form
	provider *Provider
}

// Scan is the source's, with the agreed conditions, and with an end to its patience.
func (s agreedRows) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	sel.Columns = append(slices.Clone(sel.Columns), s.form.extra()...)
	sel.Where = s.form.conditions()
	wait := newPatience(ctx, databasePatience*s.provider.cfg.Patience)
	defer wait.end()
	wait.begin()
	err := s.Source.Scan(wait, sel, s.form.scan(func(b connect.Batch) error {
		wait.done()
		defer wait.begin()
		return fn(b)
	}))
	return wait.fault(fault.SourceUnreachable, err, "the department's database")
}
