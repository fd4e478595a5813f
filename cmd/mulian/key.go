package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "key",
		Aliases: []string{"密钥"},
		Short:   a.t("密钥：生成、查看、更换、吊销、报失", "keys: make, show, rotate, revoke, report lost"),
		Example: "  mulian key new 11110000000021928B --label officer",
	}
	c.AddCommand(a.keyNew(), a.keyList(), a.keyRotate(), a.keyRevoke(), a.keyReport(false), a.keyReport(true))
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

// keyFor returns the key of an account with a label, and makes it if there is none:
// what was made for a message that the ledger refused is used by the next try. With
// --dry-run nothing is written.
func (a *app) keyFor(account, label string) (sm.PrivateKey, error) {
	key, err := a.keys().Key(account, label)
	switch {
	case !fault.Is(err, fault.NotFound):
		return key, err
	case a.dryRun:
		return sm.Generate(sm.SM2)
	}
	return a.keys().New(account, label, sm.SM2)
}

// orgKeys are the two keys with which an organisation begins: root and officer.
func (a *app) orgKeys(org string) ([]*identityv1.Key, error) {
	var keys []*identityv1.Key
	for _, k := range []struct {
		label string
		level identityv1.KeyLevel
	}{{keyring.Root, identityv1.KeyLevel_KEY_LEVEL_ROOT}, {keyring.Officer, identityv1.KeyLevel_KEY_LEVEL_OFFICER}} {
		key, err := a.keyFor(org, k.label)
		if err != nil {
			return nil, err
		}
		keys = append(keys, client.PublicKey(key.Public(), k.level, k.label))
	}
	return keys, nil
}

func (a *app) keyRotate() *cobra.Command {
	var label, newLabel string
	c := &cobra.Command{
		Use:     "rotate ACCOUNT",
		Short:   a.t("更换一把密钥：旧的作废，新的生效（由根密钥签名）", "replace a key: the old one ends, the new one begins (signed with the root key)"),
		Example: "  mulian key rotate 11110000000021928B --label officer --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rotate(cmd.Context(), args[0], label, newLabel)
		},
	}
	c.Flags().StringVar(&label, "label", keyring.Officer, a.t("要更换的密钥", "the key to replace"))
	c.Flags().StringVar(&newLabel, "new-label", "", a.t("新密钥的名称，默认加序号：officer-2", "name of the new key; default with a number: officer-2"))
	return c
}

// rotate replaces a key on the ledger by a new one made here. The new file is
// written first: a power failure in between leaves a spare key, never none, and the
// same command takes it up.
func (a *app) rotate(ctx context.Context, account, label, newLabel string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	old, err := a.keys().Key(account, label)
	if err != nil {
		return err
	}
	var acc identityv1.Account
	ok, err := cl.Get(ctx, "identity/account/"+account, &acc)
	if err != nil {
		return err
	}
	if !ok {
		return fault.Newf(fault.NotFound, a.t("链上没有账户 %s", "account %s: there is none"), account)
	}
	onLedger := map[string]identityv1.KeyLevel{}
	for _, k := range acc.GetKeys() {
		onLedger[k.GetId()] = k.GetLevel()
	}
	level, ok := onLedger[old.Public().ID()]
	if !ok {
		return fault.Newf(fault.NotFound, a.t("密钥 %s 不是 %s 在链上的密钥", "key %s is not a key of %s on the ledger"), old.Public().ID(), account)
	}
	fresh, newLabel, err := a.freshKey(account, label, newLabel, old.Algorithm(), onLedger)
	if err != nil {
		return err
	}
	r, err := a.actAsRoot(ctx, cl, &identityv1.RotateKey{Account: account, OldKey: old.Public().ID(), NewKey: client.PublicKey(fresh.Public(), level, newLabel)})
	if err != nil || r == nil {
		return err
	}
	a.noteAct(ctx, a.home, nil, "key.rotate", map[string]string{"account": account, "old": old.Public().ID(), "new": fresh.Public().ID(), "label": newLabel})
	return a.print(map[string]any{"account": account, "old": old.Public().ID(), "new": fresh.Public().ID(), "label": newLabel, "height": r.Height}, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s\n", fresh.Public().ID(), newLabel)
	})
}

// freshKey returns the key that takes an old one's place, which the ledger does not
// know yet: under the label asked for, else under the first free number.
func (a *app) freshKey(account, label, newLabel string, alg sm.Algorithm, onLedger map[string]identityv1.KeyLevel) (sm.PrivateKey, string, error) {
	base := label
	if at := strings.LastIndexByte(label, '-'); at > 0 && strings.Trim(label[at+1:], "0123456789") == "" {
		base = label[:at]
	}
	for n := 2; ; n++ {
		name := newLabel
		if name == "" {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		key, err := a.keys().Key(account, name)
		if fault.Is(err, fault.NotFound) {
			if a.dryRun {
				key, err = sm.Generate(alg)
			} else {
				key, err = a.keys().New(account, name, alg)
			}
		}
		if err != nil {
			return key, name, err
		}
		if _, used := onLedger[key.Public().ID()]; !used && key.Algorithm() == alg {
			return key, name, nil
		}
		if newLabel != "" {
			return key, name, fault.Newf(fault.AlreadyExists, a.t("%s 已有名为 %s 的密钥", "%s has a key %s already"), account, name)
		}
	}
}

func (a *app) keyRevoke() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use:     "revoke ACCOUNT KEY",
		Short:   a.t("永久吊销一把密钥（由根密钥签名）", "revoke a key for good (signed with the root key)"),
		Example: "  mulian key revoke 11110000000021928B 0a1b2c3d4e5f6071 --cause lost --as 11110000000021928B",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			r, err := a.actAsRoot(cmd.Context(), cl, &identityv1.RevokeKey{Account: args[0], Key: args[1], Cause: cause})
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "why"))
	_ = c.MarkFlagRequired("cause")
	return c
}
