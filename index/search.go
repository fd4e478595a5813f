package index

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// searchTimeout bounds one search: forty times what the slowest took over 100,000
// entries. Our own choice.
const searchTimeout = 2 * time.Second

// maxScanned bounds the rows that are looked at one by one for their state.
const maxScanned = 200_000

// Search finds duties, entries, items, tables, matters, systems and codes. All words
// have to be there; hits stand by the field that the worst of them needs (the whole
// name or code, name, code, keyword, item, abstract), then by kind, length of the
// name, and arrival. If nothing is found, the last word may be a beginning; if still
// nothing is, the text may be a mistyped code, or several words without blanks (apart.go),
// and CorrectedTo says what was meant.
//
// A cursor is the place of a hit and no count: hits that come or go on pages before it
// change nothing for those after it. Facets are counted over the first 10,000 hits,
// kinds each up to 10,000.
//
// TooLong, OutOfRange, Malformed (cursor), Timeout.
func (x *Index) Search(ctx context.Context, req *cataloguev1.SearchRequest) (*cataloguev1.SearchResponse, error) {
	q, err := parse(req)
	if err != nil {
		return nil, err
	}
	at, err := q.resume(req.GetAfter())
	if err != nil {
		return nil, err
	}
	return x.searchWithin(ctx, searchTimeout, q, at)
}

func (x *Index) searchWithin(ctx context.Context, timeout time.Duration, q *query, at place) (*cataloguev1.SearchResponse, error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := x.search(bounded, q, at)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return nil, fault.Wrap(fault.Timeout, err, "the search took longer than %v; use more or longer words, or a facet", timeout)
	}
	return out, err
}

