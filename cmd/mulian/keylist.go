package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
)

func (a *app) keyList() *cobra.Command {
	return &cobra.Command{
		Use:   "list [ACCOUNT]",
		Short: a.t("列出本机的密钥；写账户则列出它在账本上的密钥：级别、状态、能否备份", "list the keys on this machine; of an ACCOUNT those on the ledger, with level, state and whether they have copies"),
		Long: a.t("device：通行密钥只在一台设备里；synced：可同步到其他设备，单独使用至多算经办级；copied?：计数倒退，疑有复制。",
			"device: a passkey that never leaves its device; synced: one that may be copied, and counts as officer at most; copied?: its counter went back."),
		Example: "  mulian key list\n  mulian key list p-0123456789abcdef0123456789abcdef",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.ledgerKeys(cmd.Context(), args[0])
			}
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

// keyLine is one key of an account as the ledger has it.
type keyLine struct {
	ID        string `json:"id"`
	Label     string `json:"label,omitempty"`
	Algorithm string `json:"algorithm"`
	Level     string `json:"level"`
	State     string `json:"state"` // active, lost, suspended, revoked
	Backup    string `json:"backup,omitempty"`
	Since     string `json:"since"`
	Here      string `json:"here,omitempty"` // its label in this home
}

func (a *app) ledgerKeys(ctx context.Context, account string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	acc := &identityv1.Account{}
	if err := needObject(ctx, cl, "identity/account/"+account, acc); err != nil {
		return err
	}
	here, err := a.labels(account)
	if err != nil {
		return err
	}
	rows := [][]string{{a.t("编号", "ID"), a.t("名称", "LABEL"), a.t("算法", "ALGORITHM"), a.t("级别", "LEVEL"), a.t("状态", "STATE"), a.t("备份", "BACKUP"), a.t("自", "SINCE"), a.t("本机", "HERE")}}
	list := make([]keyLine, 0, len(acc.GetKeys()))
	for _, k := range acc.GetKeys() {
		x := keyLine{ID: k.GetId(), Label: visible(k.GetLabel()), Algorithm: plainOf(k.GetAlgorithm()), Level: plainOf(k.GetLevel()), Backup: copies(k), Here: here[k.GetId()]}
		var said string
		x.State, said, x.Since = a.keyStanding(k)
		list = append(list, x)
		rows = append(rows, []string{x.ID, x.Label, x.Algorithm, a.word(k.GetLevel()), said, x.Backup, x.Since, x.Here})
	}
	return a.print(list, func(w io.Writer) { table(w, rows) })
}

// labels are the keys of an account in this home: label by id.
func (a *app) labels(account string) (map[string]string, error) {
	entries, err := a.keys().List()
	if err != nil {
		return nil, err
	}
	here := map[string]string{}
	for _, e := range entries {
		if e.Account != account {
			continue
		}
		key, err := a.keys().Key(e.Account, e.Label)
		if err != nil {
			return nil, err
		}
		here[key.Public().ID()] = e.Label
	}
	return here, nil
}

// keyStanding is whether a key signs, for programs and for people, and since when.
func (a *app) keyStanding(k *identityv1.Key) (name, said, since string) {
	switch {
	case k.GetState() == identityv1.KeyState_KEY_STATE_REVOKED:
		return "revoked", a.t("已吊销", "revoked"), day(k.GetRevokedMs())
	case k.GetLostMs() != 0:
		return "lost", a.t("已报失", "lost"), day(k.GetLostMs())
	case k.GetSuspended():
		return "suspended", a.t("已中止", "suspended"), day(k.GetAddedMs())
	}
	return "active", a.t("有效", "active"), day(k.GetAddedMs())
}

// copies says whether a passkey may have copies; other keys do not tell.
func copies(k *identityv1.Key) string {
	p := k.GetPasskey()
	if p == nil {
		return ""
	}
	text := "device"
	if p.GetBackupEligible() {
		text = "synced"
	}
	if p.GetCloneSuspected() {
		text += " copied?"
	}
	return text
}

// keyReport is lost, or found.
func (a *app) keyReport(found bool) *cobra.Command {
	m := &recoveryv1.ReportKey{Found: found}
	use, short := "lost", a.t("报失一把密钥：此后它只能否决恢复（持有人，或身份核验机构人员）", "report a key lost: from then on it can veto a recovery and nothing else (its holder, or an identity authority)")
	if found {
		use, short = "found", a.t("密钥找回了（持有人用另一把根密钥，或另一科室的人员）", "a lost key was found (its holder with another root key, or an officer of another desk)")
	}
	c := &cobra.Command{
		Use: use + " ACCOUNT KEY", Short: short, Args: exactly(2),
		Example: "  mulian key " + use + " p-0123456789abcdef0123456789abcdef 0a1b2c3d4e5f6071 --as 11110000000021928B/p/officer-a",
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Account, m.Key = args[0], strings.ToLower(args[1])
			cl, err := a.client()
			if err != nil {
				return err
			}
			r, err := a.actAsRoot(cmd.Context(), cl, m)
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	return c
}
