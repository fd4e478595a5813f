package wallet

import (
	"context"
	"net/http"
	"time"

	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// Code is a short code that this device has: nobody else can resolve it any more.
type Code struct {
	Asker  string // who asks, as its gateway names it
	Number bool   // the two digits of the asker's screen have to be typed

	place, ticket string
}

// Take resolves a short code at a gateway: base is its address for codes that do not name
// a host. Replayed (as RequestInvalid with its text) if another device was first.
func (w *Wallet) Take(ctx context.Context, base, text string) (*Code, error) {
	p, err := qr.Parse(text)
	if err != nil || p.Kind != qr.Request {
		return nil, fault.Newf(fault.Malformed, "not the code of a request")
	}
	if p.Host != "" {
		base = "https://" + p.Host
	}
	place := base + "/R/" + (qr.Payload{Kind: p.Kind, Short: p.Short}).String()[len("MULIAN:R/"):]
	o, err := w.call(ctx, http.MethodPost, place, "", "application/json", []byte("{}"))
	if err != nil {
		return nil, err
	}
	number, _ := o.Get("number")
	return &Code{Asker: cut(o.Text("asker"), 128), Number: number == true, place: place, ticket: o.Text("ticket")}, nil
}

// Match gives the number that the person reads from the asker's screen, and returns the
// link of the request. Three wrong ones close the code.
func (w *Wallet) Match(ctx context.Context, c *Code, number string) (link string, err error) {
	o, err := w.call(ctx, http.MethodPost, c.place+"/match", "", "application/json", c.body(number))
	if err != nil {
		return "", err
	}
	return o.Text("link"), nil
}

// NotMe says that the person did not start this: the code ends, and the asker is reported.
func (w *Wallet) NotMe(ctx context.Context, c *Code) error {
	_, err := w.call(ctx, http.MethodPost, c.place+"/not-me", "", "application/json", c.body(""))
	return err
}

func (c *Code) body(number string) []byte {
	return sdjwt.AppendJSON(nil, sdjwt.Object{{Name: "ticket", Value: c.ticket}, {Name: "number", Value: number}})
}

// Shown is a code by which something is shown (亮证): for a screen, good once and for a minute.
type Shown struct {
	Code    string // text of the QR code
	Expires time.Time
}

// LayReady lays a presentation ready at a gateway, which gives it to a registered verifier
// for the code. present makes it for the gateway's audience and nonce. Errors are those of
// the gateway: what does not hold, or has too many fields, is not shown.
func (w *Wallet) LayReady(ctx context.Context, base string, present func(audience, nonce string) (string, error)) (*Shown, error) {
	o, err := w.call(ctx, http.MethodPost, base+"/S/nonce", "", "application/json", []byte("{}"))
	if err != nil {
		return nil, err
	}
	nonce := o.Text("nonce")
	text, err := present(o.Text("audience"), nonce)
	if err != nil {
		return nil, err
	}
	o, err = w.call(ctx, http.MethodPost, base+"/S", "", "application/json", sdjwt.AppendJSON(nil, sdjwt.Object{{Name: "presentation", Value: text}, {Name: "nonce", Value: nonce}}))
	if err != nil {
		return nil, err
	}
	p, err := qr.Parse(o.Text("code"))
	if err != nil || p.Kind != qr.Show {
		return nil, fault.Newf(fault.Malformed, "the gateway answers with no code to show")
	}
	s := &Shown{Code: p.String()}
	if s.Expires, err = time.Parse(time.RFC3339, o.Text("expires")); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the code's end")
	}
	return s, nil
}
