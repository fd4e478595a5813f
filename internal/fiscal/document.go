package fiscal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"mulian/internal/sm"
)

// Bounds of a document. Our own choice: a receipt of a long stay in hospital has some
// hundred lines.
const (
	MaxBytes = 256 << 10
	MaxItems = 500

	maxText  = 200
	tag      = "CZ-EI" // 财政电子票据 in EInvoiceTag
	version  = "1.0"
	codeLen  = 8
	numLen   = 10
	checkLen = 6
)

// ErrDocument is returned for bytes that are no receipt in the one form that we write.
var ErrDocument = errors.New("not an e-receipt in its one form")

// Document is a receipt as its payer has it. The fields of Header and Data are what the unit
// signs.
type Document struct {
	Header        Header
	Data          Particulars
	UnitSignature *Signature // over Header and Data
	Supervision   *Signature // over them and UnitSignature
}

// Header says what kind of document it is, and has its secret.
type Header struct {
	Chain  string // id of the ledger on which the receipt is
	Range  string // code range
	Secret Secret
}

// Particulars is what the receipt says.
type Particulars struct {
	Name      string // "医疗收费电子票据"
	Code      string // 票据代码, 8 digits
	Number    string // 票据号码, 10 digits
	CheckCode string // 校验码, 6 digits
	IssueDate string // YYYYMMDD
	Fen       int64  // of all items; negative on a red receipt
	UnitCode  string // who issues: 统一社会信用代码
	UnitName  string
	PayerCode string // who paid: id number or credit code
	PayerName string
	RedOf     string // number of the receipt that this red one cancels; empty = a blue one
	Items     []Item
}

// Item is one line.
type Item struct {
	Code, Name string
	Fen        int64
}

// Signature is one of the two detached signatures.
type Signature struct {
	Account string // on the ledger
	Key     string // id of the account's key
	Bytes   []byte
}

// ContentHash is what both signatures rest on: SM3 over Header and EInvoiceData as they
// stand in the file.
func (d *Document) ContentHash() [32]byte { return sm.SM3([]byte(d.content())) }

// Handle returns the ledger's name of the receipt.
func (d *Document) Handle() [32]byte { return d.Header.Secret.Handle(d.Data.Code, d.Data.Number) }

// Check tells what in the document contradicts itself: bounds, sums, check code. It does not
// look at signatures.
func (d *Document) Check() error {
	m := d.Data
	switch {
	case !isDigits(m.Code, codeLen) || !isDigits(m.Number, numLen) || !isDigits(m.CheckCode, checkLen) || !isDigits(m.IssueDate, 8):
		return fmt.Errorf("%w: code, number, check code or date are not of 8, 10, 6 and 8 digits", ErrDocument)
	case m.RedOf != "" && !isDigits(m.RedOf, numLen):
		return fmt.Errorf("%w: the number of the cancelled receipt", ErrDocument)
	case m.CheckCode != d.Header.Secret.CheckCode(m.Code, m.Number):
		return fmt.Errorf("%w: the check code is not that of the number", ErrDocument)
	case (m.Fen < 0) != (m.RedOf != "") || abs(m.Fen) < 1 || abs(m.Fen) > MaxFen:
		return fmt.Errorf("%w: an amount of %d fen", ErrDocument, m.Fen)
	case len(m.Items) < 1 || len(m.Items) > MaxItems:
		return fmt.Errorf("%w: %d items, 1 to %d", ErrDocument, len(m.Items), MaxItems)
	}
	sum := int64(0)
	for i, it := range m.Items {
		if abs(it.Fen) > MaxFen || !isLine(it.Code, false) || !isLine(it.Name, true) {
			return fmt.Errorf("%w: item %d", ErrDocument, i+1)
		}
		sum += it.Fen
	}
	if sum != m.Fen {
		return fmt.Errorf("%w: the items are %d fen, the total is %d", ErrDocument, sum, m.Fen)
	}
	for _, text := range []string{d.Header.Chain, d.Header.Range, m.Name, m.UnitCode, m.UnitName, m.PayerCode, m.PayerName} {
		if !isLine(text, true) {
			return fmt.Errorf("%w: a text is missing, too long or of several lines", ErrDocument)
		}
	}
	for _, s := range []*Signature{d.UnitSignature, d.Supervision} {
		if s != nil && (!isLine(s.Account, true) || !isLine(s.Key, true) || len(s.Bytes) == 0 || len(s.Bytes) > sm.MaxSignatureSize) {
			return fmt.Errorf("%w: a signature", ErrDocument)
		}
	}
	if d.Supervision != nil && d.UnitSignature == nil {
		return fmt.Errorf("%w: supervised, but not signed by its unit", ErrDocument)
	}
	return nil
}

// Scaled returns the scaled amount of the receipt, of a red one that of its absolute value.
func (d *Document) Scaled() (uint64, error) { return d.Header.Secret.Amount(abs(d.Data.Fen)) }

// Verify checks both signatures by the keys that find returns for an account and key id.
func (d *Document) Verify(find func(account, key string) (sm.PublicKey, error)) error {
	if d.UnitSignature == nil {
		return errors.New("the unit has not signed")
	}
	if d.Supervision == nil {
		return errors.New("the finance bureau has not signed")
	}
	sum := d.ContentHash()
	for _, s := range []struct {
		who       string
		signature *Signature
		statement []byte
	}{
		{"the unit", d.UnitSignature, UnitStatement(sum[:])},
		{"the finance bureau", d.Supervision, SuperviseStatement(sum[:], d.UnitSignature.Bytes)},
	} {
		k, err := find(s.signature.Account, s.signature.Key)
		if err != nil {
			return fmt.Errorf("key %s of %s: %w", s.signature.Key, s.signature.Account, err)
		}
		if err := k.Check(s.statement, s.signature.Bytes); err != nil {
			return fmt.Errorf("the signature of %s: %w", s.who, err)
		}
	}
	return nil
}

func isDigits(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func isLine(s string, needed bool) bool {
	return (s != "" || !needed) && utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxText &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError || r == 0xFFFE || r == 0xFFFF }) && strings.TrimSpace(s) == s
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

func secretOf(text string) (s Secret, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(s) {
		return s, fmt.Errorf("%w: the secret has 64 hexadecimal digits", ErrDocument)
	}
	return Secret(b), nil
}

// ParseFen reads "123.45" yuan as fen.
func ParseFen(text string) (int64, error) {
	yuan, cents, ok := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if !ok || len(cents) != 2 || len(yuan) < 1 || len(yuan) > 10 || !isDigits(yuan, len(yuan)) || !isDigits(cents, 2) || yuan[0] == '0' && len(yuan) > 1 {
		return 0, fmt.Errorf("%w: amount %.20q is not like 123.45", ErrDocument, text)
	}
	n := int64(0)
	for _, c := range yuan + cents {
		n = n*10 + int64(c-'0')
	}
	if strings.HasPrefix(text, "-") {
		if n == 0 {
			return 0, fmt.Errorf("%w: amount %s", ErrDocument, text)
		}
		n = -n
	}
	return n, nil
}

// Yuan writes fen as "123.45".
func Yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign = "-"
	}
	return fmt.Sprintf("%s%d.%02d", sign, abs(fen)/100, abs(fen)%100)
}
