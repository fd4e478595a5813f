package deliver

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"

	rpc "connectrpc.com/connect"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// question is one query of the asker on its way.
type question struct {
	query *gatewayv1.QueryBody
	to    *provider

	// Set before done is closed.
	requestID string
	hash      [sha256.Size]byte // of the signed request's bytes
	aad       []byte            // to which the answer is bound
	answer    *gatewayv1.Answer
	err       error
	done      chan struct{}
}

// A line is the queries to one provider. What comes while others are on their way waits
// until one of these is back, at most lineWait, and goes together under one signature.
type line struct {
	asker *Asker

	mu      sync.Mutex // guards the three below
	waiting []*question
	flying  int  // requests on their way that count
	late    bool // a timer will send what waits
}

// ask brings a query to its provider and returns when there is an answer.
func (l *line) ask(ctx context.Context, q *question) error {
	q.done = make(chan struct{})
	l.mu.Lock()
	if len(l.waiting) >= maxWaiting {
		l.mu.Unlock()
		return fault.Newf(fault.Busy, "%d queries wait for %s already", maxWaiting, q.to.account.GetId())
	}
	l.waiting = append(l.waiting, q)
	switch {
	case l.flying < maxFlying:
		l.sendLocked()
	case !l.late:
		l.late = true
		time.AfterFunc(lineWait, l.overdue)
	}
	l.mu.Unlock()
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return answered(ctx.Err())
	}
}

// overdue sends what has waited long enough, whatever has become of the others.
func (l *line) overdue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.late = false
	for len(l.waiting) > 0 {
		l.sendLocked()
	}
}

// sendLocked sends the first that wait. The caller holds mu.
func (l *line) sendLocked() {
	n := min(len(l.waiting), maxTogether)
	if n == 0 {
		return
	}
	batch := l.waiting[:n:n]
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
	l.flying++
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), maxLife/2)
		defer cancel()
		if len(batch) == 1 {
			batch[0].end(l.asker.askOne(ctx, batch[0]))
		} else {
			l.asker.askTogether(ctx, batch)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.flying--; l.flying < maxFlying {
			l.sendLocked()
		}
	}()
}

func (q *question) end(err error) {
	q.err = err
	close(q.done)
}

func (a *Asker) askOne(ctx context.Context, q *question) error {
	body := &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Query{Query: q.query}}
	m, err := a.request(q.to, body)
	if err != nil {
		return err
	}
	q.requestID, q.hash, q.aad = body.GetRequestId(), sha256.Sum256(m.GetBody()), answerAAD(m.GetBody())
	res, err := q.to.client.Query(ctx, rpc.NewRequest(m))
	if err != nil {
		return answered(err)
	}
	q.answer = res.Msg
	return nil
}

// askTogether asks several under one signature and ends each.
func (a *Asker) askTogether(ctx context.Context, batch []*question) {
	to := batch[0].to
	all := &gatewayv1.QueriesBody{}
	for _, q := range batch {
		all.Queries = append(all.Queries, q.query)
	}
	body := &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Queries{Queries: all}}
	m, err := a.request(to, body)
	if err == nil {
		sum := sha256.Sum256(m.GetBody())
		for i, q := range batch {
			q.requestID, q.hash, q.aad = numberedID(body.GetRequestId(), i), sum, numberedAAD(m.GetBody(), i)
		}
		err = receiveAll(ctx, to, m, batch)
	}
	for _, q := range batch {
		if q != nil {
			q.end(err)
		}
	}
}

// receiveAll ends each question that is answered and leaves nil in its place. It
// returns why the others are not.
func receiveAll(ctx context.Context, to *provider, m *gatewayv1.SignedRequest, batch []*question) error {
	stream, err := to.client.QueryTogether(ctx, rpc.NewRequest(m))
	if err != nil {
		return answered(err)
	}
	defer stream.Close()
	for stream.Receive() {
		for _, one := range stream.Msg().GetAnswers() {
			n := int(one.GetNumber())
			if n >= len(batch) || batch[n] == nil {
				return fault.Newf(fault.VerificationFailed, "an answer to a query that was not asked")
			}
			q := batch[n]
			batch[n] = nil
			if r := one.GetRefusal(); r != nil {
				q.end(wire.Refused(r))
				continue
			}
			q.answer = one.GetAnswer()
			q.end(nil)
		}
	}
	if err := stream.Err(); err != nil && !errors.Is(err, io.EOF) {
		return answered(err)
	}
	return fault.Newf(fault.VerificationFailed, "the provider has not answered this query")
}

// numberedID is the request id of a query that was asked with others.
func numberedID(request string, n int) string { return request + "." + strconv.Itoa(n) }

// QueryTogether answers several queries of one signature, each as soon as it is ready.
// Beside the refusals of admit, Malformed; those of each query stand in its answer.
func (p *Provider) QueryTogether(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest], out *rpc.ServerStream[gatewayv1.Answers]) error {
	r, err := p.admitInTurn(ctx, m.Msg)
	if err != nil {
		return err
	}
	all := r.body.GetQueries().GetQueries()
	if len(all) == 0 || len(all) > maxTogether {
		return wire.Error(fault.Newf(fault.Malformed, "%d queries together, 1 to %d are possible", len(all), maxTogether))
	}
	p.cfg.Anchor.Touch()
	ready := make(chan *gatewayv1.NumberedAnswer, len(all))
	for i, q := range all {
		one := &request{body: &gatewayv1.RequestBody{RequestId: numberedID(r.body.GetRequestId(), i)}, raw: r.raw, hash: r.hash, aad: numberedAAD(r.raw, i), key: r.key, asker: r.asker, sight: r.sight}
		go func() { ready <- p.numbered(ctx, one, q, i) }()
	}
	for left := len(all); left > 0; {
		some := &gatewayv1.Answers{Answers: []*gatewayv1.NumberedAnswer{<-ready}}
		for size := 0; len(some.Answers) < left && size < maxAnswer/4; {
			select {
			case one := <-ready:
				some.Answers = append(some.Answers, one)
				size += len(one.GetAnswer().GetSealed())
				continue
			default:
			}
			break
		}
		left -= len(some.Answers)
		for _, msg := range sized(some) {
			if err := out.Send(msg); err != nil {
				return err
			}
		}
	}
	return nil
}

// sized divides answers so that each message can be carried.
func sized(all *gatewayv1.Answers) (out []*gatewayv1.Answers) {
	now, size := &gatewayv1.Answers{}, 0
	for _, one := range all.GetAnswers() {
		n := len(one.GetAnswer().GetSealed()) + len(one.GetAnswer().GetReceipt().GetRecord())
		if len(now.Answers) > 0 && size+n > maxAnswer {
			out, now, size = append(out, now), &gatewayv1.Answers{}, 0
		}
		now.Answers, size = append(now.Answers, one), size+n
	}
	return append(out, now)
}

// admitInTurn is admit for one place among those that are worked on at once.
func (p *Provider) admitInTurn(ctx context.Context, m *gatewayv1.SignedRequest) (*request, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	defer done()
	r, err := p.admit(ctx, m)
	if err != nil {
		return nil, p.strange(err)
	}
	return r, nil
}

func (p *Provider) numbered(ctx context.Context, r *request, q *gatewayv1.QueryBody, n int) *gatewayv1.NumberedAnswer {
	out := &gatewayv1.NumberedAnswer{Number: uint32(n)}
	done, err := p.turn(ctx)
	if err == nil {
		out.Answer, err = p.query(ctx, r, q)
		done()
	}
	if err != nil {
		out.Answer, out.Refusal = nil, wire.Refusal(p.failed(err))
	}
	return out
}
