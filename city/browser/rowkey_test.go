package browser

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"mulian/city/content"
	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func init() { story("rowkey", consentIsUsable) }

// consentIsUsable is S7 as people do it: a citizen agrees with a passkey in the page, and the
// asker's gateway receives exactly those fields of that one row, once, without anybody carrying
// a file. A second use, another field and a grant that was revoked are refused with their codes.
func consentIsUsable(p *page) {
	p.Size(390, 844, true)
	p.open("/box")
	p.press(`[data-testid="open"]`)
	p.see("待我决定 2")
	number, _ := p.citizen()
	first := p.consents("生效中的授权 1")
	got, err := p.fetchGranted(first)
	p.ok(err)
	var names []string
	for _, c := range got.GetColumns() {
		names = append(names, c.GetItem())
	}
	if !slices.Equal(names, []string{"insurance", "paid_from", "months"}) || len(got.GetRows()) != 1 { // the employer is optional, and was left off
		p.t.Fatalf("the gateway receives %v, %d rows", names, len(got.GetRows()))
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "databases", "insurance.db")+"?mode=ro")
	p.ok(err)
	defer db.Close()
	var insurance, paidFrom, months string
	p.ok(db.QueryRow(`SELECT insurance, paid_from, CAST(months AS TEXT) FROM insured_persons WHERE id_number = ?`, number).Scan(&insurance, &paidFrom, &months))
	if cells := got.GetRows()[0].GetValues(); len(cells) != 3 || cells[0].GetText() != insurance || cells[1].GetText() != paidFrom || cells[2].GetText() != months {
		p.t.Errorf("the row is %v, the department has %s, %s, %s", cells, insurance, paidFrom, months)
	}
	if got.GetUse() != 1 {
		p.t.Errorf("it is use %d", got.GetUse())
	}
	_, err = p.fetchGranted(first)
	p.refused(err, fault.UsesExhausted)
	p.settledNotes()

	p.open("/box/grants/over")
	p.see("已用完")
	second := p.consents("生效中的授权 1")
	if second == first {
		p.t.Fatal("there is one grant only")
	}
	_, err = p.fetchGranted(second, "insurance", "employer")
	p.refused(err, fault.OverAsk)
	p.open("/box")
	p.press("=撤销")
	p.see("生效中的授权 0")
	_, err = p.fetchGranted(second)
	p.refused(err, fault.GrantRevoked)
}

// consents agrees to the first request that waits, and returns the grant.
func (p *page) consents(then string) string {
	p.t.Helper()
	p.open("/box")
	p.press("=查看")
	p.see("会给出的内容")
	p.press(`[data-testid="consent"]`)
	p.see(then)
	var grant string
	p.ask(&grant, `async () => { `+until+` return (await until("a grant", () => document.querySelector('a[href^="/box/grant/"]'))).getAttribute("href").slice("/box/grant/".length) }`)
	return grant
}

// fetchGranted has the asker's running gateway take what was granted; while the owner's page is
// still on its way to the door, again.
func (p *page) fetchGranted(grant string, items ...string) (*gatewayv1.ByGrantResponse, error) {
	p.t.Helper()
	home := filepath.Join(p.home, "gateways", strings.ReplaceAll(content.Find("住建委").Code+"/g/main", "/", "~"))
	ctx, cancel := context.WithTimeout(p.t.Context(), 40*time.Second)
	defer cancel()
	for {
		res, err := gateway.Control(home).ByGrant(ctx, connect.NewRequest(&gatewayv1.ByGrantRequest{Grant: grant, Items: items}))
		if err == nil {
			return res.Msg, nil
		}
		if err = wire.Fault(err); !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// citizen is what the page knows of who has opened the box.
func (p *page) citizen() (number, account string) {
	p.t.Helper()
	var s struct{ Number, Account string }
	p.ask(&s, `async () => { `+signers+` const s = (await signers())[0]; return {Number: s.notes.number, Account: s.account} }`)
	return s.Number, s.Account
}

// settledNotes fails if the page keeps a row key that the door has.
func (p *page) settledNotes() {
	p.t.Helper()
	var kept int
	p.ask(&kept, `async () => { `+signers+` return Object.keys((await signers())[0].notes).filter(k => k.startsWith("rowkey:")).length }`)
	if kept != 0 {
		p.t.Errorf("%d row keys are still in the browser", kept)
	}
}

func (p *page) refused(err error, want fault.Code) {
	p.t.Helper()
	if !fault.Is(err, want) {
		p.t.Errorf("%s (%v), want %s", fault.CodeOf(err), err, want)
	}
}
