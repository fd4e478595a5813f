package index

import (
	"cmp"
	"math"
	"math/bits"
	"regexp"
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
)

// Duplicates between departments: the same data collected twice, which order 809,
// article 19 forbids. Two signs are looked for:
//
//	the same name  ── sorted by name ──▶ groups ─┐
//	the same items ── MinHash, 16 bands of 4 ────┴▶ pairs, at most 32 for an entry in each ──▶ exact likeness
//
// Five things keep it from telling what is none. Names say little where items
// contradict them. Items say little where names contradict them (check_subject.go).
// Items that many departments have (统一社会信用代码, 有效期) make no
// likeness. What two offices decide themselves - licences, penalties - is different
// data, however alike the lists look: entries that both hang on duties of such a power
// are not compared. And organisations of different regions, none within the other,
// each collect for their own. A finding is a question to a person, not a verdict.
const (
	// alikeItems is the likeness (Jaccard) of item sets, in per cent, from which on
	// entries of different names are told; alikeNamed the one for equal names.
	// Our own choice, looked at on the catalogue of Beijing.
	alikeItems = 80
	alikeNamed = 30

	// fewestItems is the smallest set whose likeness says something.
	fewestItems = 4

	// candidates bounds how many neighbours of a group one entry is compared with,
	// so that 10,000 entries of one name cost 320,000 comparisons and not 50 million.
	candidates = 32

	bands, rowsOfBand = 16, 4

	// rareFrom is the number of departments from which on items are told common from
	// rare: among few, every item is rare or common by chance.
	rareFrom = 9
)

// shape is what is compared of an entry.
type shape struct {
	fact   int32
	org    string
	region string
	act    bool     // hangs on nothing but duties by which an office decides itself
	name   string   // nameShape
	aside  string   // asideOf
	items  []uint64 // hashes of the items' names, ascending, each once

	subject []uint64 // subjectOf
}

// commonItems say nothing of what an entry is about.
var commonItems = map[string]bool{"序号": true, "编号": true, "备注": true, "id": true, "更新时间": true, "创建时间": true, "数据更新时间": true, "入库时间": true, "主键": true, "状态": true}

func (j *catalogueCheck) shapeOf(at int32, e *cataloguev1.Entry) shape {
	s := shape{fact: at, act: j.decides(e), org: e.GetProvider(), region: cmp.Or(e.GetCoverageRegion(), j.orgs[e.GetProvider()].region), name: nameShape(e.GetName()), aside: asideOf(e.GetName())}
	for _, it := range e.GetItems() {
		if k := itemShape(it.GetName()); k != "" && !commonItems[k] {
			s.items = append(s.items, itemHash(k))
		}
	}
	if len(s.items) >= fewestItems {
		s.subject = subjectOf(e.GetName())
	}
	slices.Sort(s.items)
	s.items = slices.Compact(s.items)
	for _, h := range s.items {
		if u := j.users[h]; u.last != s.org { // entries come sorted by organisation
			j.users[h] = users{s.org, u.n + 1}
		}
	}
	return s
}

// users counts the departments that have an item.
type users struct {
	last string
	n    int32
}

// decides reports whether all duties of an entry are powers to decide: what comes of
// them is the office's own and nobody else's.
func (j *catalogueCheck) decides(e *cataloguev1.Entry) bool {
	for _, id := range e.GetDuties() {
		if !j.duties[id].decides {
			return false
		}
	}
	return len(e.GetDuties()) > 0
}

// rare reports whether the items that x and y share say something: on average (the
// geometric mean) fewer than √N of the N departments have one of them.
func (j *catalogueCheck) rare(x, y []uint64) bool {
	n := len(j.parts)
	if n < rareFrom {
		return true
	}
	sum, both := 0.0, 0
	for i, k := 0, 0; i < len(x) && k < len(y); {
		switch {
		case x[i] == y[k]:
			sum += math.Log(float64(j.users[x[i]].n))
			both, i, k = both+1, i+1, k+1
		case x[i] < y[k]:
			i++
		default:
			k++
		}
	}
	return sum/float64(max(both, 1)) < math.Log(float64(n))/2
}

var (
	asides  = regexp.MustCompile(`[(（\[【〔][^)）\]】〕]*[)）\]】〕]`)
	noSound = regexp.MustCompile(`[\s"'“”‘’《》<>·,，.。、:：;；/_-]+`)
)

// nameShape is a name without what differs by habit: width, blanks, brackets and
// what stands in them, marks.
func nameShape(name string) string {
	key, ok := code.Key(name)
	if !ok {
		return ""
	}
	short := noSound.ReplaceAllString(asides.ReplaceAllString(key, ""), "")
	if short == "" {
		short = key
	}
	return strings.ToLower(short)
}

// best is the most alike entry of another department that was found for an entry.
type best struct {
	other    int32 // index of a shape, -1 for none
	likeness int
}

