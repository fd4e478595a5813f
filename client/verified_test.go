package client_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

const (
	getObject = ledgerv1connect.LedgerServiceGetObjectProcedure
	getHeader = ledgerv1connect.LedgerServiceGetHeaderProcedure
	there     = "catalogue/duty/" + bureau + ":1"
	absent    = "catalogue/duty/" + bureau + ":9"
)

// TestALyingServerIsFoundOut stands a liar before a real member. Each lie is about
// one thing; each is refused with VerificationFailed, for a key that is there and
// for one that is not.
func TestALyingServerIsFoundOut(t *testing.T) {
	m := start(t)
	m.put("1", "核发规划许可")
	m.put("2", "核发取水许可")
	b := standBetween(t, m)

	object := func(fn func(*ledgerv1.GetObjectResponse)) func(string, int, []byte) []byte {
		return func(procedure string, code int, body []byte) []byte {
			if procedure != getObject || code != 200 {
				return body
			}
			return change[ledgerv1.GetObjectResponse](t, body, fn)
		}
	}
	block := func(fn func(*ledgerv1.LightBlock)) func(string, int, []byte) []byte {
		return func(procedure string, code int, body []byte) []byte {
			if procedure != getHeader || code != 200 {
				return body
			}
			return change[ledgerv1.GetHeaderResponse](t, body, func(r *ledgerv1.GetHeaderResponse) {
				r.LightBlock = change[ledgerv1.LightBlock](t, r.GetLightBlock(), fn)
			})
		}
	}
	lies := map[string]func(string, int, []byte) []byte{
		"another value": object(func(r *ledgerv1.GetObjectResponse) {
			if r.GetFound() {
				r.Value = change[cataloguev1.Duty](t, r.GetValue(), func(d *cataloguev1.Duty) { d.Title = "什么都可以" })
			} else {
				r.Found, r.Value = true, []byte{}
			}
		}),
		"there is none":      object(func(r *ledgerv1.GetObjectResponse) { r.Found, r.Value = !r.GetFound(), nil }),
		"no proof":           object(func(r *ledgerv1.GetObjectResponse) { r.Proof = nil }),
		"a proof of nothing": object(func(r *ledgerv1.GetObjectResponse) { proto.Reset(r.GetProof()) }),
		"another height":     object(func(r *ledgerv1.GetObjectResponse) { r.Proof.Height-- }),
		"every byte of a proof": object(func(r *ledgerv1.GetObjectResponse) {
			eachBytes(r.GetProof().ProtoReflect(), func(x []byte) { x[0] ^= 1 })
		}),
		"another state":          block(func(l *ledgerv1.LightBlock) { l.SignedHeader.Header.AppHash[3] ^= 1 }),
		"another time":           block(func(l *ledgerv1.LightBlock) { l.SignedHeader.Header.Time.Seconds++ }),
		"a height in between":    block(func(l *ledgerv1.LightBlock) { l.SignedHeader.Header.Height++ }),
		"no signature":           block(func(l *ledgerv1.LightBlock) { l.SignedHeader.Commit.Signatures = nil }),
		"a signature that fails": block(func(l *ledgerv1.LightBlock) { l.SignedHeader.Commit.Signatures[0].Signature[5] ^= 1 }),
		"another validator":      block(func(l *ledgerv1.LightBlock) { l.ValidatorSet.Validators[0].PubKey.Ed25519[7] ^= 1 }),
		"more power":             block(func(l *ledgerv1.LightBlock) { l.ValidatorSet.Validators[0].VotingPower++ }),
		"no header":              block(func(l *ledgerv1.LightBlock) { l.SignedHeader = nil }),
		"no set":                 block(func(l *ledgerv1.LightBlock) { l.ValidatorSet = nil }),
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			for _, key := range []string{there, absent} {
				b.set(nil, lie)
				v := client.New(b.URL).Verify(m.genesis)
				found, _, err := v.Get(t.Context(), key, &cataloguev1.Duty{})
				if !fault.Is(err, fault.VerificationFailed) {
					t.Errorf("%s: found %v, %v", key, found, err)
				}
				b.set(nil, nil) // the same reader believes the truth afterwards
				if found, _, err := v.Get(t.Context(), key, &cataloguev1.Duty{}); err != nil || found != (key == there) {
					t.Errorf("the truth after it, %s: found %v, %v", key, found, err)
				}
			}
		})
	}
}

