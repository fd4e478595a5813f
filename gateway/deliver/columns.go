package deliver

import (
	"slices"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

const (
	methodQuery = cataloguev1.Method_METHOD_QUERY
	methodBatch = cataloguev1.Method_METHOD_BATCH
	methodFile  = cataloguev1.Method_METHOD_FILE
	itemFrozen  = cataloguev1.ItemState_ITEM_STATE_FROZEN
)

// resultColumns describes what is delivered. Key columns are marked only if the
// whole key is: a part of it would not be unique at the receiver.
func (d *decision) resultColumns() []*gatewayv1.ResultColumn {
	var key []string
	for _, c := range d.table.GetColumns() {
		if c.GetPrimaryKey() {
			key = append(key, c.GetName())
		}
	}
	whole := len(key) > 0
	for _, k := range key {
		i := slices.IndexFunc(d.items, func(it *cataloguev1.Item) bool { return it.GetColumn() == k })
		whole = whole && i >= 0 && distinct(d.agreedMask(d.items[i].GetCode()))
	}
	var out []*gatewayv1.ResultColumn
	taken := map[string]bool{}
	for i, it := range d.items {
		name := it.GetTechnicalName()
		if name == "" || taken[name] {
			name = it.GetColumn()
		}
		if taken[name] {
			name = it.GetCode()
		}
		taken[name] = true
		out = append(out, &gatewayv1.ResultColumn{
			Item: it.GetCode(), Name: it.GetName(), Column: name, Type: maskedType(d.agreedMask(it.GetCode()), d.columns[i].GetType()),
			PrimaryKey: whole && d.columns[i].GetPrimaryKey(), Length: it.GetLength(), Precision: it.GetPrecision(),
		})
	}
	return out
}

// order is the key by which a table without one of its own is read: the entry's key
// items, where it names any. Otherwise the database's own order counts.
func (d *decision) order() []string {
	for _, c := range d.table.GetColumns() {
		if c.GetPrimaryKey() {
			return nil
		}
	}
	var out []string
	for _, it := range d.entry.GetItems() {
		if col := column(d.table, it.GetColumn()); it.GetPrimaryKey() && col != nil && !col.GetNullable() {
			out = append(out, it.GetColumn())
		}
	}
	return out
}

// targetColumns is the reverse at the asker: what its table has to look like.
func targetColumns(in []*gatewayv1.ResultColumn) (out []connect.Column, key []string, err error) {
	if len(in) == 0 || len(in) > maxItems {
		return nil, nil, fault.Newf(fault.Malformed, "an offer of %d columns", len(in))
	}
	for i, c := range in {
		col := connect.Column{Name: c.GetColumn(), Nullable: !c.GetPrimaryKey(), Position: i + 1, Comment: c.GetName()}
		if err := col.Kind.UnmarshalText([]byte(c.GetType())); err != nil {
			return nil, nil, fault.Wrap(fault.Malformed, err, "column %.100q", c.GetColumn())
		}
		if c.GetPrimaryKey() {
			key = append(key, col.Name)
		}
		out = append(out, col)
	}
	return out, key, nil
}

// sealOne seals one piece as a session of its own.
func sealOne(to sm.PublicKey, aad, content []byte) (header, box []byte, err error) {
	s, header, err := seal.NewSealer(to, aad)
	if err != nil {
		return nil, nil, err
	}
	box, err = s.Seal(content, true)
	return header, box, err
}

// openOne opens what sealOne or a shared sealer sealed: VerificationFailed if it is not
// for us or not as it was.
func openOne(key *seal.SharedOpener, aad, header, box []byte) ([]byte, error) {
	content, err := key.Open(header, aad, box)
	return content, fault.Wrap(fault.VerificationFailed, err, "the answer")
}

// maxSealers bounds the receivers to whom answers are sealed with a shared secret.
const maxSealers = 1000

// sealTo seals an answer to a receiver's key.
func (p *Provider) sealTo(to sm.PublicKey, aad, content []byte) (header, box []byte, err error) {
	name := string(to.Bytes())
	p.mu.Lock()
	s := p.sealers[name]
	p.mu.Unlock()
	if s == nil {
		if s, err = seal.NewSharedSealer(to); err != nil {
			return nil, nil, err
		}
		p.mu.Lock()
		if len(p.sealers) >= maxSealers {
			clear(p.sealers)
		}
		p.sealers[name] = s
		p.mu.Unlock()
	}
	return s.Seal(aad, content)
}
