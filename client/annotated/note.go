package annotated

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// Format names this version of a copy's file.
const Format = "mulian-annotated-copy-v1"

// Bounds of a copy; the annotations are also printed. Our own choice.
const (
	MaxFile   = 2 * sdjwt.MaxText
	maxCause  = 200 // characters
	maxName   = 100 // characters of a name
	maxActor  = 64  // bytes of an account or organisation
	maxFields = 64
)

// Domains of the hashes; see credential.v1 AnnotatedCopy.
const (
	idDomain         = "mulian/copy/id/v1"
	commitmentDomain = "mulian/copy/v1"
	macDomain        = "mulian/copy/mac/v1"
	lettersDomain    = "mulian/copy/letters/v1"
	recipientDomain  = "mulian/copy/recipient/v1"
	credentialDomain = "mulian/copy/credential/v1"
	annotations      = "mulian/copy/annotations/v1"
)

// Copy is an annotated copy as its recipient gets it. It is personal data.
type Copy struct {
	Format        string  `json:"format"`
	Code          string  `json:"code"`       // as it is printed: MULIAN:V/<26>/<8>
	Credential    string  `json:"credential"` // its id on the ledger
	Type          string  `json:"type"`       // vct
	Title         string  `json:"title,omitempty"`
	Issuer        string  `json:"issuer"` // iss
	IssuerName    string  `json:"issuer_name,omitempty"`
	Maker         string  `json:"maker"` // 制作者: account
	MakerName     string  `json:"maker_name,omitempty"`
	Recipient     string  `json:"recipient"` // account or organisation
	RecipientName string  `json:"recipient_name,omitempty"`
	Cause         string  `json:"cause"`      // 制作事由
	MadeMs        int64   `json:"made_ms"`    // 制作时间
	ExpiresMs     int64   `json:"expires_ms"` // 有效期截至时间
	Fields        []Field `json:"fields"`     // as they are printed
	Text          string  `json:"presentation"`
	Bound         bool    `json:"bound"` // the holder's key has signed for this copy
}

// Field is a shown field with its title.
type Field struct {
	Name  string `json:"name"`
	Title string `json:"title,omitempty"`
	Value string `json:"value"`
}

// annotated is the hash of all that a copy says.
func (c *Copy) annotated() [32]byte {
	number := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	parts := [][]byte{
		[]byte(c.Format), []byte(c.Credential), []byte(c.Type), []byte(c.Title), []byte(c.Issuer), []byte(c.IssuerName), []byte(c.Maker), []byte(c.MakerName),
		[]byte(c.Recipient), []byte(c.RecipientName), []byte(c.Cause), number(c.MadeMs), number(c.ExpiresMs), []byte(c.Text),
		{0},
	}
	if c.Bound {
		parts[len(parts)-1][0] = 1
	}
	for _, f := range c.Fields {
		parts = append(parts, []byte(f.Name), []byte(f.Title), []byte(f.Value))
	}
	return canon.Digest(annotations, parts...)
}

// letters are those behind the code: an HMAC of the annotations under the code itself.
func letters(code qr.Short, annotated [32]byte) string {
	h := hmac.New(sha256.New, code[:])
	h.Write(canon.Frame(lettersDomain, annotated[:]))
	return qr.MacOf(h.Sum(nil))
}

func digest(domain string, code qr.Short, parts ...[]byte) []byte {
	sum := canon.Digest(domain, append([][]byte{code[:]}, parts...)...)
	return sum[:]
}

// ID returns the id on the ledger of the copy with this code.
func ID(code qr.Short) string { return hex.EncodeToString(digest(idDomain, code)[:16]) }

// masked puts the id of a credential under a pad that only the code makes, or takes it off.
func masked(code qr.Short, id []byte) []byte {
	out := make([]byte, 16)
	subtle.XORBytes(out, digest(credentialDomain, code)[:16], id)
	return out
}

// CredentialOf returns the id of the credential of which a copy is; who has the code finds it.
func CredentialOf(code qr.Short, r *credentialv1.AnnotatedCopy) string {
	if len(r.GetCredential()) != 16 {
		return ""
	}
	return hex.EncodeToString(masked(code, r.GetCredential()))
}

// payload reads the code of a copy. Malformed.
func payload(text string) (qr.Payload, error) {
	p, err := qr.Parse(strings.ToUpper(strings.TrimSpace(text)))
	if err != nil || p.Kind != qr.Verify {
		return p, fault.Newf(fault.Malformed, "not the code of an annotated copy: MULIAN:V/<26 letters>/<8 letters>")
	}
	return p, nil
}

// ParseCode reads the code of a copy as it is printed or was photographed. Malformed.
func ParseCode(text string) (qr.Payload, error) { return payload(text) }

// Record is what the ledger keeps of the copy. Malformed if its code is none.
func (c *Copy) Record() (*credentialv1.AnnotatedCopy, error) {
	p, err := payload(c.Code)
	if err != nil {
		return nil, err
	}
	id, err := hex.DecodeString(c.Credential)
	if err != nil || len(id) != 16 {
		return nil, fault.Newf(fault.Malformed, "%.40q is no id of a credential", c.Credential)
	}
	sum := c.annotated()
	return &credentialv1.AnnotatedCopy{
		Id: ID(p.Short), Commitment: digest(commitmentDomain, p.Short, sum[:]), MacHash: digest(macDomain, p.Short, []byte(p.Mac)),
		RecipientHash: digest(recipientDomain, p.Short, []byte(c.Recipient)), Credential: masked(p.Short, id), ExpiresMs: c.ExpiresMs,
	}, nil
}

// Parse reads a copy's file: Malformed, TooLong.
func Parse(raw []byte) (*Copy, error) {
	if len(raw) > MaxFile {
		return nil, fault.Newf(fault.TooLong, "a copy of more than %d bytes", MaxFile)
	}
	c := &Copy{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the copy")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.Newf(fault.Malformed, "something follows the copy")
	}
	return c, c.bounds()
}

// bounds refuses what cannot be printed: Malformed, Missing, TooLong.
func (c *Copy) bounds() error {
	switch {
	case c.Format != Format:
		return fault.Newf(fault.Malformed, "format %.40q, this program reads %s", c.Format, Format)
	case len(c.Fields) == 0 || len(c.Fields) > maxFields:
		return fault.Newf(fault.Malformed, "a copy shows 1 to %d fields, not %d", maxFields, len(c.Fields))
	case c.Recipient == "" || c.Cause == "":
		return fault.Newf(fault.Missing, "a copy is for somebody and for something")
	case len(c.Recipient) > maxActor || len(c.Maker) > maxActor:
		return fault.Newf(fault.TooLong, "recipient or maker of more than %d bytes", maxActor)
	}
	for _, t := range []string{c.Recipient, c.Maker, c.Cause, c.RecipientName, c.MakerName, c.IssuerName, c.Title} {
		if !utf8.ValidString(t) || strings.ContainsFunc(t, unicode.IsControl) {
			return fault.Newf(fault.Malformed, "an annotation is no line of text")
		}
	}
	if utf8.RuneCountInString(c.Cause) > maxCause {
		return fault.Newf(fault.TooLong, "a cause of more than %d characters", maxCause)
	}
	for _, t := range []string{c.RecipientName, c.MakerName, c.IssuerName, c.Title} {
		if utf8.RuneCountInString(t) > maxName {
			return fault.Newf(fault.TooLong, "a name of more than %d characters", maxName)
		}
	}
	return nil
}

// Marshal writes the copy's file.
func (c *Copy) Marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(c); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the copy")
	}
	return b.Bytes(), nil
}
