package boxcall

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/gen/mulian/safebox/v1/safeboxv1connect"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/safebox"
	"mulian/safebox/store"
)

// Caller makes calls of one account at one door. Safe for concurrent use.
type Caller struct {
	Door   safeboxv1connect.BoxServiceClient
	Chain  string // id of the chain
	Name   string // of the door
	Signer client.Signer
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Dial returns the door that answers at a base URL.
func Dial(url string) safeboxv1connect.BoxServiceClient {
	return safeboxv1connect.NewBoxServiceClient(client.HTTPClient(), url, connect.WithReadMaxBytes(wire.MaxMessageBytes), connect.WithSendMaxBytes(wire.MaxMessageBytes))
}

// call signs an order and sends it. Errors are those of the door, and Unreachable.
func (c *Caller) call(ctx context.Context, o *safeboxv1.BoxOrder, part []byte) (*safeboxv1.BoxAnswer, error) {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	o.ChainId, o.To, o.From, o.CallId, o.ExpiresMs = c.Chain, c.Name, c.Signer.Account, hex.EncodeToString(id), now().Add(life).UnixMilli()
	body, err := canon.Marshal(o)
	if err != nil {
		return nil, err
	}
	sig, err := c.Signer.Key.Sign(append([]byte(Domain), body...))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := c.Door.Call(ctx, connect.NewRequest(&safeboxv1.BoxCall{Body: body, Key: c.Signer.Key.Public().ID(), Signature: sig, Part: part}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg, nil
}

// Vault fetches the vault file of the caller's own box. NotFound.
func (c *Caller) Vault(ctx context.Context) ([]byte, error) {
	a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_FetchVault{FetchVault: &safeboxv1.FetchVault{}}}, nil)
	return a.GetContent(), err
}

// PutVault lays down the vault file whose hash the ledger has. CodeInconsistent for another.
func (c *Caller) PutVault(ctx context.Context, file []byte) error {
	_, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_PutVault{PutVault: &safeboxv1.PutVault{File: file}}}, nil)
	return err
}

// List returns what lies in the caller's own box, by id.
func (c *Caller) List(ctx context.Context) ([]*safeboxv1.StoredItem, error) {
	var out []*safeboxv1.StoredItem
	for after := ""; ; {
		a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_List{List: &safeboxv1.ListItems{After: after, Limit: store.MaxList}}}, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, a.GetItems()...)
		switch next := a.GetNext(); {
		case next == "":
			return out, nil
		case next <= after || len(out) > maxItems:
			return nil, fault.Newf(fault.Malformed, "the door lists without end")
		default:
			after = next
		}
	}
}

// Head fetches the head of an item of the caller's own box, and its hash. NotFound.
func (c *Caller) Head(ctx context.Context, item string) (head *safeboxv1.ItemHead, sum [sha256.Size]byte, err error) {
	a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_GetHead{GetHead: &safeboxv1.GetHead{Item: item}}}, nil)
	if err != nil {
		return nil, sum, err
	}
	head, err = safebox.ParseHead(a.GetContent())
	switch {
	case err != nil:
		return nil, sum, fault.Wrap(fault.Damaged, err, "the head of item %s", item)
	case head.GetItem() != item || head.GetAccount() != c.Signer.Account || head.GetBodyBytes() == 0 || head.GetBodyBytes() > store.MaxBody:
		return nil, sum, fault.Newf(fault.VerificationFailed, "the door shows the head of something else as item %s", item)
	}
	return head, sha256.Sum256(a.GetContent()), nil
}

// PutHead replaces the head of an item: its key was wrapped again. VersionConflict if
// another program was faster.
func (c *Caller) PutHead(ctx context.Context, head *safeboxv1.ItemHead, before [sha256.Size]byte) error {
	raw, err := canon.Marshal(head)
	if err == nil {
		_, err = c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_PutHead{PutHead: &safeboxv1.PutHead{Item: head.GetItem(), Head: raw, BeforeSha256: before[:]}}}, nil)
	}
	return err
}

