package intake

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// A table without a header row: its first row is a record like the others. Nobody
// can know what its columns mean; what they look like is a proposal, and every entry
// is doubtful until a person says it (--header none with --map "#2=name").

// column is what the first rows show of one column.
type column struct {
	filled, dates, links, codes, owners, cycles, numbers, runes int
	texts                                                       map[string]int
}

var ownerLike = regexp.MustCompile(`(局|委|会|會|厅|廳|办|辦公室|办公室|中心|院|府|署|處|处|部|公司|機關|机关|所|站|队|隊|银行|銀行|Department|Agency|Office|Bureau|Ministry|Administration|Commission)$`)

// headless finds out whether the table has no header row, and what its columns look
// like. It reads the first rows once.
func (p *Plan) headless(ctx context.Context) error {
	p.columns = p.opts.Map
	rd, err := p.read(ctx)
	if err != nil {
		return err
	}
	f := rd.file
	if f.Format != "csv" && f.Format != "xlsx" && f.Format != "xls" || !p.opts.NoHeader && (!f.Guessed || p.anyKnown(f.Header)) {
		p.opened = rd // nothing was read of it yet: the next pass goes on with it
		return nil
	}
	defer rd.close()
	rows, err := firstRows(f)
	if err != nil || len(rows) == 0 {
		return nil // the next pass tells it
	}
	if !p.opts.NoHeader && !rowOfData(f.Header, rows) {
		return nil
	}
	if !p.opts.NoHeader {
		rows = append(rows, f.Header)
	}
	p.noHeader = true
	for _, f := range p.opts.Map {
		if f == Name || f == DutyName || f == OrgName || f == MatterName || f == ValueName {
			return nil // a person has said what the columns are
		}
	}
	p.guess(rows)
	return nil
}

func (p *Plan) anyKnown(header []string) bool {
	return slices.ContainsFunc(header, known(p.opts.Map))
}

// firstRows reads the texts of the first rows.
func firstRows(f *sheet.File) ([][]string, error) {
	var rows [][]string
	for len(rows) < surveyRecords {
		rec, err := f.Next()
		if err != nil {
			return rows, nil
		}
		if rec.Broken {
			continue
		}
		row := make([]string, len(rec.Fields))
		for i, c := range rec.Fields {
			row[i] = strings.TrimSpace(c.Text)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// rowOfData reports whether a row that should be the header is a record: a cell of it
// comes again below in its column, or is a date, a number, an address or a code.
func rowOfData(header []string, rows [][]string) bool {
	for i, h := range header {
		h = strings.TrimSpace(h)
		if h == "" {
			continue
		}
		if _, isDay := dayOf(h); isDay || linkable(h) || isDigits(h) || code.CheckUSCC(code.Clean(h)) == nil {
			return true
		}
		if slices.ContainsFunc(rows, func(r []string) bool { return i < len(r) && r[i] == h }) {
			return true
		}
	}
	return false
}

// guess proposes what the columns are.
func (p *Plan) guess(rows [][]string) {
	var cols []column
	for _, r := range rows {
		for i, text := range r {
			if i >= 100 {
				break
			}
			if i == len(cols) {
				cols = append(cols, column{texts: make(map[string]int)})
			}
			cols[i].add(text)
		}
	}
	p.columns = make(map[string]Field)
	for k, f := range p.opts.Map {
		p.columns[k] = f
	}
	taken := make(map[Field]bool)
	assign := func(f Field, fits func(c *column) int) {
		best, at := 0, -1
		for i := range cols {
			if _, said := p.columns["#"+strconv.Itoa(i+1)]; said || cols[i].filled == 0 {
				continue
			}
			if n := fits(&cols[i]); n > best {
				best, at = n, i
			}
		}
		if at >= 0 && !taken[f] {
			taken[f] = true
			name := "#" + strconv.Itoa(at+1)
			p.columns[name] = f
			p.guessed = append(p.guessed, name+"="+string(f))
		}
	}
	most := func(n int, c *column) int { // four of five
		if n*5 < c.filled*4 {
			return 0
		}
		return n
	}
	assign(OwnerCode, func(c *column) int { return most(c.codes, c) })
	assign(Updated, func(c *column) int { return most(c.dates, c) })
	assign(LandingPage, func(c *column) int { return most(c.links, c) })
	assign(UpdateCycle, func(c *column) int { return most(c.cycles, c) })
	assign(Serial, func(c *column) int {
		if len(c.texts) < c.filled {
			return 0
		}
		return most(c.numbers, c)
	})
	assign(Owner, func(c *column) int { return most(c.owners, c) })
	assign(Name, func(c *column) int {
		if mean := c.runes / c.filled; len(c.texts)*5 < c.filled*4 || mean < 3 || mean > 60 || c.numbers*2 > c.filled {
			return 0
		}
		return len(c.texts)
	})
	assign(Abstract, func(c *column) int {
		if c.runes/c.filled < 30 {
			return 0
		}
		return c.runes
	})
}

func (c *column) add(text string) {
	if text == "" {
		return
	}
	c.filled++
	c.texts[text]++
	c.runes += utf8.RuneCountInString(text)
	if _, ok := dayOf(text); ok {
		c.dates++
	}
	if linkable(text) {
		c.links++
	}
	if code.CheckUSCC(code.Clean(text)) == nil {
		c.codes++
	}
	if ownerLike.MatchString(text) {
		c.owners++
	}
	if isDigits(strings.NewReplacer(",", "", ".", "").Replace(text)) {
		c.numbers++
	} else if v, err := parseCycle(text); err == nil && v != 0 {
		c.cycles++
	}
}

// tellHeadless says what was taken for what.
func (p *Plan) tellHeadless() []sheet.Problem {
	if !p.noHeader || len(p.guessed) == 0 {
		return nil
	}
	lang := p.opts.Lang
	flags := `--header none --map "` + strings.Join(p.guessed, `" --map "`) + `"`
	return []sheet.Problem{{
		Line: 1, Code: fault.Doubtful, Field: "header",
		Message:    lang.Say("没有表头行：各列按内容猜测为 %s，因此每条都存疑", "there is no header row: the columns were taken, by what is in them, for %s; every entry is doubtful for that", strings.Join(p.guessed, ", ")),
		Suggestion: lang.Say("核对后用 %s 确认", "if that is right, say so: %s", flags),
	}}
}
