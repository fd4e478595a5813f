package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/connect"
	rows "mulian/gateway/register"
	"mulian/internal/fault"
)

// registerOf opens what watches the registers of a gateway of this machine. The caller closes it.
func (a *app) registerOf(cl *client.Client, gw string) (r *rows.Register, closeAll func(), err error) {
	account, err := a.oneGateway([]string{gw})
	if err != nil {
		return nil, nil, err
	}
	cfg, err := readGateway(filepath.Join(a.gatewayHome(account), gatewayFile))
	if err != nil {
		return nil, nil, err
	}
	if r, err = gateway.OpenRegister(cfg, cl); err != nil {
		return nil, nil, err
	}
	r.Get = cl.Get
	r.Send = func(ctx context.Context, messages ...proto.Message) error {
		signer, err := keyring.Ring{Dir: cfg.KeysDir()}.Signer(account, keyring.Machine)
		if err == nil {
			_, err = a.actAs(ctx, cl, signer, messages...)
		}
		return err
	}
	r.Source, closeAll = sources(cfg)
	return r, closeAll, nil
}

// sources opens a gateway's databases by name, each once.
func sources(cfg *gateway.Config) (find func(context.Context, string) (connect.Source, error), closeAll func()) {
	open := map[string]connect.Source{}
	find = func(ctx context.Context, name string) (connect.Source, error) {
		if db := open[name]; db != nil {
			return db, nil
		}
		for _, s := range cfg.Sources {
			if s.Name != name {
				continue
			}
			url, err := s.Address()
			if err != nil {
				return nil, err
			}
			db, err := connect.Open(ctx, url)
			if err != nil {
				return nil, databaseFault(err)
			}
			open[name] = db
			return db, nil
		}
		return nil, fault.Newf(fault.SourceMissing, "gateway %s has no source %s", cfg.Account, name)
	}
	return find, func() {
		for _, db := range open {
			db.Close()
		}
	}
}

func (a *app) mandateSweep() *cobra.Command {
	var gw string
	c := &cobra.Command{
		Use:   "sweep",
		Short: a.t("现在就核对登记表，变了的中止委托（网关运行时自动做）", "look at the registers now and suspend what has changed (a running gateway does it by itself)"),
		Long: a.t("登记表写在网关配置的 registers 下：entry 是目录编号，items 是看哪些信息项。库不应答时什么也不中止。",
			"The registers stand in the gateway's configuration under registers: entry is the catalogue entry, items are those that count.\nA database that does not answer suspends nothing."),
		Example: "  mulian mandate sweep --gateway 11110000000021928B/g/main",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			r, closeAll, err := a.registerOf(cl, gw)
			if err != nil {
				return err
			}
			defer closeAll()
			looked, suspended, err := r.Sweep(cmd.Context())
			if err == nil { // what is gone is looked at twice
				var more []string
				_, more, err = r.Sweep(cmd.Context())
				suspended = append(suspended, more...)
			}
			v := map[string]any{"ok": err == nil, "rows": looked, "suspended": append([]string{}, suspended...)}
			return errors.Join(err, a.print(v, func(w io.Writer) {
				for _, id := range suspended {
					fmt.Fprintln(w, id)
				}
				fmt.Fprintf(w, a.t("看了 %d 行，中止 %d 份委托\n", "%d rows were looked at, %d mandates suspended\n"), looked, len(suspended))
			}))
		},
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}
