package deliver

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	"mulian/gateway/drift/ranges"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Likeness is how far an own table is like the entry that it is a copy of.
type Likeness struct {
	*ranges.Result
	Columns, Key []string
	Questions    int // that were asked; each is in the provider's log
}

// Compare finds where a table of the own database, read through own, differs from an entry:
// by digests of ranges of its key, of the columns that the agreement gives. No row is
// carried, and none is changed.
//
// Refusals of the provider come as its fault; NotFound without such a table; Malformed if
// its columns are not those of the entry; VerificationFailed if answer or receipt are not
// what they should be.
func (a *Asker) Compare(ctx context.Context, own connect.Source, table connect.TableName, agreement, entry string) (*Likeness, error) {
	g, to, err := a.right(ctx, agreement, entry)
	if err != nil {
		return nil, err
	}
	s := &distant{asker: a, to: to, agreement: g, entry: entry, name: newID()}
	whole := []ranges.Question{{}}
	if s.first, err = s.ask(ctx, whole); err != nil {
		return nil, err
	}
	mine, err := s.copyOf(ctx, own, table)
	if err != nil {
		return nil, err
	}
	r, err := ranges.Compare(ctx, s.key, mine, s)
	if err != nil {
		return nil, sourceFault(err)
	}
	return &Likeness{Result: r, Columns: mine.Columns, Key: mine.Key, Questions: s.asked}, nil
}

// distant is the provider's side of a comparison.
type distant struct {
	asker     *Asker
	to        *provider
	agreement *sharev1.Agreement
	entry     string
	name      string // of the comparison
	asked     int
	key       ranges.Key
	columns   []*gatewayv1.ResultColumn
	keyAt     []uint32
	first     [][]ranges.Sum // of the whole, once: it came with the key
}

// Sums implements ranges.Side.
func (s *distant) Sums(ctx context.Context, _ ranges.Key, questions []ranges.Question) (out [][]ranges.Sum, err error) {
	if s.first != nil {
		out, s.first = s.first, nil
		return out, nil
	}
	for len(questions) > 0 {
		n, size := 0, 0
		for ; n < len(questions); n++ {
			more := bytesOf(questions[n])
			if n > 0 && size+more > maxQuestionBytes {
				break
			}
			size += more
		}
		sums, err := s.ask(ctx, questions[:n])
		if err != nil {
			return nil, err
		}
		out, questions = append(out, sums...), questions[n:]
	}
	return out, nil
}

// bytesOf is not less than what a question's keys take.
func bytesOf(q ranges.Question) (n int) {
	for _, key := range append([]connect.Row{q.Span.After, q.Span.UpTo}, q.Bounds...) {
		n += connect.RowBytes(key) + 16
	}
	return n
}

