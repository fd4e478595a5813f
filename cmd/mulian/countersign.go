package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// presenceMethod is how it was seen that the person is there.
type presenceMethod bool

// onPaper says that the person signed a sheet; otherwise the face was compared.
const onPaper presenceMethod = true

func (m presenceMethod) proofing() identityv1.ProofingMethod {
	if m == onPaper {
		return identityv1.ProofingMethod_PROOFING_METHOD_COUNTER
	}
	return identityv1.ProofingMethod_PROOFING_METHOD_FACE
}

func (a *app) counterSign() *cobra.Command {
	var presence, by string
	var paper bool
	c := &cobra.Command{
		Use:   "sign ACCOUNT -- COMMAND...",
		Short: a.t("登记一项由托管密钥代签的操作（第一名窗口人员）", "record an act that the key in custody is to sign (first officer)"),
		Long: a.t(`-- 后面是本人自己会用的命令（不写 mulian 和 --as）。它不在这里签名，而是连同到场凭据登记到账本上，等另一科室的人确认。
--presence 是人脸比对记录或本人签名的扫描件；账本上只有承诺值，同一份文件只能用一次。`,
			`Behind -- stands the command that the person would give himself, without mulian and --as. It is not signed here: with the word that
the person is there it is recorded on the ledger, and waits for an officer of another desk. --presence is the record of the face, or the
scan of a signature on paper; the ledger has a commitment only, and takes the same file once.`),
		Example: "  mulian counter sign p-0123456789abcdef0123456789abcdef --presence face.jpg --as 11110000000011111F/p/window1 -- grant revoke 0123456789abcdef0123456789abcdef --cause 不再需要",
		Args:    atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, inner := args[0], args[1:]
			if a.as == "" {
				return fault.Newf(fault.Usage, "%s", a.t("哪名窗口人员？用 --as", "which officer? --as"))
			}
			if slices.ContainsFunc(inner, func(s string) bool { return s == "--as" || strings.HasPrefix(s, "--as=") }) {
				return fault.Newf(fault.Usage, "%s", a.t("-- 后面的命令由该账户签名，不能再写 --as", "the command behind -- is the account's own: no --as there"))
			}
			e, err := a.evidence(presence)
			if err != nil {
				return err
			}
			if by == "" { // not the officer: the ledger refuses his own word
				by, _, _ = strings.Cut(a.as, "/")
			}
			t := &through{account: account, officer: a.as, presence: e, method: presenceMethod(paper), by: by}
			if err := a.within(cmd, t, inner); err != nil {
				return err
			}
			if a.dryRun {
				return nil
			}
			if t.use == nil {
				return fault.Newf(fault.Usage, "mulian %s %s", inner[0], a.t("没有要签名的操作", "signs nothing"))
			}
			v := map[string]any{"ok": true, "account": account, "number": t.use.GetNumber(), "kind": enumTail(t.use.GetKind()), "tx": hex.EncodeToString(t.use.GetTxId()), "height": t.height}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, a.t("第 %d 次，%s；请另一科室确认：mulian counter confirm %s %[1]d\n", "use %d, %s; another desk confirms it: mulian counter confirm %s %[1]d\n"), t.use.GetNumber(), a.word(t.use.GetKind()), account)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&presence, "presence", "", a.t("到场凭据文件：人脸比对记录，或签名扫描件", "file of the presence: record of the face, or scan of a signature"))
	f.BoolVar(&paper, "paper", false, a.t("凭据是纸面签名的扫描件", "the presence is the scan of a signature on paper"))
	f.StringVar(&by, "presence-by", "", a.t("签发到场凭据的账户（人脸终端），不能是窗口人员本人，默认为本单位", "account that vouches for the presence (a face terminal), not the officer's own; default: the organisation"))
	_ = c.MarkFlagRequired("presence")
	return c
}

// within carries out a command as the account whose key is in custody: what it would sign is
// recorded.
func (a *app) within(cmd *cobra.Command, t *through, command []string) error {
	inner := &app{in: a.in, out: a.out, err: a.err, through: t}
	inner.args = append(slices.Clone(command), "--as", t.account, "--home", a.home)
	if a.server != "" {
		inner.args = append(inner.args, "--server", a.server)
	}
	for flag, on := range map[string]bool{"--json": a.json, "--yes": a.yes, "--quiet": a.quiet, "--dry-run": a.dryRun} {
		if on {
			inner.args = append(inner.args, flag)
		}
	}
	if a.lang != "" {
		inner.args = append(inner.args, "--lang", a.lang)
	}
	root := inner.root()
	root.SetArgs(inner.args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return root.ExecuteContext(cmd.Context())
}

// enumTail is an enum's value in small letters, without the name of its type.
func enumTail(v protoreflect.Enum) string {
	d := v.Descriptor()
	value := d.Values().ByNumber(v.Number())
	if value == nil {
		return fmt.Sprint(v.Number())
	}
	var prefix strings.Builder
	for i, r := range string(d.Name()) {
		if i > 0 && r >= 'A' && r <= 'Z' {
			prefix.WriteByte('_')
		}
		prefix.WriteRune(r)
	}
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), strings.ToUpper(prefix.String())+"_"))
}
