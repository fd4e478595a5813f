package filing

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// places finds the systems and tables that an imported file names, read once for
// each organisation.
type places struct {
	cl      *client.Client
	systems map[string][]*cataloguev1.System
	tables  map[string][]*cataloguev1.Table
}

// maxPlaces bounds what is read of one organisation.
const maxPlaces = 10_000

// system finds a system of the organisation by id, local code or name.
func (p places) system(ctx context.Context, org, text string) (string, bool) {
	if _, read := p.systems[org]; !read {
		list := []*cataloguev1.System{}
		_ = p.cl.List(ctx, "catalogue/system/"+org+":", func(_ string, value []byte) bool {
			s := &cataloguev1.System{}
			if proto.Unmarshal(value, s) == nil {
				list = append(list, s)
			}
			return len(list) < maxPlaces
		})
		p.systems[org] = list
	}
	for _, s := range p.systems[org] {
		if s.GetId() == text || strings.TrimPrefix(s.GetId(), org+":") == text || nameKey(s.GetName()) == nameKey(text) {
			return s.GetId(), true
		}
	}
	return "", false
}

// table finds a table that a gateway of the organisation has registered, by id or by
// name; a name that stands in two sources finds none.
func (p places) table(ctx context.Context, org, text string) (string, bool) {
	if _, read := p.tables[org]; !read {
		list := []*cataloguev1.Table{}
		_ = p.cl.List(ctx, "catalogue/table/"+org+"/", func(_ string, value []byte) bool {
			t := &cataloguev1.Table{}
			if proto.Unmarshal(value, t) == nil && !t.GetGone() {
				list = append(list, t)
			}
			return len(list) < maxPlaces
		})
		p.tables[org] = list
	}
	found := ""
	for _, t := range p.tables[org] {
		if t.GetId() == text {
			return text, true
		}
		if t.GetName() != text && t.GetSource()+"."+t.GetName() != text {
			continue
		}
		if found != "" {
			return "", false
		}
		found = t.GetId()
	}
	return found, found != ""
}

// columns are those of a table that was found.
func (p places) columns(id string) []string {
	org, _, _ := strings.Cut(id, "/")
	for _, t := range p.tables[org] {
		if t.GetId() == id {
			out := make([]string, len(t.GetColumns()))
			for i, c := range t.GetColumns() {
				out[i] = c.GetName()
			}
			return out
		}
	}
	return nil
}
