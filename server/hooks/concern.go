package hooks

import (
	"context"
	"strings"

	tracev1 "mulian/gen/mulian/trace/v1"
)

// concerns reports whether an event is an organisation's business: one of its accounts did it, it
// touched something that is its own or that it is a party of, or it is a matter of the whole
// consortium. Of what owners grant these are the parties alone, as for whoever reads it.
func (h *Hooks) concerns(ctx context.Context, org string, e *tracev1.Event) (bool, error) {
	if of(org, e.GetActor()) || strings.HasPrefix(e.GetVerb(), "governance/") {
		return true, nil
	}
	for _, key := range e.GetObjects() {
		if account, ok := strings.CutPrefix(key, "identity/account/"); ok && of(org, account) {
			return true, nil
		}
	}
	return h.cfg.Index.Concerns(ctx, org, e.GetObjects())
}

// of reports whether an account is an organisation's own or one of its accounts.
func of(org, account string) bool {
	return account == org || strings.HasPrefix(account, org+"/")
}