// set changes what the one between does.
func (b *between) set(ask func(string, []byte) []byte, answer func(string, int, []byte) []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ask, b.answer = ask, answer
}

// eachBytes calls fn for every byte string in a message that is not empty.
func eachBytes(m protoreflect.Message, fn func([]byte)) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() != nil && f.IsList():
			for i := range v.List().Len() {
				eachBytes(v.List().Get(i).Message(), fn)
			}
		case f.Message() != nil:
			eachBytes(v.Message(), fn)
		case f.Kind() == protoreflect.BytesKind && f.IsList():
			for i := range v.List().Len() {
				if x := v.List().Get(i).Bytes(); len(x) > 0 {
					fn(x)
				}
			}
		case f.Kind() == protoreflect.BytesKind && len(v.Bytes()) > 0:
			fn(v.Bytes())
		}
		return true
	})
}

// TestEachPartOfAProofCounts flips one byte string of the proof at a time, and
// takes one away at a time.
func TestEachPartOfAProofCounts(t *testing.T) {
	m := start(t)
	for _, id := range []string{"1", "2", "3", "4"} {
		m.put(id, "职责"+id)
	}
	b := standBetween(t, m)
	for _, key := range []string{there, absent} {
		for n := 0; ; n++ {
			parts := 0
			b.set(nil, func(procedure string, code int, body []byte) []byte {
				if procedure != getObject || code != 200 {
					return body
				}
				return change[ledgerv1.GetObjectResponse](t, body, func(r *ledgerv1.GetObjectResponse) {
					parts = 0
					eachBytes(r.GetProof().ProtoReflect(), func(x []byte) {
						if parts == n {
							x[len(x)-1] ^= 0x80
						}
						parts++
					})
				})
			})
			_, _, err := client.New(b.URL).Verify(m.genesis).Get(t.Context(), key, &cataloguev1.Duty{})
			if n >= parts {
				if n == 0 || err != nil {
					t.Errorf("%s: a proof of %d parts, %v", key, parts, err)
				}
				break
			}
			if !fault.Is(err, fault.VerificationFailed) {
				t.Errorf("%s: part %d of %d was changed: %v", key, n, parts, err)
			}
		}
	}
}

// TestAnotherQuestionIsNoAnswer: the proof of one key does not answer for another.
func TestAnotherQuestionIsNoAnswer(t *testing.T) {
	m := start(t)
	m.put("1", "核发规划许可")
	m.put("2", "核发取水许可")
	b := standBetween(t, m)
	b.set(func(procedure string, body []byte) []byte {
		if procedure != getObject {
			return body
		}
		return change[ledgerv1.GetObjectRequest](t, body, func(r *ledgerv1.GetObjectRequest) {
			if r.Key = "catalogue/duty/" + bureau + ":2"; slices.Contains([]string{r.Key}, there) {
				t.Error("the question was not changed")
			}
		})
	}, nil)
	for _, key := range []string{there, absent} {
		if _, _, err := client.New(b.URL).Verify(m.genesis).Get(t.Context(), key, &cataloguev1.Duty{}); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("%s was answered for another: %v", key, err)
		}
	}
}

