package gateway

import (
	"context"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/deposit"
	"mulian/internal/fault"
)

// resumeEvery is how often deposits that were interrupted are taken up. Our own choice: who
// waits for a document looks again after some minutes.
const resumeEvery = time.Minute

// OpenDepositor returns what deposits into safe boxes as the gateway in cfg. Get and Send of
// the result are the caller's to set.
func OpenDepositor(cfg *Config, chainID string, signer client.Signer) *deposit.Depositor {
	doors := doorsOf(cfg, chainID, signer)
	return &deposit.Depositor{Account: cfg.Account, Dir: filepath.Join(cfg.Home, "deposits"), Lay: doors.Lay}
}

// doorsOf are the doors of boxes that the gateway in cfg knows.
func doorsOf(cfg *Config, chainID string, signer client.Signer) deposit.Doors {
	doors := deposit.Doors{URLs: cfg.Boxes, Chain: chainID, Signer: signer}
	if len(doors.URLs) == 0 {
		doors.URLs = []string{cfg.Server}
	}
	return doors
}

// rowKey asks the doors for the row key of a grant; see [deposit.Doors.RowKey].
func (g *Gateway) rowKey(ctx context.Context, grant, provider string) ([]byte, error) {
	doors := doorsOf(&g.cfg, g.chainID, g.signer())
	doors.Now = g.opts.Clock
	return doors.RowKey(ctx, grant, provider)
}

func (g *Gateway) openDepositor() {
	g.deposits = OpenDepositor(&g.cfg, g.chainID, g.signer())
	g.deposits.Now = g.opts.Clock
	g.deposits.Get = func(ctx context.Context, key string, m proto.Message) (bool, error) {
		found, _, err := g.proved.Get(ctx, key, m)
		return found, err
	}
	g.deposits.Send = func(ctx context.Context, messages ...proto.Message) error {
		_, err := g.chain.Send(ctx, g.signer(), messages...)
		return err
	}
}

// Deposits is what this gateway deposits with.
func (g *Gateway) Deposits() *deposit.Depositor { return g.deposits }

// finishDeposits takes up, now and then, deposits that were interrupted: here, or in a
// command of this home.
func (g *Gateway) finishDeposits(ctx context.Context) error {
	tick := time.NewTicker(resumeEvery)
	defer tick.Stop()
	for {
		out, err := g.deposits.Resume(ctx)
		if err != nil && ctx.Err() == nil {
			g.log.Warn("interrupted deposits could not be read", "code", fault.CodeOf(err).String(), "err", err)
		}
		for _, o := range out {
			if o.Err != nil && ctx.Err() == nil {
				g.log.Warn("a deposit is not on the ledger", "ticket", o.Ticket.Ticket, "code", fault.CodeOf(o.Err).String(), "refused", o.Refused != "", "err", o.Err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
