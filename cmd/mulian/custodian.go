package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"mulian/client/keyring"
	"mulian/custody/custodian"
	"mulian/custody/hsm"
	"mulian/internal/fault"
)

func (a *app) custodianCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "custodian",
		Aliases: []string{"托管机构"},
		Short:   a.t("托管机构：看着账本，只签两名窗口人员登记过的事项", "custodians: watch the ledger, sign what two officers have recorded and nothing else"),
		Long: a.t(`没有设备的人，密钥在托管机构的硬件里（PKCS#11）。这个程序凭证明读账本：两名窗口人员担保的账户，在硬件里生成密钥；
两人确认过、时限已过的事项，签名并提交一次；本人经窗口要求的开箱，只交给指定的接收密钥。它自己什么也不能决定。`,
			`The key of a person without a device is in the custodian's hardware (PKCS#11). This program reads the ledger with proofs: for an
account that two officers have vouched for it makes the keys in the hardware; what both have confirmed it signs and sends once, when
its window is over; a vault that the person has asked for it opens for the named receiver alone. It decides nothing.`),
		Example: "  mulian custodian run --module /usr/lib/softhsm/libsofthsm2.so --token custody --pin-file pin --as 11110000000021928B",
	}
	c.AddCommand(a.custodianRun())
	return c
}

func (a *app) custodianRun() *cobra.Command {
	var cfg hsm.Config
	var listen, level string
	c := &cobra.Command{
		Use:   "run",
		Short: a.t("运行，直到 Ctrl-C", "run until Ctrl-C"),
		Long: a.t("PIN 只从文件读，文件须为 0600。账户须有角色 custodian（mulian gov propose grant-role custodian）。被杀掉后再启动，接着办，不会签第二次。",
			"The PIN is read from a file of mode 0600. The account needs the role custodian (mulian gov propose grant-role custodian). Killed and\nstarted again it goes on where it was, and signs nothing twice."),
		Example: "  mulian custodian run --module /usr/lib/softhsm/libsofthsm2.so --token custody --pin-file pin --listen 127.0.0.1:7431 --as 11110000000021928B",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			log, err := a.logger(LogConfig{Level: level, Format: "text"})
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			g, _, err := a.genesisOn(ctx, cl)
			if err != nil {
				return err
			}
			s, err := a.signerOn(ctx, cl, keyring.Machine, keyring.Officer)
			if err != nil {
				return err
			}
			d, err := hsm.Open(cfg)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, d.Close()) }()
			return a.serveCustodian(ctx, &custodian.Custodian{Ledger: cl, Proved: cl.Verify(g), Signer: s, Device: d, Dir: a.path("custodian"), Log: log}, listen)
		},
	}
	f := c.Flags()
	f.StringVar(&cfg.Module, "module", "", a.t("PKCS#11 动态库", "PKCS#11 library"))
	f.StringVar(&cfg.Token, "token", "", a.t("令牌的名称", "label of the token"))
	f.StringVar(&cfg.PINFile, "pin-file", "", a.t("PIN 所在文件，0600", "file with the PIN, mode 0600"))
	f.StringVar(&listen, "listen", "127.0.0.1:7431", a.t("开箱请求的监听地址", "address at which boxes are taken to be opened"))
	f.StringVar(&level, "log-level", "info", a.t("日志级别：debug、info、warn、error", "level of the log: debug, info, warn, error"))
	for _, name := range []string{"module", "token", "pin-file"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

// serveCustodian runs the watcher and the door until the context ends or one of them does.
func (a *app) serveCustodian(ctx context.Context, c *custodian.Custodian, listen string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the address %s cannot be taken (--listen)", listen)
	}
	v := map[string]any{"ok": true, "url": "http://" + l.Addr().String(), "account": c.Signer.Account}
	if err := a.print(v, func(out io.Writer) {
		fmt.Fprintf(out, a.t("✓ 托管程序在运行，开箱地址 http://%s\n", "✓ the custodian runs; it takes boxes at http://%s\n"), l.Addr())
	}); err != nil {
		return errors.Join(err, l.Close())
	}
	s := &http.Server{Handler: c.Door(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		err := s.Serve(l)
		cancel() // without a door the watcher does not go on in silence
		served <- err
	}()
	err = c.Run(ctx)
	stop, end := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer end()
	closed := s.Shutdown(stop)
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		closed = errors.Join(closed, e)
	}
	return errors.Join(err, fault.Wrap(fault.Internal, closed, "the custodian's door"))
}
