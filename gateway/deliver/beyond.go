package deliver

import (
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
