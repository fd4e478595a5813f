package catalogue_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

const streets = "GB/T 10114" // the slash and the blank belong to the name

// table describes a code table of the organisation, with codes "code name".
func table(org string, list ...string) *cataloguev1.PutCodes {
	m := &cataloguev1.PutCodes{Table: &cataloguev1.CodeTable{Id: streets, Org: org, Name: "县级以下行政区划代码", Standard: "GB/T 10114-2003"}}
	for _, s := range list {
		c, name, _ := strings.Cut(s, " ")
		m.Codes = append(m.Codes, &cataloguev1.Code{Code: c, Name: name})
	}
	return m
}

type listing = rulestest.Try[*cataloguev1.PutCodes]

func TestPutCodesOrder(t *testing.T) {
	var town *towntest.Town
	code := func(t *listing) *cataloguev1.Code { return t.Message.Codes[0] }
	rulestest.Order(t, func(t *testing.T) *listing {
		town = towntest.New(t)
		return &listing{World: town.World, Account: town.Provider, Message: table(town.Provider, "110101001 东华门街道", "110101002 景山街道")}
	}, []rulestest.Breach[*cataloguev1.PutCodes]{
		{Name: "no table", Want: fault.Missing, Break: func(t *listing) { t.Message.Table = nil }},
		{Name: "no id", Want: fault.Missing, Break: func(t *listing) { described(t).Id = "" }},
		{Name: "long id", Want: fault.TooLong, Break: func(t *listing) { described(t).Id = strings.Repeat("x", 101) }},
		{Name: "id with two blanks", Want: fault.Malformed, Break: func(t *listing) { described(t).Id = "GB/T  1" }},
		{Name: "stranger", Want: fault.Forbidden, Break: func(t *listing) { t.Account = town.Consumer }},
		{Name: "another's table", Want: fault.Forbidden, Break: func(t *listing) {
			t.Must(town.Consumer, table(town.Consumer))
		}},
		{Name: "no name", Want: fault.Missing, Break: func(t *listing) { described(t).Name = "" }},
		{Name: "long standard", Want: fault.TooLong, Break: func(t *listing) { described(t).Standard = strings.Repeat("x", 501) }},
		{Name: "too many", Want: fault.TooLong, Break: func(t *listing) {
			for len(t.Message.Codes) <= catalogue.MaxCodes {
				t.Message.Codes = append(t.Message.Codes, &cataloguev1.Code{})
			}
		}},
		{Name: "code of another table", Want: fault.CodeInconsistent, Break: func(t *listing) { code(t).Table = "GB/T 1" }},
		{Name: "no code", Want: fault.Missing, Break: func(t *listing) { code(t).Code = "" }},
		{Name: "long code", Want: fault.TooLong, Break: func(t *listing) { code(t).Code = strings.Repeat("x", 65) }},
		{Name: "code with a slash", Want: fault.Malformed, Break: func(t *listing) { code(t).Code = "1/2" }},
		{Name: "no code name", Want: fault.Missing, Break: func(t *listing) { code(t).Name = "" }},
		{Name: "long parent", Want: fault.TooLong, Break: func(t *listing) { code(t).Parent = strings.Repeat("x", 65) }},
		{Name: "twice", Want: fault.Duplicate, Break: func(t *listing) {
			if len(t.Message.Codes) > 1 {
				t.Message.Codes[1].Code = code(t).Code
			}
		}},
	})
}

// described makes sure that there is a table to break.
func described(t *listing) *cataloguev1.CodeTable {
	if t.Message.Table == nil {
		t.Message.Table = &cataloguev1.CodeTable{}
	}
	return t.Message.Table
}

