package gateway_test

import (
	"context"
	"testing"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// TestStaleTableIsOnTheLedger: the newest row is older than the declared cycle allows: the ledger
// knows, the department settles it when the table was brought up to date.
func TestStaleTableIsOnTheLedger(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(3)
	w.exec(w.permits, "UPDATE permit SET issued = '2020-01-01'")
	cfg := w.planningConfig()
	door := w.open(cfg)
	ids, err := door.RegisterTables(t.Context())
	if err != nil || len(ids) != 1 {
		t.Fatalf("register: %v, %v", ids, err)
	}
	w.entry = w.planning.Account + ":permit"
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{{
		Id: w.entry, Name: "建设工程规划许可证", Abstract: "已核发的许可", Provider: w.planning.Account, Duties: []string{w.planning.Account + ":1"},
		Table: ids[0], Category: "城乡建设/规划", Format: cataloguev1.Format_FORMAT_TABLE, Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_BATCH},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000",
		Items: []*cataloguev1.Item{
			{Code: "no", Name: "许可证号", Type: "text", PrimaryKey: true, Column: "no"},
			{Code: "issued", Name: "发证日期", Type: "date", Column: "issued", Watermark: true},
		},
	}}})
	door.stop()
	door = w.open(cfg) // the first look of a watch reads the cycles; after it one every five minutes
	drift := "catalogue/drift/" + ids[0] + "@1"
	d := &cataloguev1.Drift{}
	w.eventually("the table is stale", func() bool {
		ok, err := w.chain.Get(context.Background(), drift, d)
		return err == nil && ok
	})
	if d.GetClass() != cataloguev1.DriftClass_DRIFT_CLASS_STALE || len(d.GetEntries()) != 1 {
		t.Errorf("drift: %v", d)
	}
	e := &cataloguev1.Entry{}
	if _, err := w.chain.Get(t.Context(), "catalogue/entry/"+w.entry, e); err != nil || e.GetItems()[1].GetState() == cataloguev1.ItemState_ITEM_STATE_FROZEN {
		t.Errorf("old data is not frozen: %v, %v", e.GetItems()[1].GetState(), err)
	}
	door.stop()
	w.exec(w.permits, "UPDATE permit SET issued = '"+time.Now().Format(time.DateOnly)+"'")
	w.open(cfg)
	w.eventually("it is fresh again, and can be settled", func() bool {
		_, err := w.chain.Send(context.Background(), w.planning, &cataloguev1.SettleDrift{Drift: ids[0] + "@1", Settlement: cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK, Note: "已补报"})
		return err == nil
	})
}
