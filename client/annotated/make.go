package annotated

import (
	"slices"
	"time"

	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// Order is a copy that is to be made.
type Order struct {
	Text       string            // the credential, ES256 or SM2 twin
	Credential string            // its id on the ledger
	Fields     []string          // names of top-level claims that are shown; at least one
	Titles     map[string]string // of fields, as the type has them; may be nil
	Title      string            // name of the type
	IssuerName string
	Holder     sdjwt.Signer // needed if the credential is bound to a key

	Maker, MakerName         string
	Recipient, RecipientName string // account or organisation, and what people call it
	Cause                    string
	Expires, Now             time.Time
}

// Audience is what the holder's key binds a copy to.
func Audience(recipient string) string { return "mulian:copy:" + recipient }

// Make makes a copy; its record goes on the ledger before the copy is handed over.
// Malformed (credential, field), Missing, TooLong, HolderProofBad (another key, none),
// OutOfRange (the end).
func Make(o Order) (*Copy, error) {
	t, err := sdjwt.Parse(o.Text)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the credential")
	}
	if !o.Expires.After(o.Now) {
		return nil, fault.Newf(fault.OutOfRange, "the copy would have ended already")
	}
	c := &Copy{
		Format: Format, Credential: o.Credential, Title: o.Title, IssuerName: o.IssuerName, Maker: o.Maker, MakerName: o.MakerName,
		Recipient: o.Recipient, RecipientName: o.RecipientName, Cause: o.Cause, MadeMs: o.Now.UnixMilli(), ExpiresMs: o.Expires.UnixMilli(),
		Type: t.Issuer.Payload.Text("vct"), Issuer: t.Issuer.Payload.Text("iss"),
	}
	code := qr.NewShort()
	if err := c.present(t, o, code); err != nil {
		return nil, err
	}
	if err := c.bounds(); err != nil {
		return nil, err
	}
	c.Code = qr.Payload{Kind: qr.Verify, Short: code, Mac: letters(code, c.annotated())}.String()
	return c, nil
}

// present writes the chosen fields and binds them.
func (c *Copy) present(t *sdjwt.Token, o Order, code qr.Short) error {
	claims, _, err := t.Expand()
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "the credential")
	}
	var paths []sdjwt.Path
	for _, name := range o.Fields {
		v, ok := claims.Get(name)
		if !ok || reserved[name] {
			return fault.Newf(fault.Malformed, "the credential has no field %.64q", name)
		}
		if slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Name == name }) {
			return fault.Newf(fault.Duplicate, "field %s comes twice", name)
		}
		paths = append(paths, sdjwt.Path{name})
		c.Fields = append(c.Fields, Field{Name: name, Title: o.Titles[name], Value: printed(v)})
	}
	if len(paths) == 0 {
		return fault.Newf(fault.Missing, "no field is chosen")
	}
	if c.Text, err = t.PresentOnly(paths...); err != nil {
		return fault.Wrap(fault.Malformed, err, "the credential")
	}
	if _, bound := t.Issuer.Payload.Get("cnf"); !bound {
		return nil
	}
	if o.Holder == nil {
		return fault.Newf(fault.HolderProofBad, "the credential is bound to its holder's key: the copy needs it")
	}
	c.Bound = true
	c.Text, err = sdjwt.Bind(c.Text, sdjwt.Request{Audience: Audience(o.Recipient), Nonce: ID(code)}, o.Holder, o.Now)
	return fault.Wrap(fault.HolderProofBad, err, "bind the copy")
}

// reserved are claims that are no fields.
var reserved = map[string]bool{"iss": true, "iat": true, "exp": true, "nbf": true, "cnf": true, "status": true, "vct": true, "src": true, "_sd_alg": true}

// printed is a value as it stands on the paper.
func printed(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(sdjwt.AppendJSON(nil, v))
}
