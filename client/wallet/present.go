package wallet

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"

	"mulian/internal/dcql"
	"mulian/internal/fault"
	"mulian/internal/jwe"
	"mulian/internal/sdjwt"
)

// Held is a credential in the box, with the key that it is bound to.
type Held struct {
	Text   string
	Holder sdjwt.Signer
}

// fresh draws a nonce of 128 bits.
func fresh() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return sdjwt.Encode(b[:])
}

// Choose returns which credentials with which fields answer the request, for the person to
// see. dcql.ErrNone if nothing does: show the same screen, and Decline.
func (r *Request) Choose(held []Held) ([]dcql.Choice, error) {
	at := make([]dcql.Held, len(held))
	for i, h := range held {
		t, err := sdjwt.Parse(h.Text)
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "a credential in the box")
		}
		claims, _, err := t.Expand()
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "a credential in the box")
		}
		at[i] = dcql.Held{Format: dcql.FormatSDJWT, Type: claims.Text("vct"), Claims: claims, Bound: h.Holder != nil && holderOf(t, []sdjwt.Signer{h.Holder}) == 0}
	}
	return r.Query.Choose(at)
}

// Answer shows what choices name to the verifier, and returns where the person is sent
// back to, if anywhere. Each presentation is bound to the verifier, its nonce and the
// transaction data that name it. It is sent once: after an error the request is spent.
func (w *Wallet) Answer(ctx context.Context, r *Request, held []Held, choices []dcql.Choice) (back string, err error) {
	tokens := sdjwt.Object{}
	for _, c := range choices {
		if c.Held < 0 || c.Held >= len(held) {
			return "", fault.Newf(fault.Internal, "a choice of credential %d of %d", c.Held, len(held))
		}
		text, err := w.present(r, held[c.Held], c)
		if err != nil {
			return "", err
		}
		at := slices.IndexFunc(tokens, func(m sdjwt.Member) bool { return m.Name == c.ID })
		if at < 0 {
			tokens = append(tokens, sdjwt.Member{Name: c.ID, Value: sdjwt.Array{}})
			at = len(tokens) - 1
		}
		list, _ := tokens[at].Value.(sdjwt.Array)
		tokens[at].Value = append(list, text)
	}
	return w.send(ctx, r, sdjwt.Object{{Name: "vp_token", Value: tokens}})
}

// present makes one presentation.
func (w *Wallet) present(r *Request, h Held, c dcql.Choice) (string, error) {
	t, err := sdjwt.Parse(h.Text)
	if err != nil {
		return "", fault.Wrap(fault.Damaged, err, "a credential in the box")
	}
	text, err := t.Present(c.Paths...)
	if err != nil {
		return "", fault.Wrap(fault.Damaged, err, "a credential in the box")
	}
	query := r.Query.Find(c.ID)
	if query == nil || query.Unbound {
		return text, nil
	}
	bind := sdjwt.Request{Audience: r.ClientID, Nonce: r.nonce}
	for i, td := range r.Transactions {
		if slices.Contains(td.Credentials, c.ID) {
			bind.Transaction = append(bind.Transaction, r.transaction[i])
		}
	}
	text, err = sdjwt.Bind(text, bind, h.Holder, w.now())
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "bind the presentation")
	}
	return text, nil
}

// Decline tells the verifier access_denied: the person does not want to, or nothing fits,
// and nobody outside learns which.
func (w *Wallet) Decline(ctx context.Context, r *Request) (back string, err error) {
	return w.send(ctx, r, sdjwt.Object{{Name: "error", Value: "access_denied"}, {Name: "error_description", Value: "the request was not answered"}})
}

// send seals an answer where that is asked for: a refusal, too, so that whoever carries it
// sees no difference but the length.
func (w *Wallet) send(ctx context.Context, r *Request, o sdjwt.Object) (string, error) {
	form := url.Values{}
	if r.state != "" {
		o = append(o, sdjwt.Member{Name: "state", Value: r.state})
	}
	if r.seal != nil {
		pub, err := jwe.ParseJWK(r.seal.key)
		if err != nil {
			return "", fault.Wrap(fault.Internal, err, "seal the answer")
		}
		text, err := jwe.Seal(pub, r.seal.kid, r.seal.enc, sdjwt.AppendJSON(nil, o))
		if err != nil {
			return "", fault.Wrap(fault.Internal, err, "seal the answer")
		}
		form.Set("response", text)
	} else {
		for _, m := range o {
			if s, ok := m.Value.(string); ok {
				form.Set(m.Name, s)
			} else {
				form.Set(m.Name, string(sdjwt.AppendJSON(nil, m.Value)))
			}
		}
	}
	answer, err := w.call(ctx, http.MethodPost, r.place, "", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	return answer.Text("redirect_uri"), nil
}
