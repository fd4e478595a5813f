package gateway_test

import (
	"slices"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/pgtest"
)

// TestOneUnfitTableDoesNotEndTheFeed: of two tables of a database one can be followed no more. The
// other goes on, and is not taken again; the one comes back when its owner has mended it. And
// what an ALTER TABLE makes of the rows arrives, though no row was changed by a row.
func TestOneUnfitTableDoesNotEndTheFeed(t *testing.T) {
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 50)
	fill(t, p.source, "shops", firmHeader, [][]string{{"店 1", "北京"}, {"店 2", "天津"}})
	if _, err := p.door.RegisterTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	firms := p.agreement
	_, shops := p.shareTable("shops", "商店库", firmHeader, byBatch)
	for agreement, into := range map[string]string{firms: "got", shops: "got_shops"} {
		entry := p.planning.Account + ":" + map[string]string{firms: "firms", shops: "shops"}[agreement]
		if err := p.tap.Follow(deliver.Fetch{Agreement: agreement, Entry: entry, Into: connect.TableName{Name: into}}); err != nil {
			t.Fatal(err)
		}
	}
	of := func(agreement string) *gatewayv1.Following {
		for _, f := range p.tap.Followings() {
			if f.GetAgreement() == agreement {
				return f
			}
		}
		return &gatewayv1.Following{}
	}
	sensed := func(agreement string, want gatewayv1.Sensing) {
		t.Helper()
		p.eventually(agreement+" is sensed by "+want.String(), func() bool {
			f := of(agreement)
			return f.GetState() == "following" && f.GetSensing() == want
		})
	}
	equal := func(table, got string) {
		t.Helper()
		columns := append([]string{"id"}, firmHeader...)
		p.eventually(table+" are equal", func() bool { return slices.Equal(dump(t, p.source, table, columns), dump(t, p.own, got, columns)) })
	}
	sensed(firms, gatewayv1.Sensing_SENSING_FEED)
	sensed(shops, gatewayv1.Sensing_SENSING_FEED)

	pgExec(t, p.source, "ALTER TABLE shops REPLICA IDENTITY NOTHING")
	pgExec(t, p.source, "INSERT INTO shops VALUES (3, '店 3', '上海')")
	sensed(shops, gatewayv1.Sensing_SENSING_COMPARE)
	pgExec(t, p.source, "UPDATE firms SET place = '雄安' WHERE id < 10")
	equal("firms", "got")
	equal("shops", "got_shops")
	if f := of(firms); f.GetSensing() != gatewayv1.Sensing_SENSING_FEED || f.GetTaken() != 1 {
		t.Errorf("the other table: %v", f)
	}
	pgExec(t, p.source, "ALTER TABLE shops REPLICA IDENTITY DEFAULT")
	sensed(shops, gatewayv1.Sensing_SENSING_FEED)
	pgExec(t, p.source, "UPDATE shops SET place = '重庆'")
	equal("shops", "got_shops")

	pgExec(t, p.source, "ALTER TABLE firms ALTER place TYPE varchar(400) USING place || '市'")
	equal("firms", "got")
	p.eventually("it is taken whole again", func() bool { return of(firms).GetTaken() == 2 })
}
