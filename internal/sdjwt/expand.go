package sdjwt

import (
	"errors"
	"fmt"
	"slices"
)

// Path names a value in a credential: texts are names of members, ints are places in
// an array (from 0), nil is every element (the claims path of OpenID4VP, section 7).
type Path []any

// Shown is a disclosed value and where it stands.
type Shown struct {
	Path       Path // texts and ints only; places are those of the expanded claims
	Disclosure int  // index in Token.Disclosures
	Within     int  // the disclosure that holds its digest, -1 for the issuer's text itself
}

// Errors of [Token.Expand].
var (
	ErrDuplicateDigest = errors.New("a digest comes twice")
	ErrUnused          = errors.New("a disclosure belongs to no digest")
	ErrStructure       = errors.New("digests and disclosures do not fit each other")
)

// Expand returns the claims with every disclosure in its place and without _sd,
// _sd_alg and elements that are not shown (RFC 9901, section 7.1, step 3): the
// "processed payload". It checks no signature.
func (t *Token) Expand() (Object, []Shown, error) {
	x := expander{t: t, at: map[string]int{}, seen: map[string]bool{}}
	for i, d := range t.Disclosures {
		if _, twice := x.at[d.Digest]; twice {
			return nil, nil, fmt.Errorf("%w: disclosure %d", ErrDuplicateDigest, i+1)
		}
		x.at[d.Digest] = i
	}
	o, err := x.object(t.Issuer.Payload, nil, -1, 1)
	if err != nil {
		return nil, nil, err
	}
	if len(x.shown) != len(t.Disclosures) {
		return nil, nil, fmt.Errorf("%w: %d of %d are used", ErrUnused, len(x.shown), len(t.Disclosures))
	}
	return o, x.shown, nil
}

type expander struct {
	t     *Token
	at    map[string]int  // digest -> index of its disclosure
	seen  map[string]bool // digests met so far
	shown []Shown
}

// meet notes a digest and returns the disclosure that belongs to it, or -1.
func (x *expander) meet(v any) (int, error) {
	digest, ok := v.(string)
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: a digest is no string", ErrStructure)
	case x.seen[digest]:
		return 0, ErrDuplicateDigest
	case len(x.seen) >= MaxDigests:
		return 0, fmt.Errorf("%w: more than %d digests", ErrStructure, MaxDigests)
	}
	x.seen[digest] = true
	if i, known := x.at[digest]; known {
		return i, nil
	}
	return -1, nil
}

func (x *expander) object(o Object, path Path, within, depth int) (Object, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: more than %d levels", ErrStructure, MaxDepth)
	}
	out := make(Object, 0, len(o))
	var digests Array
	for _, m := range o {
		switch {
		case m.Name == "_sd":
			list, ok := m.Value.(Array)
			if !ok {
				return nil, fmt.Errorf("%w: _sd is no array", ErrStructure)
			}
			digests = list
		case m.Name == "...":
			return nil, fmt.Errorf("%w: ... is not alone in an element of an array", ErrStructure)
		case m.Name == "_sd_alg" && depth == 1:
		default:
			v, err := x.value(m.Value, below(path, m.Name), within, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, Member{m.Name, v})
		}
	}
	for _, v := range digests {
		i, err := x.meet(v)
		if err != nil {
			return nil, err
		}
		if i < 0 {
			continue
		}
		d := x.t.Disclosures[i]
		if _, taken := out.Get(d.Name); taken || d.Element || depth == 1 && d.Name == "_sd_alg" {
			return nil, fmt.Errorf("%w: disclosure %d: its name is taken, or it has none", ErrStructure, i+1)
		}
		p := below(path, d.Name)
		x.shown = append(x.shown, Shown{p, i, within})
		inner, err := x.value(d.Value, p, i, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, Member{d.Name, inner})
	}
	return out, nil
}

func (x *expander) value(v any, path Path, within, depth int) (any, error) {
	switch v := v.(type) {
	case Object:
		return x.object(v, path, within, depth)
	case Array:
		return x.array(v, path, within, depth)
	}
	return v, nil
}

func (x *expander) array(a Array, path Path, within, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("%w: more than %d levels", ErrStructure, MaxDepth)
	}
	out := make(Array, 0, len(a))
	for _, e := range a {
		p := below(path, len(out))
		if o, ok := e.(Object); ok && len(o) == 1 && o[0].Name == "..." {
			i, err := x.meet(o[0].Value)
			if err != nil {
				return nil, err
			}
			if i < 0 {
				continue
			}
			d := x.t.Disclosures[i]
			if !d.Element {
				return nil, fmt.Errorf("%w: disclosure %d has a name and stands in an array", ErrStructure, i+1)
			}
			x.shown = append(x.shown, Shown{p, i, within})
			inner, err := x.value(d.Value, p, i, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, inner)
			continue
		}
		inner, err := x.value(e, p, within, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, inner)
	}
	return out, nil
}

// below returns path with one more step, in memory of its own.
func below(path Path, step any) Path { return append(slices.Clip(path), step) }

// covers says that q is p or stands below it.
func (p Path) covers(q Path) bool { return len(p) <= len(q) && p.meets(q) }

// meets says that one of the two stands on the way to the other, or they are equal.
func (p Path) meets(q Path) bool {
	for i := range min(len(p), len(q)) {
		if _, place := q[i].(int); p[i] == nil && place {
			continue
		}
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// At returns what a path selects in claims, in order; nothing if the path does not
// fit them (OpenID4VP 1.0, section 7.1).
func (p Path) At(claims Object) []any {
	found := []any{claims}
	for _, step := range p {
		var next []any
		for _, v := range found {
			switch step := step.(type) {
			case string:
				if o, ok := v.(Object); ok {
					if m, has := o.Get(step); has {
						next = append(next, m)
					}
				}
			case int:
				if a, ok := v.(Array); ok && step >= 0 && step < len(a) {
					next = append(next, a[step])
				}
			case nil:
				if a, ok := v.(Array); ok {
					next = append(next, a...)
				}
			}
		}
		found = next
	}
	return found
}
