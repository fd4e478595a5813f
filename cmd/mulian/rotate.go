package main

import (
	"context"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client/keyring"
	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// rotateBeside replaces a sealing or log key: the new one is used beside the old one, which
// the gateway retires by itself.
func (a *app) rotateBeside(cmd *cobra.Command, account, base string) error {
	ctx := cmd.Context()
	cl, err := a.client()
	if err != nil {
		return err
	}
	acc := &identityv1.Account{}
	switch ok, err := cl.Get(ctx, "identity/account/"+account, acc); {
	case err != nil:
		return err
	case !ok || acc.GetGateway() == nil:
		return fault.Newf(fault.NotFound, a.t("链上没有网关 %s", "there is no gateway %s on the ledger"), account)
	}
	if a.dryRun {
		return a.print(map[string]any{"ok": true, "dry_run": true, "gateway": account, "key": base}, func(w io.Writer) {
			fmt.Fprintf(w, a.t("将为 %s 更换密钥 %s\n", "would replace the key %[2]s of %[1]s\n"), account, base)
		})
	}
	fresh, err := gateway.SpareKey(a.keys(), base, acc)
	if fault.Is(err, fault.IllegalTransition) {
		// An earlier try may have ended before the gateway took the key.
		if _, reloadErr := a.reloadIfRunning(cmd, account); reloadErr != nil {
			return reloadErr
		}
	}
	if err != nil {
		return err
	}
	// A sealing key has to be in the gateway's hands before anybody can seal to it.
	reloaded := false
	if base == keyring.Seal {
		if reloaded, err = a.reloadIfRunning(cmd, account); err != nil {
			return err
		}
	}
	head := &tracev1.Head{}
	if _, err := cl.Get(ctx, "trace/head/"+account, head); err != nil {
		return err
	}
	profile := gateway.Rotated(acc.GetGateway(), base, fresh.Public(), head.GetSize())
	if _, err := a.actAsRoot(ctx, cl, &identityv1.UpdateGateway{Gateway: account, Profile: profile, Version: acc.GetVersion()}); err != nil {
		return err
	}
	if base == keyring.Log {
		if reloaded, err = a.reloadIfRunning(cmd, account); err != nil {
			return err
		}
	}
	id := fresh.Public().ID()
	a.noteAct(ctx, a.gatewayHome(account), nil, "gateway.rotate_key", map[string]string{"kind": base, "key": id})
	return a.print(map[string]any{"ok": true, "gateway": account, "kind": base, "key": id, "reloaded": reloaded}, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ %s 的 %s 密钥已换成 %s；旧的并用一天后由网关销毁\n", "✓ the %[2]s key of %[1]s is now %[3]s; the gateway destroys the old one after a day beside it\n"), account, base, id)
		if !reloaded {
			fmt.Fprintln(w, a.t("  网关没有在本机运行：启动（或重新加载）后它才使用新密钥", "  the gateway does not run on this machine: it takes the new key when it starts, or reloads"))
		}
	})
}

// reloadIfRunning opens a gateway of this machine anew, and waits until it is; false if
// none runs.
func (a *app) reloadIfRunning(cmd *cobra.Command, account string) (bool, error) {
	_, ctl, err := a.control([]string{account})
	if err != nil {
		return false, nil // none that could be asked
	}
	before, err := ctl.State(cmd.Context(), connect.NewRequest(&gatewayv1.StateRequest{}))
	if err != nil {
		return false, wire.Fault(err)
	}
	if _, err := ctl.Reload(context.WithoutCancel(cmd.Context()), connect.NewRequest(&gatewayv1.ReloadRequest{})); err != nil {
		return false, wire.Fault(err)
	}
	_, err = a.reopened(cmd, account, before.Msg.GetOpenedMs())
	return err == nil, err
}
