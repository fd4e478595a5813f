package main

import (
	"encoding/hex"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/wire"
)

func (a *app) foreignList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: a.t("列出对端链", "list foreign chains"), Args: exactly(0), Example: "  mulian foreign list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Foreign.ListForeignChains(cmd.Context(), connect.NewRequest(&foreignv1.ListForeignChainsRequest{Limit: 500}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("对端链", "CHAIN"), a.t("名称", "NAME"), a.t("状态", "STATE"), a.t("高度", "HEIGHT"), a.t("区块时间", "BLOCK TIME"), a.t("验证节点", "VALIDATORS")}}
				for _, c := range res.Msg.GetChains() {
					rows = append(rows, []string{c.GetChainId(), visible(c.GetName()), a.word(c.GetState()), fmt.Sprint(c.GetHeight()), day(c.GetTimeMs()), fmt.Sprint(len(c.GetValidators()))})
				}
				table(w, rows)
			})
		},
	}
}

func (a *app) foreignShow() *cobra.Command {
	var after string
	c := &cobra.Command{
		Use: "show CHAIN", Short: a.t("一条对端链：信任根、最新区块头、已采信的对象", "a foreign chain: its root, its newest header, what was proved of it"), Args: exactly(1),
		Example: "  mulian foreign show neighbour-city",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Foreign.GetForeignChain(cmd.Context(), connect.NewRequest(&foreignv1.GetForeignChainRequest{ChainId: args[0], After: after, Limit: 100}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showForeign(w, res.Msg) })
		},
	}
	c.Flags().StringVar(&after, "after", "", a.t("从哪一条之后接着列", "go on after this reference"))
	return c
}

func (a *app) showForeign(w io.Writer, m *foreignv1.GetForeignChainResponse) {
	c := m.GetChain()
	rows := [][]string{
		{a.t("对端链", "chain"), c.GetChainId() + " " + visible(c.GetName())},
		{a.t("状态", "state"), a.word(c.GetState())},
		{a.t("创世", "genesis"), hex.EncodeToString(c.GetGenesisHash())},
		{a.t("信任根", "root"), fmt.Sprintf(a.t("第 %d 个：高度 %d，%x，%s 表决", "number %d: height %d, %x, voted %s"), c.GetRoot(), c.GetRootHeight(), c.GetRootHash(), day(c.GetRootMs()))},
		{a.t("跟进到", "followed to"), fmt.Sprintf(a.t("高度 %d，%x，%s", "height %d, %x, %s"), c.GetHeight(), c.GetHeaderHash(), day(c.GetTimeMs()))},
		{a.t("条件", "terms"), fmt.Sprintf(a.t("%s，区块头最多 %d 天前，时钟最多超前 %d 秒", "%s, headers of at most %d days, clock at most %d s ahead"), a.word(c.GetTrustLevel()), c.GetMaxAgeSeconds()/86_400, c.GetMaxDriftSeconds())},
	}
	if e := c.GetEquivocation(); e != nil {
		rows = append(rows, []string{a.t("冻结", "frozen"), fmt.Sprintf(a.t("%s 由 %s 出示：高度 %d 有 %x 和 %x 两个区块头", "%s, shown by %s: height %d has the headers %x and %x"), day(e.GetAtMs()), visible(e.GetBy()), e.GetHeight(), e.GetFirstHash(), e.GetSecondHash())})
	}
	table(w, rows)
	for _, r := range m.GetReferences() {
		fmt.Fprintln(w)
		table(w, a.referenceRows(r))
	}
	if m.GetNext() != "" {
		fmt.Fprintf(w, a.t("共 %d 条，接着看：--after %s\n", "%d in all; go on with --after %s\n"), m.GetTotal(), m.GetNext())
	}
}

// referenceRows show what was proved of an object.
func (a *app) referenceRows(r *foreignv1.ForeignReference) [][]string {
	what := a.t("在", "is there")
	if r.GetAbsent() {
		what = a.t("不存在", "is not there")
	}
	rows := [][]string{
		{a.t("对象", "object"), visible(r.GetKey()), a.word(r.GetKind()), what},
		{a.t("证明", "proof"), fmt.Sprintf(a.t("%s 高度 %d，%s；信任根 %d", "%s at height %d, %s; root %d"), r.GetChainId(), r.GetHeight(), day(r.GetTimeMs()), r.GetRoot()), "", ""},
	}
	if len(r.GetValueHash()) > 0 {
		rows = append(rows, []string{"SHA-256", hex.EncodeToString(r.GetValueHash()), "", ""})
	}
	if r.GetOpen() {
		rows = append(rows, []string{a.t("内容", "content"), visible(r.GetOrg()), visible(r.GetPeer()), a.foreignState(r)})
	}
	return rows
}

// foreignState is the state of the object by the noun's own words.
func (a *app) foreignState(r *foreignv1.ForeignReference) string {
	switch r.GetKind() {
	case foreignv1.ReferenceKind_REFERENCE_KIND_ENTRY:
		return a.word(cataloguev1.EntryState(r.GetState()))
	case foreignv1.ReferenceKind_REFERENCE_KIND_AGREEMENT:
		return a.word(sharev1.AgreementState(r.GetState()))
	case foreignv1.ReferenceKind_REFERENCE_KIND_ACCOUNT:
		return a.word(identityv1.AccountState(r.GetState()))
	case foreignv1.ReferenceKind_REFERENCE_KIND_CREDENTIAL:
		return a.word(credentialv1.CredentialState(r.GetState()))
	}
	return fmt.Sprint(r.GetState())
}
