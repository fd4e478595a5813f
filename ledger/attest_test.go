package ledger_test

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"mulian/client/prooffile"
	"mulian/client/witness"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// branch is a chain of one validator that goes its own way.
type branch struct {
	home  string
	l     *ledger.Ledger
	maker *prooffile.Maker
}

// newBranch starts a node with the keys and the genesis of another.
func newBranch(t *testing.T, from string, genesis []byte, began int64) *branch {
	t.Helper()
	home := filepath.Join(t.TempDir(), "node")
	if err := os.CopyFS(home, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(home, "*.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, home) { // CopyFS is generous
		mode := os.FileMode(0o600)
		if f == home {
			mode = 0o700
		}
		if err := os.Chmod(f, mode); err != nil {
			t.Fatal(err)
		}
	}
	l, err := ledger.Open(context.Background(), ledger.Config{Home: home, ChainID: ledgertest.ChainID, GenesisTimeMs: began, Logger: slog.New(slog.DiscardHandler)}, signedMachine{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &branch{home, l, (&handover{nodes: []*ledger.Ledger{l}, genesis: genesis}).maker(t)}
}

// checkpoint is what the branch's validator signs of its log now.
func (b *branch) checkpoint(t *testing.T) (c witness.Checkpoint, signed []byte) {
	t.Helper()
	size, root, err := b.maker.Log(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c = witness.Checkpoint{Origin: prooffile.Origin(ledgertest.ChainID, b.maker.GenesisHash()), Size: size, Root: root}
	_, validator, err := ledger.Attest(b.home, []byte(c.String()))
	if err != nil {
		t.Fatal(err)
	}
	signed, err = witness.Attest(c, validator[:], func(text []byte) ([]byte, error) {
		sig, _, err := ledger.Attest(b.home, text)
		return sig, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, signed
}

func (b *branch) way(c witness.Checkpoint) witness.Way {
	return func(ctx context.Context, old uint64) ([][]byte, error) {
		_, path, err := b.maker.Consistency(ctx, old, c.Size, c.Root)
		return path, err
	}
}

// TestASplitViewIsDetected: one validator runs two chains with one genesis and shows each to
// other people. The witness cosigns the first and refuses the second, and what it refused
// and what it cosigned are evidence that a stranger checks with the genesis hash alone.
func TestASplitViewIsDetected(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed")
	id, err := ledger.InitHome(seed)
	if err != nil {
		t.Fatal(err)
	}
	const began = 1_790_000_000_000
	genesis := signedGenesis(t, []ledger.Identity{id}, began)
	if err := ledger.InstallGenesis(seed, genesis); err != nil {
		t.Fatal(err)
	}
	left, right := newBranch(t, seed, genesis, began), newBranch(t, seed, genesis, began)
	origin := prooffile.Origin(ledgertest.ChainID, left.maker.GenesisHash())
	key, err := witness.LogKey(origin, id.Validator[:])
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(filepath.Join(t.TempDir(), "witness"), "witness.example/w1", []string{key})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	door := httptest.NewServer(w.Handler(slog.New(slog.DiscardHandler)))
	defer door.Close()
	by, err := witness.Cosigner(w.Key())
	if err != nil {
		t.Fatal(err)
	}
	push := func(b *branch) error {
		c, signed := b.checkpoint(t)
		_, err := witness.Push(context.Background(), http.DefaultClient, door.URL, by, signed, b.way(c))
		return err
	}
	for _, b := range []*branch{left, right} { // the same transaction, at other times: the logs part at once
		submit(t, b.l, ledgertest.Tx(t, "share/agreement/1", "to everybody"))
	}
	for i := range 3 {
		submit(t, left.l, ledgertest.Tx(t, "share/agreement/2", "for the left"))
		if err := push(left); err != nil {
			t.Fatalf("push %d: %v", i, err)
		}
	}
	_, cosigned := left.checkpoint(t)
	if err := push(right); !fault.Is(err, fault.VersionConflict) {
		t.Errorf("a smaller log: %v", err)
	}
	for range 3 {
		submit(t, right.l, ledgertest.Tx(t, "share/agreement/2", "for the right"))
	}
	if err := push(right); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("another root of the same size: %v", err)
	}
	_, same := right.checkpoint(t)
	submit(t, right.l, ledgertest.Tx(t, "share/agreement/3", "for the right"))
	if err := push(right); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a larger log that does not contain it: %v", err)
	}
	grown, signed := right.checkpoint(t)
	was, path, err := right.maker.Consistency(context.Background(), 4, grown.Size, grown.Root)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]prooffile.Split{
		"of one size":  {Notes: [2][]byte{cosigned, same}},
		"of two sizes": {Notes: [2][]byte{cosigned, signed}, Root: was[:], Path: path},
	} {
		evidence, err := left.maker.Split(context.Background(), x)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if r := prooffile.Verify(evidence, left.maker.GenesisHash()); !r.OK || r.Kind != "split" || r.Object != origin {
			t.Errorf("%s: %+v", name, r)
		}
		if r := prooffile.Verify(evidence, sha256.Sum256(nil)); r.OK {
			t.Errorf("%s: evidence against a chain with another genesis", name)
		}
	}
	if _, err := left.maker.Split(context.Background(), prooffile.Split{Notes: [2][]byte{cosigned, cosigned}}); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("evidence of nothing: %v", err)
	}
	if _, _, err := ledger.Attest(left.home, []byte("\x6e\x08\x02 a vote")); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("a validator's key signs what is no checkpoint: %v", err)
	}
}