// ask asks, again where what hinders passes, at most some times.
func (s *distant) ask(ctx context.Context, questions []ranges.Question) ([][]ranges.Sum, error) {
	for wait, tries := 100*time.Millisecond, 0; ; wait, tries = 2*wait, tries+1 {
		out, err := s.once(ctx, questions)
		if err == nil || !passing(err) || tries == 5 || ctx.Err() != nil {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

func (s *distant) once(ctx context.Context, questions []ranges.Question) ([][]ranges.Sum, error) {
	body := &gatewayv1.CompareBody{Agreement: s.agreement.GetId(), Entry: s.entry, Purpose: s.agreement.GetTerms().GetPurpose(), Comparison: s.name}
	for _, q := range questions {
		x, err := rangeOf(q)
		if err != nil {
			return nil, err
		}
		body.Ranges = append(body.Ranges, x)
	}
	request := &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Compare{Compare: body}}
	m, err := s.asker.request(s.to, request)
	if err != nil {
		return nil, err
	}
	// The provider reads all that is asked for before it says a word.
	wait := newPatience(ctx, databasePatience*s.asker.cfg.Patience)
	defer wait.end()
	wait.begin()
	res, err := s.to.client.Compare(wait, rpc.NewRequest(m))
	if err != nil {
		return nil, wait.fault(fault.Unreachable, answered(err), "the provider")
	}
	rec, err := s.asker.check(s.to, res.Msg.GetReceipt(), &tracev1.AccessRecord{
		Agreement: s.agreement.GetId(), Entry: s.entry, RequestId: request.GetRequestId(), Outcome: tracev1.Outcome_OUTCOME_COMPLETED,
	})
	if err != nil {
		return nil, err
	}
	asked, sealed := sha256.Sum256(m.GetBody()), sha256.Sum256(res.Msg.GetSealed())
	if string(rec.GetRequestHash()) != string(asked[:]) || string(rec.GetResponseHash()) != string(sealed[:]) || rec.GetRows() != 0 {
		return nil, fault.Newf(fault.VerificationFailed, "the receipt is for another answer")
	}
	out := &gatewayv1.CompareResult{}
	if err := s.asker.open(answerAAD(m.GetBody()), res.Msg, out); err != nil {
		return nil, err
	}
	k, err := s.asker.countersign(s.to, res.Msg.GetReceipt())
	if err != nil {
		return nil, err
	}
	select {
	case s.asker.acks <- k:
	default:
	}
	s.asked++
	return s.read(out, questions)
}

func rangeOf(q ranges.Question) (*gatewayv1.CompareRange, error) {
	x := &gatewayv1.CompareRange{Expect: q.Span.Expect}
	for _, part := range []struct {
		into *[]byte
		keys []connect.Row
	}{{&x.After, []connect.Row{q.Span.After}}, {&x.UpTo, []connect.Row{q.Span.UpTo}}, {&x.Bounds, q.Bounds}} {
		if len(part.keys) == 0 || part.keys[0] == nil {
			continue
		}
		var err error
		if *part.into, err = connect.EncodeRows(len(part.keys[0]), part.keys); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// read checks an answer's form, and keeps what it says for all of them.
func (s *distant) read(r *gatewayv1.CompareResult, questions []ranges.Question) ([][]ranges.Sum, error) {
	wrong := func(what string) error {
		return fault.Newf(fault.VerificationFailed, "the provider's digests: %s", what)
	}
	switch {
	case len(r.GetDigestKey()) != len(s.key), len(r.GetSums()) != len(questions), len(r.GetKey()) == 0:
		return nil, wrong("not as many as were asked for, or without a key")
	case s.columns == nil:
		s.key, s.columns, s.keyAt = ranges.Key(r.GetDigestKey()), r.GetColumns(), r.GetKey()
	case string(r.GetDigestKey()) != string(s.key[:]) || len(r.GetColumns()) != len(s.columns):
		return nil, fault.Newf(fault.Busy, "agreement or entry were changed while they were compared; begin again")
	}
	var out [][]ranges.Sum
	for i, of := range r.GetSums() {
		if len(of.GetRows()) != len(questions[i].Bounds)+1 || len(of.GetDigests()) != len(of.GetRows()) {
			return nil, wrong("not one for each part")
		}
		var sums []ranges.Sum
		for n, digest := range of.GetDigests() {
			if len(digest) != sha256.Size || of.GetRows()[n] > 1<<62 {
				return nil, wrong("of another length")
			}
			sums = append(sums, ranges.Sum{Rows: int64(of.GetRows()[n]), Digest: [sha256.Size]byte(digest)})
		}
		out = append(out, sums)
	}
	return out, nil
}

// copyOf is the own table with the entry's columns.
func (s *distant) copyOf(ctx context.Context, own connect.Source, name connect.TableName) (*ranges.Table, error) {
	cols, _, err := targetColumns(s.columns)
	if err != nil {
		return nil, err
	}
	schema, err := own.Inspect(ctx)
	if err != nil {
		return nil, sourceFault(err)
	}
	var is *connect.Table
	for i, t := range schema.Tables {
		if t.TableName == name || name.Schema == "" && t.Name == name.Name {
			is = &schema.Tables[i]
			break
		}
	}
	if is == nil {
		return nil, fault.Newf(fault.NotFound, "the own database has no table %s", name)
	}
	t := &ranges.Table{Source: own, Name: is.TableName}
	for _, col := range cols {
		have, there := is.Column(col.Name)
		if !there || have.Kind != col.Kind {
			return nil, fault.Newf(fault.Malformed, "column %s of the own table %s is not that of the entry (%s): it is no copy of it", col.Name, name, likeness(have, there, col))
		}
		t.Columns = append(t.Columns, col.Name)
	}
	for _, at := range s.keyAt {
		if int(at) >= len(cols) {
			return nil, fault.Newf(fault.VerificationFailed, "the provider's key is no column of its own")
		}
		t.Key = append(t.Key, cols[at].Name)
	}
	return t, nil
}

func likeness(have connect.Column, there bool, want connect.Column) string {
	if !there {
		return "it is not there"
	}
	return fmt.Sprintf("%s here, %s there", have.Kind, want.Kind)
}
