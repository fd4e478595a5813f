package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
)

// kindWords are kinds of unlockers for people.
func (x *boxed) kindWords(kinds []safeboxv1.UnlockerKind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, x.word(k))
	}
	return strings.Join(out, x.t("、", ", "))
}

func (x *boxed) status() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: x.t("保险箱的状况：打开方式、份数、缺什么、该做什么；不需要口令", "how the box is: ways to open it, items, what is amiss, what to do; needs no passphrase"),
		Long: x.t("把存放方有的和账本上记的对照：账本上有而存放方没有的，是丢失；密钥旧了的，待重新封装。有要做的事时退出码为 1。",
			"Compares what the store has with what the ledger says: what the ledger has and the store has not is lost there; what is closed to\nearlier keys is to be rewrapped. The status is 1 when there is something to do."),
		Example: "  mulian box status --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			s, err := b.Survey(cmd.Context())
			if err != nil {
				return err
			}
			todo := []string{}
			if len(s.Vault.GetUnlockers()) < 2 {
				todo = append(todo, x.t("只有一种打开方式，不能存自己的资料：mulian box unlockers add code", "it opens in one kind of way, and takes no files of your own: mulian box unlockers add code"))
			}
			if s.Stale > 0 || len(s.File.GetPast()) > 0 {
				todo = append(todo, fmt.Sprintf(x.t("%d 份还封装在旧密钥上：mulian box rewrap", "%d items are closed to earlier keys: mulian box rewrap"), s.Stale))
			}
			if len(s.Missing) > 0 {
				todo = append(todo, fmt.Sprintf(x.t("账本上有、存放方没有：%s（部门存入的可请其重新存入）", "on the ledger, not in the store: %s (a department can deposit it again)"), strings.Join(s.Missing, " ")))
			}
			if len(s.Damaged) > 0 {
				todo = append(todo, fmt.Sprintf(x.t("读不出、不是一份正常的资料：%s（不认识的可以销毁：mulian box erase）", "not readable as an item: %s (what you do not know can be destroyed: mulian box erase)"), strings.Join(s.Damaged, " ")))
			}
			if len(s.Incoming) > 0 {
				todo = append(todo, fmt.Sprintf(x.t("%d 份待接收：mulian box offers", "%d offers to you: mulian box offers"), len(s.Incoming)))
			}
			v := map[string]any{
				"account": b.Account, "version": s.Vault.GetVersion(), "key_version": s.Vault.GetKeyVersion(), "unlockers": len(s.File.GetUnlockers()), "kinds": len(s.Vault.GetUnlockers()),
				"items": s.Stored, "bytes": s.Bytes, "own_items": s.Vault.GetOwnItems(), "stale": s.Stale, "unrecorded": append([]string{}, s.Unrecorded...), "missing": append([]string{}, s.Missing...), "damaged": append([]string{}, s.Damaged...),
				"offers_to_me": len(s.Incoming), "offers_from_me": len(s.Outgoing), "todo": todo, "door": b.Door.Name,
			}
			err = x.print(v, func(w io.Writer) {
				table(w, [][]string{
					{x.t("账户", "account"), b.Account},
					{x.t("打开方式", "opens by"), x.kindWords(s.Vault.GetUnlockers())},
					{x.t("资料", "items"), fmt.Sprintf(x.t("%d 份，%d 字节；其中自己存入 %d 份", "%d, %d bytes; %d of them your own"), s.Stored, s.Bytes, s.Vault.GetOwnItems())},
					{x.t("待接收", "offers"), fmt.Sprintf(x.t("给我 %d，我给 %d", "%d to me, %d from me"), len(s.Incoming), len(s.Outgoing))},
					{x.t("密钥", "keys"), fmt.Sprintf(x.t("第 %d 版（保险库第 %d 版）", "of version %d (vault version %d)"), s.Vault.GetKeyVersion(), s.Vault.GetVersion())},
					{x.t("未上链", "unrecorded"), fmt.Sprint(len(s.Unrecorded))},
				})
				for _, t := range todo {
					fmt.Fprintln(w, "! "+t)
				}
			})
			if err == nil && len(todo) > 0 {
				return quietExit(1)
			}
			return err
		},
	}
}