// TestCodesAreCounted: versions rise with what changes and with nothing else, retired
// codes are not counted and not lost, and only the authority hands a table over.
func TestCodesAreCounted(t *testing.T) {
	w := towntest.New(t)
	w.Must(w.Provider, table(w.Provider, "1 一", "2 二", "3 三"))
	objects := w.WantEvent("catalogue/put_codes", "v1", "catalogue/codetable/"+streets)
	if len(objects) != 4 || objects[3] != "catalogue/code/"+streets+"/3" {
		t.Errorf("the event names %v", objects)
	}
	want := func(codes, version uint64) {
		t.Helper()
		got, _ := catalogue.FindCodeTable(w.View(), streets)
		if got.GetCodes() != codes || got.GetVersion() != version {
			t.Errorf("%d codes, version %d; want %d, %d", got.GetCodes(), got.GetVersion(), codes, version)
		}
		if err := catalogue.CheckCodes(w.View(), streets); err != nil {
			t.Error(err)
		}
	}
	want(3, 1)
	w.Must(w.Provider, table(w.Provider, "1 一", "3 三"))
	w.WantSilence()
	want(3, 1)
	m := table(w.Provider, "1 一", "2 贰", "4 四")
	m.Codes[0].Retired, m.Codes[2].Parent = true, "9999" // a parent that is not there
	w.Must(w.Provider, m)
	want(3, 2)
	if c, ok := catalogue.FindCode(w.View(), streets, "1"); !ok || !c.Retired || c.Version != 2 || c.Table != streets {
		t.Errorf("the retired code is %v", c)
	}
	w.Must(w.Provider, m)
	w.WantSilence()
	w.Must(w.Provider, table(w.Provider, "1 一")) // in use again
	want(4, 3)
	w.Want(fault.Forbidden, w.Consumer, table(w.Consumer, "5 五"))
	w.Must(w.Authority, table(w.Consumer, "5 五"))
	want(5, 4)
	w.Want(fault.Forbidden, w.Provider, table(w.Provider, "6 六"))
	w.Want(fault.NotFound, w.Authority, table(rulestest.Code(99)))
	m = table(w.Consumer)
	m.Table.Codes, m.Table.Version, m.Table.Name = 77, 77, "街道" // the ledger's own fields are ignored
	w.Must(w.Consumer, m)
	want(5, 5)
	if _, ok := catalogue.FindCode(w.View(), "GB/T 10114/5", ""); ok {
		t.Error("a code is found under another table's name")
	}
}

// TestManyCodes: a message of 1,000 codes makes ten events that name them all once.
func TestManyCodes(t *testing.T) {
	w := towntest.New(t)
	var list []string
	for i := range catalogue.MaxCodes {
		list = append(list, fmt.Sprintf("%09d 街道", i))
	}
	w.Must(w.Provider, table(w.Provider, list...))
	named := map[string]int{}
	for _, e := range w.Events() {
		for _, o := range e.Objects {
			named[o]++
		}
	}
	if len(w.Events()) != 10 || len(named) != catalogue.MaxCodes+1 || named["catalogue/code/"+streets+"/000000999"] != 1 {
		t.Errorf("%d events name %d objects", len(w.Events()), len(named))
	}
}

// TestCodeHistories: random messages by three organisations on two replicas; the count
// always is that of the codes in force.
func TestCodeHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := towntest.New(t)
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				org := rapid.SampledFrom([]string{w.Provider, w.Consumer}).Draw(rt, "org")
				m := table(org)
				for _, c := range rapid.SliceOfN(rapid.SampledFrom([]string{"1", "2", "3", "a b", "x"}), 0, 4).Draw(rt, "codes") {
					m.Codes = append(m.Codes, &cataloguev1.Code{Code: c, Name: rapid.SampledFrom([]string{"甲", "乙"}).Draw(rt, "name"), Retired: rapid.Bool().Draw(rt, "retired")})
				}
				if code := w.Do(rapid.SampledFrom([]string{w.Provider, w.Consumer, w.Authority}).Draw(rt, "by"), m); code == fault.Internal {
					rt.Fatal(w.Text)
				}
			},
			"": func(rt *rapid.T) {
				if _, ok := catalogue.FindCodeTable(w.View(), streets); !ok {
					return
				}
				if err := catalogue.CheckCodes(w.View(), streets); err != nil {
					rt.Fatal(err)
				}
			},
		})
	})
}
