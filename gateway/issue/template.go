package issue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
)

// template is the credential before it is signed: what decides visible, what the row says
// hidden, two decoys.
func (o *Office) template(p *plan, row connect.Row, made *Issued, anchor *credentialv1.Credential, now time.Time) (sdjwt.Object, error) {
	t := sdjwt.Object{{Name: "iss", Value: p.issuer.GetUrl()}, {Name: "iat", Value: now.Unix()}}
	add := func(name string, v any) { t = append(t, sdjwt.Member{Name: name, Value: v}) }
	if made.ExpiresMs != 0 {
		add("exp", made.ExpiresMs/1000)
	}
	add("vct", p.kind.GetVct())
	if made.Licence != "" {
		add("lic", sdjwt.Hidden{Value: made.Licence}) // a serial may be a number of its holder
	}
	if !p.order.Holder.IsZero() {
		jwk, err := sdjwt.JWK(p.order.Holder)
		if err != nil {
			return nil, fault.Wrap(fault.HolderProofBad, err, "holder's key")
		}
		add("cnf", sdjwt.Object{{Name: "jwk", Value: jwk}})
	}
	uri := fmt.Sprintf("%s/%s/%d", p.issuer.GetStatusUrl(), o.Org, made.List)
	add("status", sdjwt.Object{{Name: "status_list", Value: sdjwt.Object{{Name: "idx", Value: int64(made.Index)}, {Name: "uri", Value: uri}}}})
	if p.entry != nil {
		add("src", sdjwt.Object{{Name: "cat", Value: p.entry.GetId()}, {Name: "ver", Value: int64(p.entry.GetVersion())}, {Name: "snap", Value: sdjwt.Encode(anchor.GetSource())}})
	}
	n := 0
	for _, f := range p.kind.GetFields() {
		var v any
		if f.GetItem() != "" {
			v = claim(row[n])
			n++
		} else if text, ok := p.order.Own[f.GetName()]; ok {
			v = text
		}
		switch {
		case v == nil && f.GetRequired():
			return nil, fault.Newf(fault.Missing, "field %s of %s has no value", f.GetName(), made.Type)
		case v == nil:
			add(f.GetName(), sdjwt.Decoy{}) // nobody sees that it is missing
		case f.GetVisible():
			add(f.GetName(), v)
		default:
			add(f.GetName(), sdjwt.Hidden{Value: v})
		}
	}
	add("", sdjwt.Decoy{})
	add("", sdjwt.Decoy{})
	return t, nil
}

// claim is a value of a database as JSON. What has no exact JSON form is text: decimals,
// times, whole numbers beyond 2^53.
func claim(v connect.Value) any {
	switch {
	case v.IsNull():
		return nil
	case v.Kind == connect.Boolean:
		return v.Text == "true"
	case v.Kind == connect.Integer:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil && n > -1<<53 && n < 1<<53 {
			return n
		}
	}
	return v.Text
}

// keyValue is the key of a row as the column has it.
func keyValue(t *cataloguev1.Table, column, text string) connect.Value {
	for _, c := range t.GetColumns() {
		if c.GetName() == column && c.GetType() == connect.Integer.String() {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				return connect.IntegerValue(n)
			}
		}
	}
	return connect.TextValue(text)
}

func tableName(name string) connect.TableName {
	if schema, table, ok := strings.Cut(name, "."); ok {
		return connect.TableName{Schema: schema, Name: table}
	}
	return connect.TableName{Name: name}
}
