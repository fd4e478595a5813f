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

const (
	declaration     = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	signatureFormat = "DETACH" // the one value of the norm
)

// references say what each of the two signatures covers, in the norm's words for it.
var references = [2]string{"Header,EInvoiceData", "Hash(Header,EInvoiceData),Signature"}

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
	element(&b, "EInvoiceName", m.Name)
	element(&b, "EInvoiceCode", m.Code)
	element(&b, "EInvoiceNumber", m.Number)
	element(&b, "RandomNumber", m.CheckCode)
	element(&b, "TotalAmount", Yuan(m.Fen))
	element(&b, "IssueDate", m.IssueDate)
	b.WriteString("<InvoicingParty>")
	element(&b, "InvoicingPartyCode", m.UnitCode)
	element(&b, "InvoicingPartyName", m.UnitName)
	b.WriteString("</InvoicingParty><PayerParty>")
	element(&b, "PayerPartyCode", m.PayerCode)
	element(&b, "PayerPartyName", m.PayerName)
	b.WriteString("</PayerParty><MainExt>")
	element(&b, "RelatedInvoiceNumber", m.RedOf)
	b.WriteString("</MainExt></Main><Details>")
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
	b.WriteString(declaration + "<EInvoice>" + d.content() + "<EInvoiceSignature>")
	for i, s := range []*Signature{d.UnitSignature, d.Supervision} {
		if s == nil {
			break // who supervises signs after the unit
		}
		b.WriteString("<Signature><SignedInfo>")
		element(&b, "Reference", references[i])
		element(&b, "SignatureFormat", signatureFormat)
		b.WriteString("</SignedInfo>")
		element(&b, "SignatureValue", base64.StdEncoding.EncodeToString(s.Bytes))
		b.WriteString("<KeyInfo>")
		element(&b, "Account", s.Account)
		element(&b, "KeyID", s.Key)
		b.WriteString("</KeyInfo></Signature>")
	}
	b.WriteString("</EInvoiceSignature></EInvoice>\n")
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
			EInvoiceName, EInvoiceCode, EInvoiceNumber, RandomNumber, TotalAmount, IssueDate string
			InvoicingParty                                                                   struct{ InvoicingPartyCode, InvoicingPartyName string }
			PayerParty                                                                       struct{ PayerPartyCode, PayerPartyName string }
			MainExt                                                                          struct{ RelatedInvoiceNumber string }
		}
		Details struct {
			Item []struct{ ItemCode, ItemName, ItemAmount string }
		}
	}
	EInvoiceSignature struct {
		Signature []signatureForm
	}
}

type signatureForm struct {
	SignatureValue string
	KeyInfo        struct{ Account, KeyID string }
}

func (f signatureForm) signature() (*Signature, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(f.SignatureValue)
	if err != nil {
		return nil, fmt.Errorf("%w: a signature is not in base64", ErrDocument)
	}
	return &Signature{Account: f.KeyInfo.Account, Key: f.KeyInfo.KeyID, Bytes: b}, nil
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
			UnitCode: m.InvoicingParty.InvoicingPartyCode, UnitName: m.InvoicingParty.InvoicingPartyName,
			PayerCode: m.PayerParty.PayerPartyCode, PayerName: m.PayerParty.PayerPartyName, RedOf: m.MainExt.RelatedInvoiceNumber,
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
	for i, at := range []**Signature{&d.UnitSignature, &d.Supervision} {
		if i < len(f.EInvoiceSignature.Signature) {
			if *at, err = f.EInvoiceSignature.Signature[i].signature(); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}
