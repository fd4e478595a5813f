package fiscal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

const declaration = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// element writes one element with a text in it.
func element(b *strings.Builder, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a Builder takes everything
	b.WriteString("</" + name + ">")
}

// content is Header and EInvoiceData as they stand in the file: what is signed.
func (d *Document) content() string {
	var b strings.Builder
	m := d.Data
	b.WriteString("<Header>")
	element(&b, "EInvoiceTag", tag)
	element(&b, "EInvoiceID", m.Code+"-"+m.Number)
	element(&b, "Version", version)
	element(&b, "LedgerID", d.Header.Chain)
	element(&b, "CodeRange", d.Header.Range)
	element(&b, "Secret", hex.EncodeToString(d.Header.Secret[:]))
	b.WriteString("</Header><EInvoiceData><Main>")
	for _, f := range [][2]string{
		{"EInvoiceName", m.Name},
		{"EInvoiceCode", m.Code},
		{"EInvoiceNumber", m.Number},
		{"RandomNumber", m.CheckCode},
		{"IssueDate", m.IssueDate},
		{"TotalAmount", Yuan(m.Fen)},
		{"InvoicingPartyCode", m.UnitCode},
		{"InvoicingPartyName", m.UnitName},
		{"PayerPartyCode", m.PayerCode},
		{"PayerPartyName", m.PayerName},
		{"RelatedInvoiceNumber", m.RedOf},
	} {
		element(&b, f[0], f[1])
	}
	b.WriteString("</Main><Details>")
	for _, it := range m.Items {
		b.WriteString("<Item>")
		element(&b, "ItemCode", it.Code)
		element(&b, "ItemName", it.Name)
		element(&b, "ItemAmount", Yuan(it.Fen))
		b.WriteString("</Item>")
	}
	b.WriteString("</Details></EInvoiceData>")
	return b.String()
}

// Encode returns the document's one byte form. It returns [ErrDocument] if the document
// contradicts itself.
func (d *Document) Encode() ([]byte, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	var b strings.Builder
	b.WriteString(declaration + "<EInvoice>" + d.content())
	for _, s := range []struct {
		name string
		*Signature
	}{{"InvoicingPartySignature", d.UnitSignature}, {"SupervisionSignature", d.Supervision}} {
		if s.Signature == nil {
			continue
		}
		b.WriteString("<" + s.name + ">")
		element(&b, "Account", s.Account)
		element(&b, "KeyID", s.Key)
		element(&b, "SignatureValue", base64.StdEncoding.EncodeToString(s.Bytes))
		b.WriteString("</" + s.name + ">")
	}
	b.WriteString("</EInvoice>\n")
	if b.Len() > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrDocument, b.Len(), MaxBytes)
	}
	return []byte(b.String()), nil
}

// form is the file as the XML reader sees it. What it passes over (another element, an
// attribute, a comment) is found by writing the document again.
type form struct {
	XMLName xml.Name `xml:"EInvoice"`
	Header  struct {
		LedgerID, CodeRange, Secret string
	}
	EInvoiceData struct {
		Main struct {
			EInvoiceName, EInvoiceCode, EInvoiceNumber, RandomNumber, IssueDate, TotalAmount string
			InvoicingPartyCode, InvoicingPartyName, PayerPartyCode, PayerPartyName           string
			RelatedInvoiceNumber                                                             string
		}
		Details struct {
			Item []struct{ ItemCode, ItemName, ItemAmount string }
		}
	}
	InvoicingPartySignature, SupervisionSignature *signatureForm
}

type signatureForm struct{ Account, KeyID, SignatureValue string }

func (f *signatureForm) signature() (*Signature, error) {
	if f == nil {
		return nil, nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(f.SignatureValue)
	if err != nil {
		return nil, fmt.Errorf("%w: a signature is not in base64", ErrDocument)
	}
	return &Signature{Account: f.Account, Key: f.KeyID, Bytes: b}, nil
}

// Parse reads a document. It takes exactly what [Document.Encode] writes: other blanks,
// elements, attributes, entities or namespaces are [ErrDocument].
func Parse(raw []byte) (*Document, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrDocument, len(raw), MaxBytes)
	}
	var f form
	dec := xml.NewDecoder(bytes.NewReader(raw))
	dec.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, ErrDocument }
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrDocument, err)
	}
	d, err := f.document()
	if err != nil {
		return nil, err
	}
	again, err := d.Encode()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(raw, again) {
		return nil, fmt.Errorf("%w: it reads as one, but is written differently", ErrDocument)
	}
	return d, nil
}

func (f *form) document() (*Document, error) {
	m := f.EInvoiceData.Main
	secret, err := secretOf(f.Header.Secret)
	if err != nil {
		return nil, err
	}
	fen, err := ParseFen(m.TotalAmount)
	if err != nil {
		return nil, err
	}
	d := &Document{
		Header: Header{Chain: f.Header.LedgerID, Range: f.Header.CodeRange, Secret: secret},
		Data: Particulars{
			Name: m.EInvoiceName, Code: m.EInvoiceCode, Number: m.EInvoiceNumber, CheckCode: m.RandomNumber, IssueDate: m.IssueDate, Fen: fen,
			UnitCode: m.InvoicingPartyCode, UnitName: m.InvoicingPartyName, PayerCode: m.PayerPartyCode, PayerName: m.PayerPartyName, RedOf: m.RelatedInvoiceNumber,
		},
	}
	if len(f.EInvoiceData.Details.Item) > MaxItems {
		return nil, fmt.Errorf("%w: %d items", ErrDocument, len(f.EInvoiceData.Details.Item))
	}
	for _, it := range f.EInvoiceData.Details.Item {
		fen, err := ParseFen(it.ItemAmount)
		if err != nil {
			return nil, err
		}
		d.Data.Items = append(d.Data.Items, Item{Code: it.ItemCode, Name: it.ItemName, Fen: fen})
	}
	if d.UnitSignature, err = f.InvoicingPartySignature.signature(); err != nil {
		return nil, err
	}
	d.Supervision, err = f.SupervisionSignature.signature()
	return d, err
}
