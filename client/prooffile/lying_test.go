package prooffile

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// TestALyingServerGetsNoFile: whatever a server says that is not so, the maker
// finds it before it gives a file away.
func TestALyingServerGetsNoFile(t *testing.T) {
	s := tell(fourWorld(t))
	ctx := context.Background()
	object := func(fn func(*ledgerv1.GetObjectResponse)) func(string, any) {
		return func(_ string, res any) {
			if m, ok := res.(*ledgerv1.GetObjectResponse); ok && m.Proof != nil {
				fn(m)
			}
		}
	}
	block := func(fn func(*ledgerv1.LightBlock)) func(string, any) {
		return func(_ string, res any) {
			if m, ok := res.(*ledgerv1.LightBlock); ok {
				fn(m)
			}
		}
	}
	for name, lie := range map[string]func(string, any){
		"another value":       object(func(m *ledgerv1.GetObjectResponse) { m.Value = append(m.Value, 0x78, 1) }),
		"another sibling":     object(func(m *ledgerv1.GetObjectResponse) { m.Proof.Siblings[0][3] ^= 1 }),
		"a short sibling":     object(func(m *ledgerv1.GetObjectResponse) { m.Proof.Siblings[0] = m.Proof.Siblings[0][:31] }),
		"a short root":        object(func(m *ledgerv1.GetObjectResponse) { m.Proof.TreeRoot = m.Proof.TreeRoot[:31] }),
		"no roots":            object(func(m *ledgerv1.GetObjectResponse) { m.Proof.TreeRoot, m.Proof.LogRoot = nil, nil }),
		"another log":         object(func(m *ledgerv1.GetObjectResponse) { m.Proof.LogRoot[0] ^= 1 }),
		"a huge depth":        object(func(m *ledgerv1.GetObjectResponse) { m.Proof.Depth = 1 << 31 }),
		"an earlier height":   object(func(m *ledgerv1.GetObjectResponse) { m.Proof.Height -= 2 }),
		"another state":       block(func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.AppHash[0] ^= 1 }),
		"a forged vote":       block(func(b *ledgerv1.LightBlock) { b.SignedHeader.Commit.Signatures[0].Signature[0] ^= 1 }),
		"fewer votes":         block(func(b *ledgerv1.LightBlock) { b.SignedHeader.Commit.Signatures = b.SignedHeader.Commit.Signatures[1:] }),
		"other validators":    block(func(b *ledgerv1.LightBlock) { b.ValidatorSet.Validators = b.ValidatorSet.Validators[1:] }),
		"no header":           block(func(b *ledgerv1.LightBlock) { b.SignedHeader.Header = nil }),
		"a header of no time": block(func(b *ledgerv1.LightBlock) { b.SignedHeader.Header.Time = nil }),
		"a negative round":    block(func(b *ledgerv1.LightBlock) { b.SignedHeader.Commit.Round = -1 }),
		"another event": func(_ string, res any) {
			if m, ok := res.(*ledgerv1.ProveEventResponse); ok {
				m.Event[len(m.Event)-1] ^= 1
			}
		},
		"another transaction": func(_ string, res any) {
			if m, ok := res.(*ledgerv1.GetTxResponse); ok {
				m.Envelope[len(m.Envelope)-1] ^= 1
			}
		},
		"no transaction": func(_ string, res any) {
			if m, ok := res.(*ledgerv1.GetTxResponse); ok {
				m.Envelope = []byte{}
			}
		},
		"another's trace": func(_ string, res any) {
			if m, ok := res.(*tracev1.TraceResponse); ok && len(m.Steps) > 0 {
				m.Steps[0].Seq = 3
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.lie = lie
			file, err := s.maker.Object(ctx, agreementKey)
			if name == "no transaction" { // the event alone is still proved, and says that nobody signed it here
				if r := s.maker.Verify(file); err != nil || !r.OK || len(r.Signers) != 0 {
					t.Errorf("%v, %+v", err, r)
				}
				if _, err := s.maker.Transaction(ctx, s.answer); !fault.Is(err, fault.Pruned) {
					t.Errorf("its transaction: %v", err)
				}
				return
			}
			if file != nil || fault.CodeOf(err).Exit() != 7 {
				t.Errorf("%d bytes, %v (%v)", len(file), err, fault.CodeOf(err))
			}
			s.lie = nil
			if _, err := s.maker.Object(ctx, agreementKey); err != nil {
				t.Errorf("the truth after it: %v", err)
			}
		})
	}
}

// TestALyingGatewayGetsNoFile: the same of a gateway's log.
func TestALyingGatewayGetsNoFile(t *testing.T) {
	s := tell(fourWorld(t))
	ctx := context.Background()
	rewritten := append(leaves{}, s.log...)
	rewritten[2] = append([]byte(nil), rewritten[3]...)
	for _, leaf := range []uint64{0, 2} {
		if file, err := s.maker.Access(ctx, doorID, leaf, rewritten); file != nil || !fault.Is(err, fault.VerificationFailed) {
			t.Errorf("leaf %d of a rewritten log: %d bytes, %v", leaf, len(file), err)
		}
	}
	forged := proto.CloneOf(s.receipt)
	forged.ConsumerSignature[7] ^= 1
	if file, err := s.maker.Receipt(ctx, forged, s.log); file != nil || !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a forged receipt: %d bytes, %v", len(file), err)
	}
	if _, err := s.maker.Access(ctx, doorID, 99, s.log); !fault.Is(err, fault.NotFound) {
		t.Errorf("a record that is not there: %v", err)
	}
}

// FuzzVerify: no bytes make the verifier panic, and what it accepts is written
// again with the same bytes.
func FuzzVerify(f *testing.F) {
	var hash [32]byte
	for _, v := range committed(f) {
		file, h := v.read(f)
		if v.OK && v.File == "object.mulian-proof.json" {
			hash = h
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		r := Verify(file, hash)
		if n, err := parse(file); err == nil {
			if string(n.bytes()) != string(file) {
				t.Error("a second byte form is read")
			}
			if c, err := read(n); err == nil && string(c.node().bytes()) != string(file) {
				t.Error("a file is read that would be written otherwise")
			}
		}
		if !r.OK && (r.Step == "" || r.Code == 0 || r.Reason == "") {
			t.Errorf("refused without a reason: %+v", r)
		}
	})
}

// FuzzPack: what is packed is unpacked, and nothing else is.
func FuzzPack(f *testing.F) {
	f.Add([]byte("abcabcabcabcabc"), []byte("abcabcabx"))
	f.Add([]byte{}, []byte{0})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		w, x := newWindow(), newWindow()
		for _, m := range [][]byte{a, b, a} {
			tokens := w.pack(m)
			got, err := x.unpack(tokens)
			if err != nil || string(got) != string(m) {
				t.Fatalf("%q: %q, %v", m, got, err)
			}
		}
		if m, err := newWindow().unpack(a); err == nil && string(newWindow().pack(m)) != string(a) {
			t.Error("a second packed form is read")
		}
	})
}

// FuzzCheckpoint: what is taken for a reader's checkpoint is its one text.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(Checkpoint{Chain: "town", Height: 7}.String()))
	f.Add([]byte("mulian\n"))
	f.Add([]byte("origin\n5\n" + strings.Repeat("A", 43) + "=\n\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := ParseCheckpoint(raw); err == nil && c.String() != string(raw) {
			t.Fatalf("%q is read as %q", raw, c)
		}
		if size, root, err := ReadNote(raw); err == nil && (size > maxLogSize || len(root) != 32) {
			t.Fatalf("size %d, a root of %d bytes", size, len(root))
		}
	})
}
