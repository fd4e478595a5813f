package gateway

import (
	"cmp"
	"context"
	"path/filepath"

	"mulian/client/keyring"
	"mulian/gateway/dsp"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
)

// openDataspace opens the facade of the Dataspace Protocol, if the configuration has
// one. The keys of its connectors' gateways are in the same ring as the own.
func (g *Gateway) openDataspace(ctx context.Context) (err error) {
	if g.cfg.DSP == nil {
		return nil
	}
	ring := keyring.Ring{Dir: g.cfg.KeysDir()}
	cfg := *g.cfg.DSP
	cfg.URL = cmp.Or(cfg.URL, g.cfg.URL)
	g.dataspace, err = dsp.Open(ctx, dsp.Options{
		Config: cfg, ChainID: g.chainID, Org: g.org, Dir: filepath.Join(g.cfg.Home, "dsp"),
		Chain: g.chain, Proved: g.proved, View: g.view, Ring: ring, Logger: g.log,
		Keys: func(a *identityv1.Account) (machine, seal sm.PrivateKey, err error) {
			k, err := LoadKeys(ring, a.GetId())
			if err != nil {
				return machine, seal, err
			}
			err = k.choose(ring, a)
			return k.Machine, k.Seal, err
		},
	})
	return err
}
