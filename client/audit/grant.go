package audit

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mulian/client/prooffile"
	grantv1 "mulian/gen/mulian/grant/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// grantDigits is the length of a grant's id; that of an agreement has half of it.
const grantDigits = 32

// byGrant tells whether a record stands under an owner's grant.
func byGrant(r *tracev1.AccessRecord) bool { return len(r.GetAgreement()) == grantDigits }

// judgeGrant holds the record of a release against the owner's grant, and against the use
// that the ledger has to have counted before it: outside, without-use. Under a grant that this
// reader may not see nothing is found.
func (a *Auditor) judgeGrant(ctx context.Context, r *tracev1.AccessRecord, f Finding, shown prooffile.Shown) error {
	g := &grantv1.Grant{}
	found, _, err := a.proved.Get(ctx, "grant/grant/"+r.GetAgreement(), g)
	if fault.Is(err, fault.Forbidden) {
		a.report.Unread++
		return nil
	}
	if err != nil {
		return err
	}
	if breach := outsideGrant(r, g, found); len(breach) > 0 {
		f.Rule, f.Says = prooffile.RuleOutside, strings.Join(breach, ", ")
		return a.note(ctx, f, nil)
	}
	number := strconv.FormatUint(r.GetUse(), 10)
	use := &grantv1.Use{}
	counted := false
	if r.GetUse() > 0 {
		if counted, _, err = a.proved.Get(ctx, "grant/use/"+g.GetId()+"/"+strings.Repeat("0", max(0, 10-len(number)))+number, use); err != nil {
			return err
		}
	}
	f.Rule = prooffile.RuleWithoutUse
	switch {
	case !counted:
		f.Says = fmt.Sprintf("released, and the ledger has not counted use %s of the grant", number)
	case use.GetProvider() != r.GetGateway() || !bytes.Equal(use.GetRequestDigest(), r.GetRequestHash()):
		f.Says = fmt.Sprintf("released as use %s of the grant, which the ledger has counted for another request", number)
	case use.GetOutcome() == grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_FAILED || use.GetOutcome() == grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY:
		f.Says = fmt.Sprintf("released, and use %s of the grant was given back as one of which nothing was", number)
	default:
		return nil
	}
	return a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1})
}

// outsideGrant tells in what a release is not by the grant.
func outsideGrant(r *tracev1.AccessRecord, g *grantv1.Grant, found bool) (breach []string) {
	if !found {
		return []string{"no grant"}
	}
	for says, is := range map[string]bool{
		"gateway " + r.GetGateway(): slices.Contains(g.GetProviders(), r.GetGateway()), "asker " + r.GetAsker(): r.GetAsker() == g.GetGateway(),
		"purpose": r.GetPurpose() == g.GetPurpose(), "entry " + r.GetEntry(): g.GetEntry() == "" || r.GetEntry() == g.GetEntry(),
	} {
		if !is {
			breach = append(breach, says)
		}
	}
	for _, it := range r.GetItems() {
		if len(g.GetItemCodes()) > 0 && !slices.Contains(g.GetItemCodes(), it) {
			breach = append(breach, "item "+it)
		}
	}
	slices.Sort(breach)
	return breach
}

// Grant audits, for an owner, every gateway that may release under his grant: each release
// in their logs has to be one that the ledger has counted, and the numbers of the grant are
// without gaps. Of sequences the report has those of the grant. NotFound if there is no grant;
// Forbidden if the reader is no party of it.
func (a *Auditor) Grant(ctx context.Context, id string) (*Report, error) {
	g := &grantv1.Grant{}
	found, _, err := a.proved.Get(ctx, "grant/grant/"+id, g)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fault.Newf(fault.NotFound, "there is no grant %.40q", id)
	}
	r, err := a.gateways(ctx, RoleOwner, func(gateway string) bool { return slices.Contains(g.GetProviders(), gateway) })
	if err != nil {
		return nil, err
	}
	r.Sequences = slices.DeleteFunc(r.Sequences, func(s Sequence) bool { return s.Agreement != id })
	return r, nil
}
