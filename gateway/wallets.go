package gateway

import (
	"cmp"
	"context"

	"mulian/gateway/openid"
	"mulian/gateway/reference"
)

// openWallets opens the door for wallets, if the configuration has one.
func (g *Gateway) openWallets() (err error) {
	if g.cfg.OpenID == nil {
		return nil
	}
	parts := g.opts.Wallets
	if parts.Now == nil {
		parts.Now = g.opts.Clock
	}
	if parts.Reported == nil {
		parts.Reported = func(_ context.Context, r reference.Report) {
			g.log.Warn("a person says that he did not start this request", "asker", r.Asker, "at", r.At)
		}
	}
	g.wallets, err = openid.Open(*g.cfg.OpenID, cmp.Or(g.cfg.URL, "http://"+g.Addr()), parts)
	return err
}

// Wallets is the door for wallets, or nil: who composes a gateway offers and asks by it.
func (g *Gateway) Wallets() *openid.Door { return g.wallets }
