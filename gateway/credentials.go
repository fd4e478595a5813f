package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client/keyring"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/issue"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// statusPrefix is the path of the status lists at the gateway.
const statusPrefix = "/st/"

// OpenOffice returns what issues credentials for the organisation of the gateway in cfg, with
// the newest machine key for the SM2 twin and the key labelled issue (P-256) for the outward
// one. Get, Send and Source of the result are the caller's to set.
//
// NotFound without those keys, Usage if they are of another kind, Damaged (secret).
func OpenOffice(cfg *Config) (*issue.Office, error) {
	ring := keyring.Ring{Dir: cfg.KeysDir()}
	outward, err := ring.Key(cfg.Account, keyring.Issue)
	if err != nil {
		return nil, err
	}
	machines, err := numberedKeys(ring, cfg.Account, keyring.Machine)
	if err != nil {
		return nil, err
	}
	if len(machines) == 0 {
		return nil, fault.Newf(fault.NotFound, "%s has no machine key here", cfg.Account)
	}
	inward := machines[len(machines)-1].key
	if outward.Algorithm() != sm.P256 || inward.Algorithm() != sm.SM2 {
		return nil, fault.Newf(fault.Usage, "credentials need a key of p256 labelled %s and a machine key of sm2, not %s and %s", keyring.Issue, outward.Algorithm(), inward.Algorithm())
	}
	secret, err := issueSecret(cfg.Home)
	if err != nil {
		return nil, err
	}
	org, _, _ := strings.Cut(cfg.Account, "/")
	return &issue.Office{Org: org, Outward: outward, Inward: inward, Secret: secret, Records: issue.Records{Dir: filepath.Join(cfg.Home, "issued")}}, nil
}

// issueSecret reads the secret of the HMACs, and makes it at the first time. Whoever loses it
// can issue, but no licence and no source of before is recognised: it belongs to the backup.
func issueSecret(home string) ([]byte, error) {
	path := filepath.Join(home, "issue.secret")
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret = make([]byte, 32)
		if _, err := rand.Read(secret); err != nil {
			return nil, fmt.Errorf("issue secret: %w", err)
		}
		if err = durable.CreateFile(path, secret, 0o600); errors.Is(err, fs.ErrExist) {
			secret, err = os.ReadFile(path)
		}
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("issue secret: %w", err)
	case len(secret) != 32:
		return nil, fault.Newf(fault.Damaged, "%s has %d bytes, not 32", path, len(secret))
	}
	return secret, nil
}

// openOffice makes the gateway an issuer if it has the key for it.
func (g *Gateway) openOffice() error {
	office, err := OpenOffice(&g.cfg)
	if fault.Is(err, fault.NotFound) {
		return nil // it issues nothing
	}
	if err != nil {
		return err
	}
	office.Now = g.opts.Clock
	office.Get = g.get
	office.Send = func(ctx context.Context, messages ...proto.Message) error {
		_, err := g.chain.Send(ctx, g.signer(), messages...)
		return err
	}
	office.Source = func(_ context.Context, name string) (connect.Source, error) {
		s, ok := g.sources[name]
		if !ok {
			return nil, fault.Newf(fault.SourceMissing, "this gateway has no source %s", name)
		}
		return s.db, nil
	}
	g.office = office
	g.desk = &issue.Desk{Org: office.Org, Key: office.Outward, Get: office.Get, Now: office.Now}
	return nil
}

// get reads an object of the ledger with proof.
func (g *Gateway) get(ctx context.Context, key string, m proto.Message) (bool, error) {
	found, _, err := g.proved.Get(ctx, key, m)
	return found, err
}

// watchRows reports rows that credentials rest on and that are another one now: at once where
// the source tells its changes, else by looking again and again.
func (g *Gateway) watchRows(ctx context.Context) error {
	for name := range g.sources {
		err := g.subs.WatchRows(name, deliver.RowWatch{
			Tables:  func() []connect.TableName { return g.office.Tables(name) },
			Changed: func(ctx context.Context, rows []connect.RowChange) { g.office.Touched(ctx, name, rows) },
		})
		if err != nil {
			return err
		}
	}
	return g.office.Watch(ctx, issue.Watching{
		Every: max(g.cfg.poll(), time.Second),
		Fed:   g.subs.Fed,
		Tables: func() {
			for name := range g.sources {
				g.subs.Nudge(name)
			}
		},
		Told: func(reported []string, err error) {
			if len(reported) > 0 {
				g.log.Warn("credentials are suspended: their source has changed", "credentials", len(reported), "first", reported[0])
			}
			if err != nil {
				g.log.Warn("the rows of some credentials could not be looked at", "code", fault.CodeOf(err).String(), "err", err)
			}
		},
	})
}
