package main

import (
	"crypto/sha256"
	"os"
	"strings"

	"github.com/spf13/cobra"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/fault"
)

func (a *app) grantDecline() *cobra.Command {
	var notMe bool
	c := &cobra.Command{
		Use:     "decline REQUEST",
		Short:   a.t("不同意；--not-me 表示不是本人发起", "say no; --not-me: I have not started this"),
		Example: "  mulian grant decline 0123456789abcdef0123456789abcdef --not-me --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cause := grantv1.DeclineCause_DECLINE_CAUSE_REFUSED
			if notMe {
				cause = grantv1.DeclineCause_DECLINE_CAUSE_NOT_ME
			}
			return a.simple(cmd, &grantv1.DeclineRequest{Request: args[0], Cause: cause})
		},
	}
	c.Flags().BoolVar(&notMe, "not-me", false, a.t("不是本人发起", "not started by me"))
	return c
}

// grantHold is pause, or resume.
func (a *app) grantHold(stop bool) *cobra.Command {
	use, short := "resume", a.t("恢复授权（数据主体）", "let a grant go on (owner)")
	if stop {
		use, short = "pause", a.t("暂停授权（数据主体）", "pause a grant (owner)")
	}
	return &cobra.Command{
		Use: use + " GRANT", Short: short, Args: exactly(1),
		Example: "  mulian grant " + use + " 0123456789abcdef0123456789abcdef --as p-0123456789abcdef0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			if stop {
				return a.simple(cmd, &grantv1.PauseGrant{Grant: args[0]})
			}
			return a.simple(cmd, &grantv1.ResumeGrant{Grant: args[0]})
		},
	}
}

func (a *app) grantRevoke() *cobra.Command {
	m := &grantv1.RevokeGrant{}
	c := &cobra.Command{
		Use:     "revoke GRANT",
		Short:   a.t("撤回授权，已提供的限期删除（数据主体）", "revoke a grant; what was delivered has to be deleted (owner)"),
		Example: "  mulian grant revoke 0123456789abcdef0123456789abcdef --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Grant = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因", "cause"))
	return c
}

func (a *app) grantAttest() *cobra.Command {
	m := &grantv1.AttestDeletion{}
	var evidence string
	c := &cobra.Command{
		Use:     "attest GRANT",
		Short:   a.t("证明已删除（数据使用方）", "attest a deletion (data user)"),
		Example: "  mulian grant attest 0123456789abcdef0123456789abcdef --first 1 --last 1 --protocol shredded.pdf --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := os.ReadFile(evidence)
			if err != nil {
				return fault.Wrap(fault.Usage, err, "--protocol")
			}
			sum := sha256.Sum256(raw)
			m.Grant, m.EvidenceHash = args[0], sum[:]
			return a.simple(cmd, m)
		},
	}
	p := c.Flags()
	p.Uint64Var(&m.First, "first", 1, a.t("从第几次使用", "from which use"))
	p.Uint64Var(&m.Last, "last", 1, a.t("到第几次使用", "to which use"))
	p.StringVar(&evidence, "protocol", "", a.t("销毁记录文件", "file of the protocol of deletion"))
	return c
}

func (a *app) grantExempt() *cobra.Command {
	m := &grantv1.ExemptDeletion{}
	var basis, until string
	c := &cobra.Command{
		Use:   "exempt GRANT",
		Short: a.t("依法继续保存副本，暂不删除（数据使用方）", "keep copies that a law makes one keep (data user)"),
		Long: a.t("--basis：money_laundering（反洗钱法）、accounting（会计档案）、credit（征信）、medical（病历）、commerce（电子商务）、court（司法协助）、archives（机关档案）。到期后仍须删除；其间只保存，不作他用。",
			"--basis: money_laundering, accounting, credit, medical, commerce, court or archives. When it ends they are deleted all the same;\nuntil then they are kept safe and used for nothing (PIPL art. 47)."),
		Example: "  mulian grant exempt 0123456789abcdef0123456789abcdef --basis accounting --law 会计档案管理办法第十四条 --until 2036-12-31 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			n, ok := grantv1.ExemptionBasis_value["EXEMPTION_BASIS_"+strings.ToUpper(strings.ReplaceAll(basis, "-", "_"))]
			if !ok || n == 0 {
				return fault.Newf(fault.Usage, "--basis %.40q: money_laundering, accounting, credit, medical, commerce, court, archives", basis)
			}
			m.Grant, m.Basis = args[0], grantv1.ExemptionBasis(n)
			if m.UntilMs, err = beijingDay(until); err != nil {
				return err
			}
			return a.simple(cmd, m)
		},
	}
	p := c.Flags()
	p.Uint64Var(&m.First, "first", 1, a.t("从第几次使用", "from which use"))
	p.Uint64Var(&m.Last, "last", 1, a.t("到第几次使用", "to which use"))
	p.StringVar(&basis, "basis", "", a.t("哪一部法律", "which law"))
	p.StringVar(&m.Law, "law", "", a.t("条款和理由", "article and reason"))
	p.StringVar(&until, "until", "", a.t("保存到哪一天", "last day"))
	for _, f := range []string{"basis", "law", "until"} {
		_ = c.MarkFlagRequired(f)
	}
	return c
}