// TestAnOldStateIsNoAnswer: what was true, with its true proof, is refused once the
// reader has seen a newer state. A withdrawn right would else live on.
func TestAnOldStateIsNoAnswer(t *testing.T) {
	m := start(t)
	m.put("1", "旧")
	b := standBetween(t, m)
	var old []byte
	b.set(nil, func(procedure string, code int, body []byte) []byte {
		if procedure == getObject && code == 200 {
			old = slices.Clone(body)
		}
		return body
	})
	v := client.New(b.URL).Verify(m.genesis)
	d := &cataloguev1.Duty{}
	if found, _, err := v.Get(t.Context(), there, d); err != nil || !found || d.GetTitle() != "旧" {
		t.Fatalf("%v %v %v", found, d, err)
	}
	m.put("1", "新")
	b.set(nil, nil)
	_, at, err := v.Get(t.Context(), there, d)
	if err != nil || d.GetTitle() != "新" || v.Head().Height != at.Height {
		t.Fatalf("%v %v", d, err)
	}
	b.set(nil, func(procedure string, _ int, body []byte) []byte {
		if procedure == getObject {
			return slices.Clone(old)
		}
		return body
	})
	if _, _, err := v.Get(t.Context(), there, d); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("an older state was believed: %v", err)
	}
}

// TestAnotherChainIsNoAnswer: a reader with the genesis of another chain believes
// nothing of this one.
func TestAnotherChainIsNoAnswer(t *testing.T) {
	m := start(t)
	other := start(t)
	v := m.client.Verify(other.genesis)
	if _, _, err := v.Get(t.Context(), "governance/parameters", &governancev1.Parameters{}); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("another chain was believed: %v", err)
	}
}

// TestAnEventIsProved: what a server tells of the log is believed when the log has it, word for
// word, and not if the server lies about it, its place or its proof as well.
func TestAnEventIsProved(t *testing.T) {
	m := start(t)
	m.put("1", "核发规划许可")
	m.put("2", "核发取水许可")
	b := standBetween(t, m)
	steps, err := m.client.Trace.Trace(t.Context(), connect.NewRequest(&tracev1.TraceRequest{Object: there, Direct: true, Limit: 10}))
	if err != nil || len(steps.Msg.GetSteps()) == 0 {
		t.Fatal(steps, err)
	}
	e, seq := steps.Msg.GetSteps()[0].GetEvent(), steps.Msg.GetSteps()[0].GetSeq()
	v := client.New(b.URL).Verify(m.genesis)
	for _, from := range []int64{-1, 0, seq} {
		if err := v.Happened(t.Context(), e, from); err != nil {
			t.Errorf("from %d: %v", from, err)
		}
	}
	if err := v.Happened(t.Context(), e, seq+1); !fault.Is(err, fault.StaleHeight) {
		t.Errorf("from behind it: %v", err)
	}
	lie := proto.CloneOf(e)
	lie.TimeMs++
	if err := v.Happened(t.Context(), lie, -1); !fault.Is(err, fault.StaleHeight) {
		t.Errorf("what nobody shows: %v", err)
	}
	raw, err := canon.Marshal(lie)
	if err != nil {
		t.Fatal(err)
	}
	shows := func(procedure string, code int, body []byte) []byte {
		if procedure == tracev1connect.TraceServiceTraceProcedure && code == 200 {
			return change[tracev1.TraceResponse](t, body, func(r *tracev1.TraceResponse) { r.Steps[0].Event = lie })
		}
		return body
	}
	proves := func(fn func(*ledgerv1.ProveEventResponse)) func(string, int, []byte) []byte {
		return func(procedure string, code int, body []byte) []byte {
			if procedure == ledgerv1connect.LedgerServiceProveEventProcedure && code == 200 {
				return change[ledgerv1.ProveEventResponse](t, body, fn)
			}
			return shows(procedure, code, body)
		}
	}
	for name, answer := range map[string]func(string, int, []byte) []byte{
		"the place":   shows,
		"the event":   proves(func(r *ledgerv1.ProveEventResponse) { r.Event = raw }),
		"another seq": proves(func(r *ledgerv1.ProveEventResponse) { r.Event, r.Seq = raw, r.Seq+1 }),
		"no root":     proves(func(r *ledgerv1.ProveEventResponse) { r.Event, r.TreeRoot = raw, nil }),
		"no way":      proves(func(r *ledgerv1.ProveEventResponse) { r.Event, r.Hashes = raw, [][]byte{{1}} }),
	} {
		b.set(nil, answer)
		if err := client.New(b.URL).Verify(m.genesis).Happened(t.Context(), lie, -1); !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("a lie about %s: %v", name, err)
		}
	}
}
