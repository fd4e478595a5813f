package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
)

func (a *app) mandateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "mandate",
		Aliases: []string{"委托"},
		Short:   a.t("委托：代理人、法定代表人、经办人、监护人、继承人", "mandates: agents, legal representatives, operators, guardians, heirs"),
		Long: a.t(`一方代另一方办理，双方都要签名，用的时候写明，被问的一方看得见。委托不能转委托。法定代表人、监护人、继承人由有登记职权的单位签；
登记变更，网关即中止委托。`,
			`One account acts for another: both sign, whoever is asked sees it, and it cannot be handed on. Legal representatives, guardians and heirs
are signed by the office that keeps the register; when its row is another one the gateway suspends the mandate.`),
		Example: "  mulian mandate propose p-0123456789abcdef0123456789abcdef p-00000000000000000000000000000001 --entries 11110000000021928B:certificate --acts view,grant --until 2027-06-30 --as p-0123456789abcdef0123456789abcdef\n" +
			"  mulian mandate accept 0123456789abcdef0123456789abcdef --as p-00000000000000000000000000000001",
	}
	c.AddCommand(a.mandatePropose(), a.mandateAnswer(true), a.mandateAnswer(false), a.mandateWitness(), a.mandateRevoke(), a.mandateSuspend(), a.mandateLift(),
		a.mandateSweep(), a.mandateOperators(), a.mandateAgree(), a.mandateList(), a.mandateShow())
	return c
}

// enumOf finds a value of an enumeration by the words of a flag: "legal-rep" is KIND_LEGAL_REP.
func enumOf[E ~int32](flag, prefix, text string, values map[string]int32) (E, error) {
	if n, ok := values[prefix+strings.ToUpper(strings.ReplaceAll(text, "-", "_"))]; ok && n != 0 {
		return E(n), nil
	}
	var words []string
	for name, n := range values {
		if n != 0 {
			words = append(words, strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, prefix), "_", "-")))
		}
	}
	slices.Sort(words)
	return 0, fault.Newf(fault.Usage, "--%s %.40q: %s", flag, text, strings.Join(words, ", "))
}

// proposal is what the flags of propose say.
type proposal struct {
	m                  *mandatev1.ProposeMandate
	kind, level        string
	acts               []string
	from, until        string
	document, presence casePaper
	register, row, gw  string
}

func (a *app) mandatePropose() *cobra.Command {
	p := &proposal{m: &mandatev1.ProposeMandate{Basis: &mandatev1.MandateBasis{}, Scope: &mandatev1.MandateScope{}}}
	p.document.flag, p.presence.flag = "document", "presence"
	c := &cobra.Command{
		Use:   "propose PRINCIPAL AGENT",
		Short: a.t("提出委托：PRINCIPAL 被代理，AGENT 代理", "propose a mandate: AGENT shall act for PRINCIPAL"),
		Long: a.t(`谁签：agent 由本人（根密钥），或在窗口由身份核验机构人员（--presence，另一科室再 witness）；operator 由企业或其法定代表人；
legal-rep、guardian-minor、guardian-adult、heir 由有登记职权的单位。--register 和 --row-file 指明登记表里的那一行：网关记下它，
变了就中止委托；账本上只有加盐的摘要。`,
			`Who signs: agent the principal himself (root key), or at a counter an officer of an identity authority (--presence; another desk
witnesses it); operator the firm or its legal representative; legal-rep, guardian-minor, guardian-adult and heir the office that keeps
the register. --register and --row-file name the row of the register: the gateway remembers it, and suspends the mandate when it is
another one; the ledger has a salted hash.`),
		Example: "  mulian mandate propose p-0123456789abcdef0123456789abcdef p-00000000000000000000000000000001 --entries 11110000000021928B:certificate --acts view,grant --until 2027-06-30 --document power.pdf --as p-0123456789abcdef0123456789abcdef\n" +
			"  mulian mandate propose f-0123456789abcdef0123456789abcdef p-00000000000000000000000000000001 --kind legal-rep --everything --acts view,grant,apply,receive --level root --until 2030-12-31 --register 11110000000021928B:firms --row-file firm.txt --as 11110000000021928B",
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			p.m.Principal, p.m.Agent = args[0], args[1]
			return a.propose(cmd, p)
		},
	}
	f := c.Flags()
	f.StringVar(&p.kind, "kind", "agent", a.t("种类：agent legal-rep operator guardian-minor guardian-adult heir", "kind: agent legal-rep operator guardian-minor guardian-adult heir"))
	f.StringSliceVar(&p.m.Scope.Entries, "entries", nil, a.t("限于这些目录", "for these catalogue entries"))
	f.StringSliceVar(&p.m.Scope.Matters, "matters", nil, a.t("限于这些事项", "for these matters"))
	f.BoolVar(&p.m.Scope.Everything, "everything", false, a.t("全部目录和事项", "for every entry and matter"))
	f.StringSliceVar(&p.acts, "acts", nil, a.t("可以做什么：view grant apply receive", "what he may do: view grant apply receive"))
	f.StringVar(&p.level, "level", "officer", a.t("至多代办哪一级：machine officer root", "acts of which level at most: machine officer root"))
	f.StringVar(&p.from, "from", "", a.t("第一天，默认立即", "first day; default at once"))
	f.StringVar(&p.until, "until", "", a.t("最后一天", "last day"))
	f.Uint32Var(&p.m.MaxUses, "max-uses", 0, a.t("至多用几次，0 为不限", "uses at most; 0: any number"))
	f.StringSliceVar(&p.m.RevocableBy, "revocable-by", nil, a.t("还有谁可以撤销", "who else may revoke it"))
	f.BoolVar(&p.m.SelfActs, "self-acts", false, a.t("guardian-minor：本人也可以自己办（14 至 18 岁）", "guardian-minor: the principal may act himself, too (14 to 18)"))
	f.StringVar(&p.document.path, "document", "", a.t("委托书或文书文件（只上链加盐的摘要）", "file of the paper on which it rests (the ledger gets a salted hash)"))
	f.StringVar(&p.presence.path, "presence", "", a.t("窗口：本人到场的证明文件（只上链加盐的摘要）", "counter: file that shows that the principal was there (the ledger gets a salted hash)"))
	f.StringVar(&p.register, "register", "", a.t("登记表的目录编号", "catalogue entry of the register"))
	f.StringVar(&p.row, "row-file", "", a.t("文件，内有登记表该行的主键值", "file with the primary key of the register's row"))
	f.StringVar(&p.gw, "gateway", "", a.t("哪个网关看着登记表；只有一个时可省略", "gateway that watches the register; may be left out if there is only one"))
	_, _ = c.MarkFlagRequired("acts"), c.MarkFlagRequired("until")
	c.MarkFlagsMutuallyExclusive("everything", "entries")
	c.MarkFlagsMutuallyExclusive("everything", "matters")
	c.MarkFlagsRequiredTogether("register", "row-file")
	return c
}

