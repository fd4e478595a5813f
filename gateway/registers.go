package gateway

import (
	"cmp"
	"context"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/connect"
	"mulian/gateway/register"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// OpenRegister returns what watches the registers of the gateway in cfg. Get, Send and Source
// of the result are the caller's to set; List asks the server. Usage if the configuration has
// no register.
func OpenRegister(cfg *Config, c *client.Client) (*register.Register, error) {
	if len(cfg.Registers) == 0 {
		return nil, fault.Newf(fault.Usage, "the configuration of %s has no registers", cfg.Account)
	}
	org, _, _ := strings.Cut(cfg.Account, "/")
	return &register.Register{
		Org: org, Registers: cfg.Registers, Kept: register.Kept{Dir: filepath.Join(cfg.Home, "registers")},
		List: func(ctx context.Context, after string) ([]*mandatev1.Mandate, string, error) {
			res, err := c.Mandate.ListMandates(ctx, rpc.NewRequest(&mandatev1.ListMandatesRequest{Office: org, After: after, Limit: 500}))
			if err != nil {
				return nil, "", wire.Fault(err)
			}
			return res.Msg.GetMandates(), res.Msg.GetNext(), nil
		},
	}, nil
}

// openRegister makes the gateway watch its registers, if it has any.
func (g *Gateway) openRegister() error {
	if len(g.cfg.Registers) == 0 {
		return nil
	}
	r, err := OpenRegister(&g.cfg, g.chain)
	if err != nil {
		return err
	}
	r.Now = g.opts.Clock
	r.Get = func(ctx context.Context, key string, m proto.Message) (bool, error) {
		found, _, err := g.proved.Get(ctx, key, m)
		return found, err
	}
	r.Send = func(ctx context.Context, messages ...proto.Message) error {
		_, err := g.chain.Send(ctx, g.signer(), messages...)
		return err
	}
	r.Source = func(_ context.Context, name string) (connect.Source, error) {
		s, ok := g.sources[name]
		if !ok {
			return nil, fault.Newf(fault.SourceMissing, "this gateway has no source %s", name)
		}
		return s.db, nil
	}
	g.register = r
	return nil
}

// lookEvery is how often the rows of registers are looked at where the configuration does not
// say: 10,000 of them are 50 questions to the database. Our own choice.
const lookEvery = 5 * time.Second

// watchRegister suspends mandates whose register's row is another one now.
func (g *Gateway) watchRegister(ctx context.Context) error {
	return g.register.Watch(ctx, cmp.Or(g.cfg.poll(), lookEvery), func(suspended []string, err error) {
		if len(suspended) > 0 {
			g.log.Warn("mandates are suspended: the row of the register has changed", "mandates", len(suspended), "first", suspended[0])
		}
		if err != nil {
			g.log.Warn("rows of registers could not be looked at", "code", fault.CodeOf(err).String(), "err", err)
		}
	})
}
