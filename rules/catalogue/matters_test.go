package catalogue_test

import (
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

func matter(w *towntest.Town, code string) *cataloguev1.Matter {
	return &cataloguev1.Matter{
		Id: w.Provider + ":" + code, Org: w.Provider, Code: code, Name: "不动产首次登记", PowerType: cataloguev1.PowerType_POWER_TYPE_CONFIRMATION,
		Duties: []string{w.ProviderDuty}, Inputs: []string{"身份证明", "不动产权属来源材料"}, Category: "住房/登记", Guide: "https://banshi.example.cn/m?id=1",
	}
}

type putting = rulestest.Try[*cataloguev1.PutMatters]

func TestPutMattersOrder(t *testing.T) {
	var town *towntest.Town
	one := func(t *putting) *cataloguev1.Matter { return t.Message.Matters[0] }
	rulestest.Order(t, func(t *testing.T) *putting {
		town = towntest.New(t)
		return &putting{World: town.World, Account: town.Provider, Message: &cataloguev1.PutMatters{Matters: []*cataloguev1.Matter{matter(town, "110-1")}}}
	}, []rulestest.Breach[*cataloguev1.PutMatters]{
		{Name: "empty", Want: fault.Empty, Break: func(t *putting) { t.Message.Matters = nil }},
		{Name: "too many", Want: fault.TooLong, Break: func(t *putting) {
			for len(t.Message.Matters) <= catalogue.MaxPutMatters {
				t.Message.Matters = append(t.Message.Matters, &cataloguev1.Matter{Id: "x"})
			}
		}},
		{Name: "id without its owner", Want: fault.Malformed, Break: func(t *putting) { one(t).Id = "110-1" }},
		{Name: "long id", Want: fault.TooLong, Break: func(t *putting) { one(t).Id = town.Provider + ":" + strings.Repeat("x", 101) }},
		{Name: "stranger", Want: fault.Forbidden, Break: func(t *putting) { t.Account = town.Consumer }},
		{Name: "another code", Want: fault.CodeInconsistent, Break: func(t *putting) { one(t).Code = "110-2" }},
		{Name: "no name", Want: fault.Missing, Break: func(t *putting) { one(t).Name = " " }},
		{Name: "power type", Want: fault.OutOfRange, Break: func(t *putting) { one(t).PowerType = 99 }},
		{Name: "many duties", Want: fault.TooLong, Break: func(t *putting) { one(t).Duties = many(51) }},
		{Name: "many inputs", Want: fault.TooLong, Break: func(t *putting) { one(t).Inputs = many(201) }},
		{Name: "long category", Want: fault.TooLong, Break: func(t *putting) { one(t).Category = strings.Repeat("x", 201) }},
		{Name: "guide", Want: fault.Malformed, Break: func(t *putting) { one(t).Guide = "javascript:alert(1)" }},
		{Name: "unknown duty", Want: fault.NoDuty, Break: func(t *putting) { one(t).Duties = []string{town.Provider + ":9", town.ConsumerDuty} }},
		{Name: "another's duty", Want: fault.NoDuty, Break: func(t *putting) { one(t).Duties = []string{town.ConsumerDuty} }},
	})
}

func TestMatterVersions(t *testing.T) {
	w := towntest.New(t)
	put := func(edit func(*cataloguev1.Matter)) {
		t.Helper()
		m := matter(w, "110-1")
		edit(m)
		w.Must(w.Provider, &cataloguev1.PutMatters{Matters: []*cataloguev1.Matter{m, matter(w, "110-2")}})
	}
	put(func(*cataloguev1.Matter) {})
	objects := w.WantEvent("catalogue/put_matters", "v1", "catalogue/matter/"+w.Provider+":110-1")
	if len(objects) != 2 || objects[1] != "catalogue/duty/"+w.ProviderDuty {
		t.Errorf("the event names %v", objects)
	}
	put(func(m *cataloguev1.Matter) { m.Version = 9 })
	w.WantSilence()
	put(func(m *cataloguev1.Matter) { m.Retired = true })
	if len(w.Events()) != 1 {
		t.Errorf("%d events of one change", len(w.Events()))
	}
	if m, ok := catalogue.FindMatter(w.View(), w.Provider+":110-1"); !ok || m.Version != 2 || !m.Retired {
		t.Errorf("it is %v", m)
	}
}
