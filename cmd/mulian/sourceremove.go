package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/internal/fault"
)

// sourceRemove takes a source out of a gateway's configuration. What its feed left on the
// server goes with it: at once if no gateway runs here, else with the reload.
func (a *app) sourceRemove() *cobra.Command {
	var gw string
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: a.t("从网关删除一个数据源，连同它在数据库服务器上留下的复制槽", "remove a source from a gateway, and the slot that its feed left on the server"),
		Long: a.t(`复制槽和发布没有在用时立即删除；正在用时由 mulian gateway reload 删除。
账号无权删除时打印管理员要执行的语句。链上登记的库表不变。`, `A slot and a publication that are not in use are removed at once; else mulian gateway reload
removes them. Where the account may not, the administrator's statements are printed. The tables on
the ledger stay.`),
		Example: "  mulian source remove permits --gateway 11110000000021928B/g/main",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := a.oneGateway([]string{gw})
			if err != nil {
				return err
			}
			path := filepath.Join(a.gatewayHome(account), gatewayFile)
			cfg, err := readGateway(path)
			if err != nil {
				return err
			}
			at := slices.IndexFunc(cfg.Sources, func(s gateway.Source) bool { return s.Name == args[0] })
			if at < 0 {
				return fault.Newf(fault.NotFound, "%s has no source %s", path, args[0])
			}
			url, err := cfg.Sources[at].Address()
			if err != nil {
				return err
			}
			cfg.Sources = slices.Delete(cfg.Sources, at, at+1)
			out := removed{OK: true, Gateway: account, Source: args[0], Config: path}
			if !a.dryRun {
				if err := a.writeGateway(path, cfg); err != nil {
					return err
				}
				out.left(gateway.DropFeed(cmd.Context(), url))
			}
			return a.print(out, func(w io.Writer) { a.showRemoved(w, out) })
		},
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// removed is the answer of source remove.
type removed struct {
	OK      bool   `json:"ok"`
	Gateway string `json:"gateway"`
	Source  string `json:"source"`
	Config  string `json:"config"`
	// Followed: a gateway follows the feed, and removes it at its reload.
	Followed bool `json:"followed,omitempty"`
	// Statements are for the database's administrator, where the account may not remove the feed.
	Statements []string `json:"statements,omitempty"`
	// Unknown is why it is not known whether the feed left something.
	Unknown string `json:"unknown,omitempty"`
}

// left takes what became of the feed.
func (r *removed) left(err error) {
	var no *connect.NoFeedError
	switch {
	case err == nil:
	case errors.Is(err, connect.ErrFeedBusy):
		r.Followed = true
	case errors.As(err, &no):
		r.Statements = no.Statements
	default:
		r.Unknown = databaseFault(err).Error()
	}
}

func (a *app) showRemoved(w io.Writer, r removed) {
	fmt.Fprintf(w, a.t("✓ %s 已从配置删除。正在运行的网关在 mulian gateway reload 后生效\n", "✓ %s is out of the configuration. A gateway that runs drops it with mulian gateway reload\n"), r.Source)
	switch {
	case r.Followed:
		fmt.Fprintln(w, a.t("  复制槽正在使用，reload 时由网关删除", "  its slot is in use; the gateway removes it with the reload"))
	case r.Unknown != "":
		fmt.Fprintf(w, a.t("! 不知道数据库里是否还留着复制槽：%s\n", "! whether a slot is left on the server is not known: %s\n"), r.Unknown)
	case len(r.Statements) > 0:
		fmt.Fprintln(w, a.t("! 账号无权删除复制槽，由数据库管理员执行：", "! the account may not remove what the feed left; the database's administrator runs:"))
	}
	for _, s := range r.Statements {
		fmt.Fprintln(w, "  "+s)
	}
}
