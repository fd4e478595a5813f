package dcql

import (
	"fmt"
	"strconv"

	"mulian/internal/sdjwt"
)

// Parse reads a query: ErrQuery.
func Parse(raw []byte) (*Query, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrQuery, len(raw), MaxBytes)
	}
	o, err := sdjwt.ParseObject(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	return FromObject(o)
}

// FromObject reads a query that stands inside other JSON.
func FromObject(o sdjwt.Object) (*Query, error) {
	r := reader{}
	q := &Query{}
	for _, c := range r.objects(o, "credentials", MaxCredentials) {
		q.Credentials = append(q.Credentials, r.credential(c))
	}
	for _, s := range r.objects(o, "credential_sets", MaxSets) {
		set := Set{Optional: !r.boolean(s, "required", true)}
		for _, option := range r.list(s, "options", MaxSets) {
			set.Options = append(set.Options, r.texts(option, "options", MaxCredentials))
		}
		q.Sets = append(q.Sets, set)
	}
	if r.err != nil {
		return nil, r.err
	}
	return q, q.Check()
}

// reader keeps the first mistake.
type reader struct{ err error }

func (r *reader) wrong(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrQuery, name)
	}
}

func (r *reader) list(o sdjwt.Object, name string, most int) sdjwt.Array {
	v, has := o.Get(name)
	if !has {
		return nil
	}
	a, ok := v.(sdjwt.Array)
	if !ok || len(a) == 0 || len(a) > most {
		r.wrong(name)
		return nil
	}
	return a
}

func (r *reader) objects(o sdjwt.Object, name string, most int) (out []sdjwt.Object) {
	for _, v := range r.list(o, name, most) {
		member, ok := v.(sdjwt.Object)
		if !ok {
			r.wrong(name)
		}
		out = append(out, member)
	}
	return out
}

func (r *reader) texts(v any, name string, most int) (out []string) {
	a, ok := v.(sdjwt.Array)
	if !ok || len(a) == 0 || len(a) > most {
		r.wrong(name)
		return nil
	}
	for _, e := range a {
		s, ok := e.(string)
		if !ok {
			r.wrong(name)
		}
		out = append(out, s)
	}
	return out
}

func (r *reader) boolean(o sdjwt.Object, name string, absent bool) bool {
	v, has := o.Get(name)
	if !has {
		return absent
	}
	b, ok := v.(bool)
	if !ok {
		r.wrong(name)
	}
	return b
}

func (r *reader) credential(o sdjwt.Object) Credential {
	c := Credential{ID: o.Text("id"), Format: o.Text("format"), Multiple: r.boolean(o, "multiple", false), Unbound: !r.boolean(o, "require_cryptographic_holder_binding", true)}
	if v, has := o.Get("meta"); has {
		meta, ok := v.(sdjwt.Object)
		if !ok {
			r.wrong("meta")
		}
		if types, has := meta.Get("vct_values"); has {
			c.Types = r.texts(types, "vct_values", MaxValues)
		}
	}
	for _, m := range r.objects(o, "claims", MaxClaims) {
		claim := Claim{ID: m.Text("id")}
		for _, step := range r.list(m, "path", MaxPath) {
			claim.Path = append(claim.Path, r.step(step))
		}
		for _, v := range r.list(m, "values", MaxValues) {
			switch v.(type) {
			case string, bool, sdjwt.Number:
			default:
				r.wrong("values")
			}
			claim.Values = append(claim.Values, v)
		}
		c.Claims = append(c.Claims, claim)
	}
	for _, s := range r.list(o, "claim_sets", MaxSets) {
		c.ClaimSets = append(c.ClaimSets, r.texts(s, "claim_sets", MaxClaims))
	}
	return c
}

func (r *reader) step(v any) any {
	switch v := v.(type) {
	case nil, string:
		return v
	case sdjwt.Number:
		if n, err := strconv.ParseInt(string(v), 10, 32); err == nil && n >= 0 {
			return int(n)
		}
	}
	r.wrong("path")
	return nil
}

// Object is the query as JSON; Parse gives the same query.
func (q *Query) Object() sdjwt.Object {
	var out sdjwt.Object
	var credentials, sets sdjwt.Array
	for i := range q.Credentials {
		credentials = append(credentials, q.Credentials[i].object())
	}
	out = append(out, sdjwt.Member{Name: "credentials", Value: credentials})
	for _, s := range q.Sets {
		var o sdjwt.Object
		o = append(o, sdjwt.Member{Name: "options", Value: lists(s.Options)})
		if s.Optional {
			o = append(o, sdjwt.Member{Name: "required", Value: false})
		}
		sets = append(sets, o)
	}
	if len(sets) > 0 {
		out = append(out, sdjwt.Member{Name: "credential_sets", Value: sets})
	}
	return out
}

func (c *Credential) object() sdjwt.Object {
	o := sdjwt.Object{{Name: "id", Value: c.ID}, {Name: "format", Value: c.Format}}
	if c.Multiple {
		o = append(o, sdjwt.Member{Name: "multiple", Value: true})
	}
	meta := sdjwt.Object{}
	if len(c.Types) > 0 {
		meta = append(meta, sdjwt.Member{Name: "vct_values", Value: list(c.Types)})
	}
	o = append(o, sdjwt.Member{Name: "meta", Value: meta})
	if c.Unbound {
		o = append(o, sdjwt.Member{Name: "require_cryptographic_holder_binding", Value: false})
	}
	var claims sdjwt.Array
	for _, m := range c.Claims {
		var claim sdjwt.Object
		if m.ID != "" {
			claim = append(claim, sdjwt.Member{Name: "id", Value: m.ID})
		}
		path := sdjwt.Array{}
		for _, step := range m.Path {
			if n, ok := step.(int); ok {
				step = sdjwt.Number(strconv.Itoa(n))
			}
			path = append(path, step)
		}
		claim = append(claim, sdjwt.Member{Name: "path", Value: path})
		if len(m.Values) > 0 {
			claim = append(claim, sdjwt.Member{Name: "values", Value: sdjwt.Array(m.Values)})
		}
		claims = append(claims, claim)
	}
	if len(claims) > 0 {
		o = append(o, sdjwt.Member{Name: "claims", Value: claims})
	}
	if len(c.ClaimSets) > 0 {
		o = append(o, sdjwt.Member{Name: "claim_sets", Value: lists(c.ClaimSets)})
	}
	return o
}

func list(texts []string) (out sdjwt.Array) {
	for _, t := range texts {
		out = append(out, t)
	}
	return out
}

func lists(sets [][]string) (out sdjwt.Array) {
	for _, s := range sets {
		out = append(out, list(s))
	}
	return out
}
