package index

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Codes are mistyped. A code is compared by its skeleton: folded, without separators,
// and with the characters that are taken for each other made one. What differs from
// that by one more error (a character that is another, missing, doubled, or has
// changed places) is found by making all texts that are one error away and looking
// them up: some 1,500 for a code of 25 characters, however many codes there are. A
// table of the neighbours of every code would be 1,500 times as large as the codes.

// Bounds of codes, in characters of the skeleton. Our own choice.
const (
	minCode        = 3
	maxCode        = maxWordBytes
	minMistyped    = 5  // shorter ones are one error away from too many others
	maxSuggestions = 8  // codes that are tried for a mistyped one
	maxBeginnings  = 64 // codes that one beginning stands for
)

// sames are characters that people and scanners take for each other.
var sames = strings.NewReplacer("o", "0", "i", "1", "l", "1", "b", "8", "s", "5", "z", "2")

// skeleton is the form in which codes are compared.
func skeleton(code string) string { return sames.Replace(key(code)) }

// letters are what a mistyped character of a skeleton may have been.
const letters = "0123456789acdefghjkmnpqrtuvwxy"

// errorsOf returns the texts that one error leads to from s, or from which one error
// leads to s; s itself among them.
func errorsOf(s string) []string {
	r := []rune(s)
	out := make([]string, 0, (2*len(r)+1)*(len(letters)+1))
	out = append(out, s)
	for i := range r {
		head, tail := string(r[:i]), string(r[i+1:])
		out = append(out, head+tail)
		for _, c := range letters {
			out = append(out, head+string(c)+tail, head+string(c)+string(r[i:]))
		}
		if i+1 < len(r) {
			out = append(out, head+string([]rune{r[i+1], r[i]})+string(r[i+2:]))
		}
	}
	for _, c := range letters {
		out = append(out, s+string(c))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// suggestions are the codes that may have been meant, the likeliest first; none if the
// code is known as it was typed.
func suggestions(ctx context.Context, tx *sql.Tx, typed string) ([]string, error) {
	s := skeleton(typed)
	if n := utf8.RuneCountInString(s); n < minMistyped || n > maxCode {
		return nil, nil
	}
	list, err := json.Marshal(errorsOf(s))
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	found, err := texts(ctx, tx, "SELECT c.code FROM json_each(?) j CROSS JOIN code c ON c.skeleton = j.value LIMIT 200", string(list))
	if err != nil {
		return nil, err
	}
	k := key(typed)
	type near struct {
		code     string
		distance int
	}
	var out []near
	for _, c := range found {
		if key(c) == k {
			return nil, nil // no error: it is the facets that leave nothing
		}
		// Characters that look alike cost nothing here: a code with three of them is still meant.
		out = append(out, near{c, min(distance(k, key(c)), 2+distance(s, skeleton(c)))})
	}
	slices.SortFunc(out, func(a, b near) int { return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.code, b.code)) })
	codes := make([]string, 0, maxSuggestions)
	for _, n := range out[:min(len(out), maxSuggestions)] {
		codes = append(codes, n.code)
	}
	return codes, nil
}

// beginnings are the codes that begin with what was typed.
func beginnings(ctx context.Context, tx *sql.Tx, typed string) ([]string, error) {
	s := skeleton(typed)
	if n := utf8.RuneCountInString(s); n < minCode || n > maxCode {
		return nil, nil
	}
	return texts(ctx, tx, "SELECT code FROM code WHERE skeleton >= ?1 AND skeleton < ?1 || char(1114111) ORDER BY skeleton, code LIMIT ?2", s, maxBeginnings)
}

func texts(ctx context.Context, tx *sql.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("index: codes: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			return nil, fmt.Errorf("index: codes: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// distance counts the errors between two texts: a character that is another, missing
// or too many, or two neighbours that have changed places (Damerau and Levenshtein,
// no part edited twice).
func distance(a, b string) int {
	p, q := []rune(a), []rune(b)
	two, one, row := make([]int, len(q)+1), make([]int, len(q)+1), make([]int, len(q)+1)
	for j := range one {
		one[j] = j
	}
	for i := range p {
		row[0] = i + 1
		for j := range q {
			differs := 1
			if p[i] == q[j] {
				differs = 0
			}
			row[j+1] = min(row[j]+1, one[j+1]+1, one[j]+differs)
			if i > 0 && j > 0 && p[i] == q[j-1] && p[i-1] == q[j] {
				row[j+1] = min(row[j+1], two[j-1]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(q)]
}
