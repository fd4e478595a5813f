package index

import (
	"database/sql"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// hits reads the objects of rows and marks what matched in them.
func (s *searching) hits(rows []rowNumber) ([]*cataloguev1.Hit, error) {
	objects := map[uint32]*found{}
	names := namesOf(s.ctx, s.tx)
	stmt, err := s.tx.PrepareContext(s.ctx, "SELECT d.key, o.value FROM doc d JOIN object o ON o.key = d.key WHERE d.seq = ?")
	if err != nil {
		return nil, fmt.Errorf("index: hits: %w", err)
	}
	defer stmt.Close()
	marker := newMarker(s.q, s.meant)
	out := make([]*cataloguev1.Hit, 0, len(rows))
	for _, n := range rows {
		f := objects[n.object()]
		if f == nil {
			f = &found{}
			if err := f.read(s, stmt, n.object()); err != nil {
				return nil, err
			}
			objects[n.object()] = f
		}
		h := f.hit(n)
		if h == nil {
			continue
		}
		h.Corrected = s.mode == modeCorrected
		if h.OrgName, err = names(h.GetOrg()); err != nil {
			return nil, err
		}
		h.Marked = marker.mark(f.document(n))
		out = append(out, h)
	}
	return out, nil
}

// found is an object of which there are hits.
type found struct {
	key string
	m   proto.Message
}

func (f *found) read(s *searching, stmt *sql.Stmt, object uint32) error {
	var value []byte
	if err := stmt.QueryRowContext(s.ctx, object).Scan(&f.key, &value); err != nil {
		return fmt.Errorf("index: object %d of a hit: %w", object, err)
	}
	f.m = kindOf(f.key).empty()
	if err := proto.Unmarshal(value, f.m); err != nil {
		return fmt.Errorf("index: %s: %w", f.key, err)
	}
	return nil
}

// document is what of the object the row stands for.
func (f *found) document(n rowNumber) document {
	if e, ok := f.m.(*cataloguev1.Entry); ok && n.item() > 0 && n.item() <= len(e.GetItems()) {
		return itemDocument(e, n.item()-1)
	}
	d, _ := documentOf(f.m)
	return d
}

func (f *found) hit(n rowNumber) *cataloguev1.Hit {
	d := f.document(n)
	t, org := traitsOf(f.m, &d)
	h := &cataloguev1.Hit{
		Kind: hitKinds[n.order()], Key: f.key, Id: strings.TrimPrefix(f.key, kindOf(f.key).prefix), Title: d.title, Org: org,
		ShareType: d.share, Format: cataloguev1.Format(t.at(atFormat)), UpdateCycle: cataloguev1.UpdateCycle(t.at(atCycle)),
		Grade: cataloguev1.Grade(t.at(atGrade)), State: cataloguev1.EntryState(t.at(atState)),
	}
	switch m := f.m.(type) {
	case *cataloguev1.Entry:
		if d.item > 0 {
			h.Id += "#" + m.GetItems()[d.item-1].GetCode()
			h.Within = m.GetName()
		}
	case *cataloguev1.Code:
		h.Within = m.GetTable()
	}
	return h
}
