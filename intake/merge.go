package intake

import (
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// items matches the items that a list states with those of the ledger, by code, then
// by name. A code once given stays.
func (l *layer) items(old, says []*cataloguev1.Item) []*cataloguev1.Item {
	byCode, byName := map[string]int{}, map[string]int{}
	for i, it := range old {
		byCode[it.Code] = i
		if _, twice := byName[squeezed(it.Name)]; !twice {
			byName[squeezed(it.Name)] = i
		}
	}
	matched := make([]int, len(says)) // index in old, or -1
	taken := make([]bool, len(old))
	for i, it := range says {
		matched[i] = -1
		if at, ok := byCode[it.Code]; ok && !taken[at] {
			matched[i], taken[at] = at, true
		}
	}
	for i, it := range says {
		if at, ok := byName[squeezed(it.Name)]; matched[i] < 0 && ok && !taken[at] {
			matched[i], taken[at] = at, true
		}
	}
	out := make([]*cataloguev1.Item, 0, len(says))
	for i, it := range says {
		if matched[i] < 0 {
			out = append(out, it)
			continue
		}
		out = append(out, l.item(old[matched[i]], it))
	}
	return l.stay(out, old, taken)
}

// item lays one item over that of the ledger.
func (l *layer) item(old, says *cataloguev1.Item) *cataloguev1.Item {
	next := proto.CloneOf(old)
	lay(says.ProtoReflect(), next.ProtoReflect(), l.d.ours)
	next.Code = old.Code
	if l.d.laid[says.Code] && l.table == l.d.Entry.Table && (l.d.ours || old.Column != "") {
		next.Column = old.Column // a person has mapped it, or left it alone
	}
	for _, path := range l.d.blank {
		if rest, ok := strings.CutPrefix(path, "items."+says.Code+"/"); ok {
			if fd, m := at(next.ProtoReflect(), rest); fd != nil && rest != "code" && rest != "name" {
				m.Clear(fd)
			}
		}
	}
	return next
}

// stay puts the items that the list leaves out and that lie on a column behind the one
// that they stood behind.
func (l *layer) stay(out, old []*cataloguev1.Item, taken []bool) []*cataloguev1.Item {
	if l.d.ours {
		return out
	}
	for i, it := range old {
		if taken[i] || it.Column == "" || len(out) >= maxItems {
			continue
		}
		l.kept = append(l.kept, "items "+brief(it.Name))
		pos := 0
		if i > 0 {
			pos = 1 + slices.IndexFunc(out, func(x *cataloguev1.Item) bool { return x.Code == old[i-1].Code })
		}
		out = slices.Insert(out, pos, proto.CloneOf(it))
	}
	return out
}

// resources matches the files by address, and of several with one address by title.
func (l *layer) resources(old, says []*cataloguev1.Resource) []*cataloguev1.Resource {
	if l.whole {
		return says
	}
	taken := make([]bool, len(old))
	find := func(r *cataloguev1.Resource, title bool) int {
		for i, o := range old {
			if !taken[i] && o.Url == r.Url && (!title || sameText(o.Title, r.Title)) {
				return i
			}
		}
		return -1
	}
	where := make([]int, 0, len(says)) // of those in out: index in old, or -1
	out := make([]*cataloguev1.Resource, 0, len(says))
	for _, r := range says {
		i := find(r, true)
		if i < 0 {
			i = find(r, false)
		}
		where = append(where, i)
		if i < 0 {
			out = append(out, r)
			continue
		}
		taken[i] = true
		next := proto.CloneOf(old[i])
		lay(r.ProtoReflect(), next.ProtoReflect(), l.d.ours)
		if l.d.partial && old[i].Api { // data.json says nothing else of an interface
			next.Format = old[i].Format
		}
		out = append(out, next)
	}
	if !l.d.partial {
		return out
	}
	for i, r := range old { // no standard format takes what is no address
		if !taken[i] && !standardAddress(r.Url) && len(out) < maxResources {
			pos := 1 + slices.Index(where, i-1)
			out, where = slices.Insert(out, pos, proto.CloneOf(r)), slices.Insert(where, pos, i)
		}
	}
	return out
}

// standardAddress reports whether an address is one for the standards that we export
// (intake/export).
func standardAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsAny(text, " <>\"{}|\\^`")
}
