package deliver

import (
	"context"
	"slices"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// withinAgreement refuses an answer that brings more than was agreed and asked, or other
// items than its own receipt says: VerificationFailed. What nobody may have is not taken,
// whoever sends it.
func withinAgreement(g *sharev1.Agreement, entry string, asked []string, q *gatewayv1.QueryResult, rec *tracev1.AccessRecord) error {
	var agreed []string
	for _, part := range g.GetTerms().GetParts() {
		if part.GetEntry() == entry {
			agreed = append(agreed, part.GetItems()...)
		}
	}
	for _, it := range rec.GetItems() {
		if !slices.Contains(agreed, it) {
			return fault.Newf(fault.VerificationFailed, "the receipt names item %.100q, which is not agreed", it)
		}
		if len(asked) > 0 && !slices.Contains(asked, it) {
			return fault.Newf(fault.VerificationFailed, "the receipt names item %.100q, which was not asked for", it)
		}
	}
	for _, c := range q.GetColumns() {
		if !slices.Contains(rec.GetItems(), c.GetItem()) {
			return fault.Newf(fault.VerificationFailed, "the answer has item %.100q, and its receipt does not say so", c.GetItem())
		}
	}
	return nil
}

// heldTo refuses what [withinAgreement] refuses, of the columns of a batch or a page of
// changes. The agreement is read again before: it may have been amended a moment ago.
func (a *Asker) heldTo(ctx context.Context, agreement, entry string, columns []*gatewayv1.ResultColumn, rec *tracev1.AccessRecord) error {
	q := &gatewayv1.QueryResult{Columns: columns}
	g, _, err := a.right(ctx, agreement, entry)
	if err != nil {
		return err
	}
	if withinAgreement(g, entry, nil, q, rec) == nil {
		return nil
	}
	a.cfg.View.Forget("share/agreement/" + agreement)
	if g, _, err = a.right(ctx, agreement, entry); err != nil {
		return err
	}
	return withinAgreement(g, entry, nil, q, rec)
}