// duplicates compares, and notes for each entry the most alike of another department.
func (j *catalogueCheck) duplicates() {
	found := make([]best, len(j.shapes))
	for i := range found {
		found[i].other = -1
	}
	order := make([]int32, len(j.shapes))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(strings.Compare(j.shapes[a].name, j.shapes[b].name), cmp.Compare(a, b))
	})
	j.groups(order, func(a, b int32) bool { return j.shapes[a].name == j.shapes[b].name && j.shapes[a].name != "" }, alikeNamed, found)
	j.alike(found)
	for i, b := range found {
		if b.other < 0 {
			continue
		}
		f := &j.result.facts[j.shapes[i].fact]
		l := flaw{kind: findDuplicate, other: j.shapes[b.other].fact, likeness: uint32(b.likeness)}
		if len(j.shapes[i].items) == 0 || len(j.shapes[b.other].items) == 0 {
			l.detail = "name" // that is all there is to compare
		}
		f.found = append(f.found, l)
		j.parts[f.org][findDuplicate].good--
	}
}

// groups walks over runs of entries that are the same, and compares within each.
// Neighbours of the own department are passed over, so that a department with a
// hundred lists of one name does not hide the others.
func (j *catalogueCheck) groups(order []int32, same func(a, b int32) bool, least int, found []best) {
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && same(order[from], order[to]) {
			to++
		}
		run := order[from:to]
		from = to
		if len(run) < 2 {
			continue
		}
		byOrg := slices.Clone(run)
		slices.SortStableFunc(byOrg, func(a, b int32) int { return strings.Compare(j.shapes[a].org, j.shapes[b].org) })
		j.run(byOrg, least, found)
	}
}

// run compares entries that are sorted by department: each with the next ones that
// belong to others, going round at the end.
func (j *catalogueCheck) run(byOrg []int32, least int, found []best) {
	n := len(byOrg)
	next := make([]int, n) // index of the first entry behind that belongs to another department
	for i := n - 1; i >= 0; i-- {
		if next[i] = i + 1; i+1 < n && j.shapes[byOrg[i]].org == j.shapes[byOrg[i+1]].org {
			next[i] = next[i+1]
		}
	}
	for i, a := range byOrg {
		for k, at := 0, next[i]; k < candidates; k, at = k+1, at+1 {
			b := byOrg[at%n]
			if j.shapes[a].org == j.shapes[b].org {
				break // once round
			}
			j.compare(a, b, least, found)
		}
	}
}

// compare notes a and b with each other if they are alike enough.
func (j *catalogueCheck) compare(a, b int32, least int, found []best) {
	x, y := &j.shapes[a], &j.shapes[b]
	if x.region != "" && y.region != "" && !code.Within(x.region, y.region) && !code.Within(y.region, x.region) {
		return
	}
	if x.act && y.act {
		return
	}
	likeness := 100 // of equal names, where items say nothing
	if len(x.items) > 0 && len(y.items) > 0 {
		likeness = jaccard(x.items, y.items)
	}
	switch named := sameName(x, y); {
	case likeness < least, len(x.items) == 0 && !named, len(y.items) == 0 && !named:
		return
	case !named && (likeness < alikeItems || !j.rare(x.items, y.items) || !sameSubject(x, y, likeness)):
		return
	}
	for _, p := range [2][2]int32{{a, b}, {b, a}} {
		was := &found[p[0]]
		if was.other < 0 || likeness > was.likeness || likeness == was.likeness && p[1] < was.other {
			*was = best{p[1], likeness}
		}
	}
}

// jaccard is |x ∩ y| / |x ∪ y| in per cent, down.
func jaccard(x, y []uint64) int {
	both := 0
	for i, k := 0, 0; i < len(x) && k < len(y); {
		switch {
		case x[i] == y[k]:
			both, i, k = both+1, i+1, k+1
		case x[i] < y[k]:
			i++
		default:
			k++
		}
	}
	return 100 * both / (len(x) + len(y) - both)
}

// alike finds candidates by MinHash: two sets of likeness s agree in one of the 16
// bands with the chance 1-(1-s^4)^16, which is 0.9998 at 0.8 and 0.12 at 0.3.
func (j *catalogueCheck) alike(found []best) {
	var big []int32
	for i := range j.shapes {
		if len(j.shapes[i].items) >= fewestItems {
			big = append(big, int32(i))
		}
	}
	keys := make([]uint64, len(j.shapes))
	order := make([]int32, len(big))
	for band := range bands {
		for _, i := range big {
			keys[i] = bandKey(j.shapes[i].items, band)
		}
		copy(order, big)
		slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(keys[a], keys[b]), cmp.Compare(a, b)) })
		j.groups(order, func(a, b int32) bool { return keys[a] == keys[b] }, alikeItems, found)
	}
}

// bandKey joins the minima of the band's hash functions.
func bandKey(items []uint64, band int) uint64 {
	key := uint64(band)
	for r := range rowsOfBand {
		seed := mix(uint64(band*rowsOfBand + r + 1))
		least := uint64(math.MaxUint64)
		for _, h := range items {
			least = min(least, mix(h^seed))
		}
		key = mix(bits.RotateLeft64(key, 7) ^ least)
	}
	return key
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): every bit of the input
// moves every bit of the output.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