// read fills the message from the flags.
func (p *proposal) read() (err error) {
	m := p.m
	if m.Kind, err = enumOf[mandatev1.MandateKind]("kind", "MANDATE_KIND_", p.kind, mandatev1.MandateKind_value); err != nil {
		return err
	}
	if m.MaxLevel, err = enumOf[identityv1.KeyLevel]("level", "KEY_LEVEL_", p.level, identityv1.KeyLevel_value); err != nil {
		return err
	}
	for _, text := range p.acts {
		x, err := enumOf[mandatev1.MandateAct]("acts", "MANDATE_ACT_", text, mandatev1.MandateAct_value)
		if err != nil {
			return err
		}
		m.Scope.Acts = append(m.Scope.Acts, x)
	}
	slices.Sort(m.Scope.Acts)
	m.Scope.Acts = slices.Compact(m.Scope.Acts)
	for _, list := range []*[]string{&m.Scope.Entries, &m.Scope.Matters, &m.RevocableBy} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if p.from != "" {
		if m.FromMs, err = beijingDay(p.from); err != nil {
			return err
		}
		m.FromMs -= dayMs // beijingDay is the end of the day
	}
	if m.UntilMs, err = beijingDay(p.until); err != nil {
		return err
	}
	if m.Basis.Document, err = p.document.commit(); err != nil {
		return err
	}
	m.Basis.Presence, err = p.presence.commit()
	return err
}

// dayMs is a day of Beijing's time, which has no summer time.
const dayMs = 24 * 60 * 60 * 1000

func (a *app) propose(cmd *cobra.Command, p *proposal) error {
	if err := p.read(); err != nil {
		return err
	}
	if p.register == "" {
		return a.withEvidence(cmd, p.m, &p.document, &p.presence)
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	reg, closeAll, err := a.registerOf(cl, p.gw)
	if err != nil {
		return err
	}
	defer closeAll()
	raw, err := readAtMost(p.row, maxSmallFile)
	if err != nil {
		return err
	}
	row, err := reg.Read(cmd.Context(), p.register, strings.TrimSpace(string(raw)))
	if err != nil {
		return err
	}
	p.m.Basis.Entry, p.m.Basis.Record = p.register, row.Commitment()
	if !a.dryRun {
		if err := reg.Remember(row); err != nil { // first: a mandate whose row nobody watches would be the worse loss
			return err
		}
	}
	err = a.withEvidence(cmd, p.m, &p.document, &p.presence)
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Rule != "" {
		reg.Forget(row) // refused by a rule; of everything else nobody knows what became of it
	}
	return err
}
