package intake

import (
	"context"
	"slices"
	"strings"
)

// Absent is an entry that an earlier import of the same source brought and that the
// file of this one lacks.
type Absent struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Origin string `json:"origin"`
	Moved  string `json:"moved,omitempty"` // id under which the file has it now: it has another owner
}

// Lack is what a file lacks of what its source had before.
type Lack struct {
	Had     int      `json:"had"`     // entries of the source on the ledger, withdrawn ones not counted
	Missing int      `json:"missing"` // of these, not in the file
	Absent  []Absent `json:"absent"`  // those missing and those moved, by id
	Unclear int      `json:"unclear"` // records that cannot be read: each may be one of the missing
	Partial string   `json:"partial"` // why the file may be a part of its list: an owner's code, "*" for the whole; empty if it is none
}

// Missing reads the plan's file once more and says which of the entries that the
// source had are not in it. had are those on the ledger, by id, that are not
// withdrawn. What is in the file and cannot be imported is not missing: a record
// that lost its owner is no reason to withdraw an entry.
func Missing(ctx context.Context, p *Plan, t Target, had map[string]Absent) (*Lack, error) {
	a := &apply{plan: p, target: t}
	present := make(map[string]bool, len(had)) // ids, and the origins of what has none
	now := make(map[string]string)             // origin -> id, of what is under another id than it was
	lack := &Lack{Had: len(had), Absent: []Absent{}}
	err := p.each(ctx, func(d *Draft, v verdict) error {
		if v == rejected && (d.Entry == nil || d.Entry.Name == "" && d.Local == "") {
			lack.Unclear++ // also what is behind a place where the file breaks off
			return nil
		}
		if d.Entry == nil {
			return nil
		}
		origin := originOf(t.Source, d)
		if a.resolveOwner(d) != nil {
			present[origin] = true
			return nil
		}
		id, _ := a.living(d.Code + ":" + d.Local)
		present[id] = true
		if _, ok := had[id]; !ok {
			now[origin] = id
			if v == rejected {
				present[origin] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	count := map[string][2]int{} // by owner, "*" for all: had, missing
	for id, e := range had {
		org, _, _ := strings.Cut(id, ":")
		n := count[org]
		n[0]++
		e.ID, e.Moved = id, now[e.Origin]
		if !present[id] && !present[e.Origin] {
			lack.Absent = append(lack.Absent, e)
			if e.Moved == "" {
				n[1]++
				lack.Missing++
			}
		}
		count[org] = n
	}
	count["*"] = [2]int{lack.Had, lack.Missing}
	slices.SortFunc(lack.Absent, func(x, y Absent) int { return strings.Compare(x.ID, y.ID) })
	for org, n := range count {
		if partial(n[0], n[1]) && (lack.Partial == "" || org < lack.Partial) {
			lack.Partial = org
		}
	}
	if lack.Partial == "" && lack.Unclear > 0 && lack.Missing > 0 {
		lack.Partial = "*"
	}
	return lack, nil
}

// partial says whether a list that lacks so many of what it had is rather a part of
// it: one page of a portal's answer, a file that was cut off, one department's own.
func partial(had, missing int) bool {
	return missing > partialCount && missing*100 > had*partialPercent || missing >= partialFew && missing*2 > had
}