// Erase destroys an item of the caller's own box whose erasure is on the ledger, or that was
// never there; there says whether anything lay there still.
func (c *Caller) Erase(ctx context.Context, item string) (there bool, err error) {
	a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_Erase{Erase: &safeboxv1.EraseItem{Item: item}}}, nil)
	return a.GetDone(), err
}

// LayRowKey leaves a row key of a grant, sealed to one of its providers, for the data user.
// Errors are those of the order (proto LayRowKey).
func (c *Caller) LayRowKey(ctx context.Context, k *safeboxv1.LayRowKey) error {
	_, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_LayRowKey{LayRowKey: k}}, nil)
	return err
}

// RowKey fetches, for the data user, the row key that a grant's owner has laid down. NotFound
// if there is none here; GrantRevoked, GrantNotActive, Expired, UsesExhausted if it is too late.
func (c *Caller) RowKey(ctx context.Context, grant, provider string) ([]byte, error) {
	a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_FetchRowKey{FetchRowKey: &safeboxv1.FetchRowKey{Grant: grant, Provider: provider}}}, nil)
	return a.GetContent(), err
}

// Lay puts an item into the box that its head names. write writes the body of the head's
// length, the same each time: it is called again for parts that did not arrive. Forbidden
// into a stranger's box.
func (c *Caller) Lay(ctx context.Context, head *safeboxv1.ItemHead, write func(io.Writer) error) error {
	raw, err := canon.Marshal(head)
	if err != nil {
		return err
	}
	owner, item, sum := head.GetAccount(), head.GetItem(), sha256.Sum256(raw)
	start := &safeboxv1.StartItem{Owner: owner, Item: item, BodyBytes: head.GetBodyBytes(), HeadSha256: sum[:]}
	for range rounds {
		a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_Start{Start: start}}, nil)
		if err != nil || a.GetDone() {
			return err
		}
		if len(a.GetMissing()) == 0 {
			_, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_Finish{Finish: &safeboxv1.FinishItem{Owner: owner, Item: item, Head: raw}}}, nil)
			return err
		}
		missing := a.GetMissing()
		p := &store.Cutter{Put: func(n uint32, part []byte) error {
			if !slices.Contains(missing, n) {
				return nil
			}
			sum := sha256.Sum256(part)
			_, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_PutPart{PutPart: &safeboxv1.PutPart{Owner: owner, Item: item, Part: n, Sha256: sum[:]}}}, part)
			return err
		}}
		if err := write(p); err != nil {
			return err
		}
		if err := p.Flush(); err != nil { // the last one is shorter
			return err
		}
	}
	return fault.Newf(fault.Malformed, "the door takes the parts of item %s and asks for them again", item)
}

// Body reads the ciphertext of an item of the caller's own box, part by part, as long as
// ctx lasts.
func (c *Caller) Body(ctx context.Context, head *safeboxv1.ItemHead) io.Reader {
	return &body{left: head.GetBodyBytes(), fetch: func(n uint32) ([]byte, error) {
		a, err := c.call(ctx, &safeboxv1.BoxOrder{Want: &safeboxv1.BoxOrder_GetPart{GetPart: &safeboxv1.GetPart{Item: head.GetItem(), Part: n}}}, nil)
		return a.GetContent(), err
	}}
}

// body is the parts of a body in a row.
type body struct {
	fetch func(n uint32) ([]byte, error)
	next  uint32
	left  uint64
	buf   []byte
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if len(b.buf) == 0 {
		if b.left == 0 {
			return 0, io.EOF
		}
		part, err := b.fetch(b.next)
		if err != nil {
			return 0, err
		}
		if n := uint64(len(part)); n == 0 || n > b.left {
			return 0, fault.Newf(fault.VerificationFailed, "part %d is not what the head of its item says", b.next)
		}
		b.buf, b.next, b.left = part, b.next+1, b.left-uint64(len(part))
	}
	n := copy(p, b.buf)
	b.buf = b.buf[n:]
	return n, nil
}
