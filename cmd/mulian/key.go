package main

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "key",
		Short:   a.t("密钥：生成、查看、更换、吊销", "keys: make, show, rotate, revoke"),
		Example: "  mulian key new 11110000000021928B --label officer",
	}
	c.AddCommand(a.keyNew(), a.keyList(), a.keyRotate(), a.keyRevoke())
	return c
}

func (a *app) keyNew() *cobra.Command {
	var label, alg string
	c := &cobra.Command{
		Use:     "new ACCOUNT",
		Short:   a.t("在本机生成一把密钥（0600）", "make a key on this machine (0600)"),
		Example: "  mulian key new 11110000000021928B --label officer --algorithm sm2",
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			algorithm, err := sm.ParseAlgorithm(alg)
			if err != nil {
				return fault.Newf(fault.Usage, "--algorithm %q: sm2, p256 or ed25519", alg)
			}
			key, err := a.keys().New(args[0], label, algorithm)
			if err != nil {
				return err
			}
			v := map[string]string{"account": args[0], "label": label, "id": key.Public().ID(), "algorithm": algorithm.String(), "public_key": hex.EncodeToString(key.Public().Bytes())}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s  %s\n", v["id"], v["algorithm"], v["public_key"])
			})
		},
	}
	c.Flags().StringVar(&label, "label", "officer", a.t("用途：root officer machine seal log", "what for: root officer machine seal log"))
	c.Flags().StringVar(&alg, "algorithm", "sm2", a.t("算法：sm2 p256 ed25519", "algorithm: sm2 p256 ed25519"))
	return c
}

func (a *app) keyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   a.t("列出本机的密钥", "list the keys on this machine"),
		Example: "  mulian key list",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			entries, err := a.keys().List()
			if err != nil {
				return err
			}
			rows := [][]string{{a.t("账户", "ACCOUNT"), a.t("用途", "LABEL"), a.t("算法", "ALGORITHM"), a.t("编号", "ID")}}
			list := make([]map[string]string, 0, len(entries))
			for _, e := range entries {
				key, err := a.keys().Key(e.Account, e.Label)
				if err != nil {
					return err
				}
				rows = append(rows, []string{e.Account, e.Label, key.Algorithm().String(), key.Public().ID()})
				list = append(list, map[string]string{"account": e.Account, "label": e.Label, "algorithm": key.Algorithm().String(), "id": key.Public().ID()})
			}
			return a.print(list, func(w io.Writer) { table(w, rows) })
		},
	}
}

// keyRotate replaces a key on the ledger by a new one made here. The new file is
// written first: a power failure in between leaves a spare key, never none.
func (a *app) keyRotate() *cobra.Command {
	var label, newLabel string
	c := &cobra.Command{
		Use:     "rotate ACCOUNT",
		Short:   a.t("更换一把密钥：旧的作废，新的生效", "replace a key: the old one ends, the new one begins"),
		Example: "  mulian key rotate 11110000000021928B --label officer --new-label officer-2027 --as 11110000000021928B#root",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			old, err := a.keys().Key(args[0], label)
			if err != nil {
				return err
			}
			var acc identityv1.Account
			ok, err := cl.Get(cmd.Context(), "identity/account/"+args[0], &acc)
			if err != nil {
				return err
			}
			if !ok {
				return fault.Newf(fault.NotFound, "account %s: there is none", args[0])
			}
			level := identityv1.KeyLevel_KEY_LEVEL_UNSPECIFIED
			for _, k := range acc.GetKeys() {
				if k.GetId() == old.Public().ID() {
					level = k.GetLevel()
				}
			}
			if level == 0 {
				return fault.Newf(fault.NotFound, "key %s is not a key of %s on the ledger", old.Public().ID(), args[0])
			}
			fresh, err := a.keys().New(args[0], newLabel, old.Algorithm())
			if err != nil {
				return err
			}
			r, err := a.act(cmd.Context(), cl, &identityv1.RotateKey{Account: args[0], OldKey: old.Public().ID(), NewKey: client.PublicKey(fresh.Public(), level, newLabel)})
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"account": args[0], "old": old.Public().ID(), "new": fresh.Public().ID(), "height": r.Height}, func(w io.Writer) {
				fmt.Fprintln(w, fresh.Public().ID())
			})
		},
	}
	c.Flags().StringVar(&label, "label", "officer", a.t("要更换的密钥", "the key to replace"))
	c.Flags().StringVar(&newLabel, "new-label", "", a.t("新密钥的名称", "name of the new key"))
	_ = c.MarkFlagRequired("new-label")
	return c
}

func (a *app) keyRevoke() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use:     "revoke ACCOUNT KEY",
		Short:   a.t("永久吊销一把密钥", "revoke a key for good"),
		Example: "  mulian key revoke 11110000000021928B 0a1b2c3d4e5f6071 --cause lost --as 11110000000021928B#root",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &identityv1.RevokeKey{Account: args[0], Key: args[1], Cause: cause})
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "why"))
	_ = c.MarkFlagRequired("cause")
	return c
}
