package intake

import (
	"cmp"
	"encoding/json"
	"slices"

	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// Report says what is in a file and what would become of it. Its JSON form is a
// contract that scripts rely on: names are never changed, only added.
//
// Rows = the rows of a table below the header, or the values of a JSON file,
// blank ones too. Entries = what they list: a row for each item makes one entry
// of several rows, and a blank row makes none. Every entry is counted in exactly
// one of the four:
//
//	Accepted + Rejected + Doubtful + Duplicates == Entries
//
// Duplicates are exact repeats: equal in every field, used or not, to one before
// it. Rejected is what the ledger would refuse, or what cannot be read. Doubtful
// can be imported, and a person should look; an entry without an owner is
// doubtful and held back until one is named. The rest is accepted.
//
// A duplicate's own problems are told, too: each line of the file says what is
// wrong with it.
type Report struct {
	File       string    `json:"file"`
	Format     string    `json:"format"`
	Encoding   string    `json:"encoding"`
	Rows       int       `json:"rows"`
	Entries    int       `json:"entries"`
	Accepted   int       `json:"accepted"`
	Rejected   int       `json:"rejected"`
	Doubtful   int       `json:"doubtful"`
	Duplicates int       `json:"duplicates"`
	Problems   []Problem `json:"problems"`

	LeftOut int            `json:"problems_left_out"` // problems beyond the bound of the list
	Counts  map[string]int `json:"problem_counts"`    // all problems, by code: "11005"
	Kind    string         `json:"kind"`              // entries, duties, matters, codes or organisations
	Shape   string         `json:"shape"`             // delimiter, sheet, or shape of the JSON
	Sheets  []string       `json:"sheets,omitempty"`  // of a workbook
	Blank   int            `json:"blank"`             // of the rows
	Broken  int            `json:"unreadable"`        // of the rejected: records of which nothing could be read; the file is torn, or written wrongly
}

// Problem is one finding at one place of the file.
type Problem struct {
	Line       int        `json:"line"`       // 0 for the file as a whole
	Field      string     `json:"field"`      // our name of the field, or their header where we have none
	Code       fault.Code `json:"code"`       // a number, as mulian explain lists them
	Message    string     `json:"message"`    // in the language asked for
	Suggestion string     `json:"suggestion"` // what to do; may be empty

	// Of a problem that stands for several that differ in nothing but their line: how many,
	// and the first of their lines.
	Count int   `json:"count,omitempty"`
	Lines []int `json:"lines,omitempty"`

	Unused int `json:"-"` // of a column that has no field of ours: in how many places it has text
}

// add takes problems up to the bound, and counts all.
func (r *Report) add(list ...sheet.Problem) {
	for _, p := range list {
		r.Counts[codeText(p.Code)]++
		if len(r.Problems) >= maxProblems {
			r.LeftOut++
			continue
		}
		r.Problems = append(r.Problems, Problem{Line: p.Line, Field: p.Field, Code: p.Code, Message: p.Message, Suggestion: p.Suggestion, Unused: p.Unused})
	}
}

func codeText(c fault.Code) string {
	b, _ := json.Marshal(uint32(c))
	return string(b)
}

// mostLines is how many lines of a problem that stands for several are named.
const mostLines = 8

// Group puts problems together that differ in nothing but their line, in the order of the
// first ones. Those of the file as a whole stay by themselves.
func Group(list []Problem) []Problem {
	type what struct {
		field, message, suggestion string
		code                       fault.Code
	}
	out, at := make([]Problem, 0, len(list)), map[what]int{}
	for _, p := range list {
		key := what{p.Field, p.Message, p.Suggestion, p.Code}
		i, again := at[key]
		switch {
		case p.Line == 0:
			out = append(out, p)
		case !again:
			at[key] = len(out)
			p.Count, p.Lines = 1, []int{p.Line}
			out = append(out, p)
		default:
			if out[i].Count++; len(out[i].Lines) < mostLines {
				out[i].Lines = append(out[i].Lines, p.Line)
			}
		}
	}
	return out
}

// settle puts the problems in the order of the lines.
func (r *Report) settle() {
	slices.SortStableFunc(r.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
}

// OK reports whether nothing was rejected and nothing is doubtful.
func (r *Report) OK() bool { return r.Rejected == 0 && r.Doubtful == 0 }