func (x *Index) search(ctx context.Context, q *query, at place) (*cataloguev1.SearchResponse, error) {
	tx, err := x.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("index: search: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	s := &searching{ctx: ctx, tx: tx, board: x.board, q: q}
	out := &cataloguev1.SearchResponse{}
	_, out.Height = x.Next()
	if q.tiers() == 0 {
		return out, nil
	}
	if err := s.widen(at); err != nil {
		return nil, err
	}
	if err := s.count(); err != nil {
		return nil, err
	}
	out.Total, out.MoreThanCounted, out.Facets = s.total, s.more, s.facets
	if s.mode >= modeCorrected && s.total > 0 {
		out.CorrectedTo = s.meant
	}
	rows, next, err := s.page(at)
	if err != nil {
		return nil, err
	}
	if next != nil {
		out.Next = q.cursor(*next)
	}
	out.Hits, err = s.hits(rows)
	return out, err
}

// mode says how a text was read.
type mode uint8

const (
	modePlain     mode = iota + 1
	modeBeginning      // the last word is a beginning
	modeCorrected      // the code that was meant
	modeApart          // runs of Han characters taken apart from their beginning
	modeApartEnd       // and from their end
)

// place is where a page begins: behind a hit of a tier.
type place struct {
	mode  mode // 0 = the first page
	meant string
	tier  int
	row   rowNumber
}

// cursor writes a place for the caller. It is bound to the text, so that the cursor of
// one search is not taken for that of another.
func (q *query) cursor(p place) string {
	raw := fmt.Sprintf("%d.%d.%x.%08x.%s", p.mode, p.tier, int64(p.row), uint32(hash(q.text+"\x00"+q.facets)), p.meant)
	return base64.RawURLEncoding.EncodeToString([]byte(raw))
}

// resume reads a cursor.
func (q *query) resume(cursor string) (place, error) {
	if cursor == "" {
		return place{}, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	parts := strings.SplitN(string(raw), ".", 5)
	if err != nil || len(parts) != 5 || len(parts[4]) > 4*maxQueryRunes || !utf8.Valid(raw) {
		return place{}, fault.Newf(fault.Malformed, "cursor %.40q", cursor)
	}
	mode1, err1 := strconv.ParseUint(parts[0], 10, 8)
	tier, err2 := strconv.ParseUint(parts[1], 10, 8)
	row, err3 := strconv.ParseUint(parts[2], 16, 63)
	if errors.Join(err1, err2, err3) != nil || mode(mode1) < modePlain || mode(mode1) > modeApartEnd || tier >= uint64(fieldFacet) ||
		(parts[4] != "") != (mode(mode1) == modeCorrected) {
		return place{}, fault.Newf(fault.Malformed, "cursor %.40q", cursor)
	}
	if parts[3] != fmt.Sprintf("%08x", uint32(hash(q.text+"\x00"+q.facets))) {
		return place{}, fault.Newf(fault.Malformed, "the cursor belongs to another search")
	}
	return place{mode: mode(mode1), meant: parts[4], tier: int(tier), row: rowNumber(row)}, nil
}

// searching is one search in one state of the file.
type searching struct {
	ctx   context.Context
	tx    *sql.Tx
	board *board
	q     *query

	mode   mode
	meant  string // the code that a mistyped one was taken for
	total  int64
	more   bool
	facets []*cataloguev1.Facet
}

// widen settles how the text is read: as it stands, with its last word as a beginning,
// or as a mistyped code: the first that finds anything. A later page is read as the
// first one was.
func (s *searching) widen(at place) (err error) {
	q := s.q
	s.mode = modePlain
	if q.latin && !q.blank && at.mode != modeCorrected {
		if err := s.begin(); err != nil {
			return err
		}
	}
	switch {
	case at.mode == modeBeginning:
		s.mode, q.begins = modeBeginning, true
		return nil
	case at.mode == modeCorrected:
		s.correct(at.meant)
		return nil
	case at.mode >= modeApart:
		if !s.split(at.mode) {
			return fault.Newf(fault.Malformed, "the cursor belongs to another search")
		}
		return nil
	case at.mode == modePlain || q.text == "":
		return nil
	}
	if some, err := s.any(); some || err != nil {
		return err
	}
	if q.mayBegin() {
		q.begins = true
		if some, err := s.any(); some || err != nil {
			s.mode = modeBeginning
			return err
		}
		q.begins = false
	}
	if !q.latin {
		return s.readApart()
	}
	codes, err := suggestions(s.ctx, s.tx, q.text)
	if err != nil {
		return err
	}
	for _, c := range codes {
		s.correct(c)
		if some, err := s.any(); some || err != nil {
			return err
		}
	}
	return nil
}

// readApart takes long runs apart until something is found; else it leaves the text as
// it stands.
func (s *searching) readApart() error {
	words := s.q.words
	for _, m := range []mode{modeApart, modeApartEnd} {
		if !s.split(m) {
			break
		}
		if some, err := s.any(); some || err != nil {
			return err
		}
	}
	s.mode, s.meant, s.q.words = modePlain, "", words
	return nil
}

// begin adds the codes that begin with the text.
func (s *searching) begin() error {
	codes, err := beginnings(s.ctx, s.tx, s.q.text)
	for _, c := range codes {
		if strings.HasPrefix(key(c), key(s.q.text)) { // the skeleton alone would take O for 0
			s.q.codes = append(s.q.codes, whole(c))
		}
	}
	return err
}

// correct takes a code for what was meant.
func (s *searching) correct(code string) {
	s.mode, s.meant = modeCorrected, code
	s.q.codes, s.q.only = []string{whole(code)}, true
}

// any tells whether there is a hit.
func (s *searching) any() (bool, error) {
	found := false
	err := s.rows(s.q.all(), 0, -1, func(rowNumber) bool { found = true; return false })
	return found, err
}

// rows calls yield with what an expression finds above a row, in order, until it
// returns false or max rows came (-1 = no bound).
func (s *searching) rows(expr string, above rowNumber, max int, yield func(rowNumber) bool) error {
	rows, err := s.tx.QueryContext(s.ctx, "SELECT rowid FROM words WHERE words MATCH ? AND rowid > ? AND rowid < ? ORDER BY rowid LIMIT ?", expr, int64(above), int64(afterSearched), max)
	if err != nil {
		return fmt.Errorf("index: search: %w", err)
	}
	defer rows.Close()
	for scanned := 0; rows.Next(); scanned++ {
		var raw int64 // a plain one: the driver fills a type of ours by reflection, row by row
		if err := rows.Scan(&raw); err != nil {
			return fmt.Errorf("index: search: %w", err)
		}
		n := rowNumber(raw)
		if s.q.states != nil {
			if scanned == maxScanned {
				s.more = true
				return nil
			}
			if !s.q.states[s.board.state(n)] {
				continue
			}
		}
		if !yield(n) {
			return nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("index: search: %w", err)
	}
	return nil
}

// page collects one page and the place behind it; nil at the end.
func (s *searching) page(at place) (found []rowNumber, next *place, err error) {
	last := place{mode: s.mode}
	if s.mode == modeCorrected {
		last.meant = s.meant
	}
	first, err := s.firstTier()
	if err != nil {
		return nil, nil, err
	}
	for t := at.tier; t < s.q.tiers(); t++ {
		if t > int(fieldExact) && t < first {
			continue
		}
		above := rowNumber(0)
		if t == at.tier {
			above = at.row
		}
		if at.mode == 0 && int64(len(found)) == s.total && !s.more {
			return found, nil, nil // worse fields have nothing to add
		}
		max, expr := s.q.limit+1-len(found), s.q.tier(t, first)
		if at.mode == 0 {
			// All that better fields find is in found: looked at again, it costs less than
			// another walk over all rows that have the words, to leave it out.
			max, expr = s.q.limit+1, s.q.upTo(t)
		}
		if s.q.states != nil {
			max = -1
		}
		full, better := false, len(found)
		err := s.rows(expr, above, max, func(n rowNumber) bool {
			if slices.Contains(found[:better], n) {
				return true
			}
			if len(found) == s.q.limit {
				full = true
				return false
			}
			found = append(found, n)
			last.tier, last.row = t, n
			return true
		})
		if err != nil {
			return nil, nil, err
		}
		if full {
			return found, &last, nil
		}
	}
	return found, nil, nil
}

// firstTier is the first tier behind the exact one that may find something. A word that
// stands in no name, code and keyword at all leads to no hit there, and one walk over its
// rows says so: to ask tier by tier takes several walks over the rows of every word.
func (s *searching) firstTier() (int, error) {
	q := s.q
	if q.text == "" || q.only || len(q.codes) > 0 {
		return int(fieldName), nil
	}
	for i, w := range q.words {
		some := false
		expr := "{" + strings.Join(columnNames[fieldName:fieldKeyword+1], " ") + "} : " + quoted([]string{w}, "")
		if q.begins && i == len(q.words)-1 {
			expr += " *"
		}
		if err := s.tx.QueryRowContext(s.ctx, "SELECT EXISTS(SELECT 1 FROM words WHERE words MATCH ? AND rowid < ?)", expr, int64(afterSearched)).Scan(&some); err != nil {
			return 0, fmt.Errorf("index: search: %w", err)
		}
		if !some {
			return int(fieldKeyword) + 1, nil
		}
	}
	return int(fieldName), nil
}

// count sets the total and, if they are wanted, the facets.
func (s *searching) count() error {
	if !s.q.counted && s.q.states == nil {
		n, err := s.countRows(0, afterSearched)
		s.total, s.more = min(n, countHits), n > countHits
		return err
	}
	t := newTally(s.board)
	err := s.rows(s.q.all(), 0, -1, func(n rowNumber) bool {
		if s.total == countHits {
			s.more = true
			return false
		}
		s.total++
		t.rows = append(t.rows, n)
		return true
	})
	if err != nil || !s.q.counted {
		return err
	}
	t.count()
	if s.more && s.q.states == nil {
		for o := orderEntry; o <= orderItem; o++ {
			n, err := s.countRows(rowNumber(o)<<52, rowNumber(o+1)<<52)
			if err != nil {
				return err
			}
			t.kinds[o] = min(n, countHits)
		}
	}
	s.facets, err = t.facets(s.ctx, s.tx)
	return err
}

func (s *searching) countRows(from, to rowNumber) (n int64, err error) {
	err = s.tx.QueryRowContext(s.ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ? LIMIT ?)", s.q.all(), int64(from), int64(to), countHits+1).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("index: count: %w", err)
	}
	return n, nil
}
