package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/secrecy"
	"mulian/internal/sm"
)

func (a *app) secrecyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "secrecy",
		Aliases: []string{"保密"},
		Short:   a.t("侦查保密：访问记录限期密封，编号仍在，到期必须公开", "investigative secrecy: access records sealed for a time, their numbers stay, and they open on a date"),
		Long: a.t(`有审批权的机关（ROLE_SECRECY_OFFICE，由表决任命，不能是协议双方）决定对一项协议下的访问保密。此后网关写下的记录只留编号、位置、时间和
结果，内容（用途、信息项、主体）密封给审计机关；到期网关必须把内容公开到同一份日志里，mulian audit 会查出没有决定的、超期的和没有公开的。
一次决定最长 92 天，延长要另作决定。`,
			`An office that the consortium has named (ROLE_SECRECY_OFFICE; never a party of the agreement) orders that accesses under an agreement are
secret. From then on a record in the gateway's log has number, place, times and outcome; its content (purpose, fields, subject) is sealed to an
auditor. On its date the gateway has to publish the content in the same log; mulian audit finds what is sealed without an order, for longer than
ordered, or not published. One order holds for at most 92 days; each extension is an order of its own.`),
		Example: "  mulian trace secrecy show 0123456789abcdef",
	}
	c.AddCommand(a.secrecyOrder(), a.secrecyLift(), a.secrecyShow(), a.secrecyRead())
	return c
}

func (a *app) secrecyOrder() *cobra.Command {
	m := &tracev1.OrderSecrecy{}
	var caseNumber, key string
	var days, unseal uint32
	c := &cobra.Command{
		Use:   "order AGREEMENT",
		Short: a.t("决定保密，或用 --extends 延长（审批机关）", "order secrecy, or extend it with --extends (the office)"),
		Example: "  mulian trace secrecy order 0123456789abcdef --basis 刑事诉讼法第一百五十条 --case 2026-刑-0042 --days 30 --unseal-days 90 --reader 11110000000031111Y --reader-key 04…  --as 11110000000090000C\n" +
			"  mulian trace secrecy order 0123456789abcdef --extends 1 --basis 刑事诉讼法第一百五十一条 --case 2026-刑-0042 --days 60 --unseal-days 120 --reader 11110000000031111Y --reader-key 04… --as 11110000000090000C",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			g := &sharev1.Agreement{}
			ok, err := cl.Get(cmd.Context(), "share/agreement/"+args[0], g)
			if err == nil && !ok {
				err = fault.Newf(fault.NotFound, a.t("没有协议 %s", "agreement %s: there is none"), args[0])
			}
			if err == nil {
				m.ReaderKey, err = readerKey(key)
			}
			if err != nil {
				return err
			}
			if caseNumber == "" {
				return fault.Newf(fault.Usage, "--case: the number of the case, of which the ledger gets a salted hash")
			}
			var salt [16]byte
			rand.Read(salt[:])
			hash := sm.SM3([]byte(hex.EncodeToString(salt[:]) + " " + caseNumber))
			now := time.Now()
			m.Agreement, m.Entitled, m.CaseHash = g.GetId(), g.GetConsumer(), hash[:]
			m.UntilMs, m.UnsealMs = now.AddDate(0, 0, int(days)).UnixMilli(), now.AddDate(0, 0, int(unseal)).UnixMilli()
			r, err := a.act(cmd.Context(), cl, m)
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "agreement": m.Agreement, "case_salt": hex.EncodeToString(salt[:]), "until_ms": m.UntilMs, "unseal_ms": m.UnsealMs}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 协议 %s 的访问记录从现在起保密；%s 必须公开\n  案号的盐，入卷保存：%s\n", "✓ accesses under agreement %s are secret from now on, and open on %s\n  salt of the case number, for the file: %s\n"),
					m.Agreement, day(m.UnsealMs), hex.EncodeToString(salt[:]))
			})
		},
	}
	p := c.Flags()
	p.StringVar(&m.LegalBasis, "basis", "", a.t("法律依据", "legal basis"))
	p.StringVar(&caseNumber, "case", "", a.t("案号（只上链加盐的摘要）", "number of the case (the ledger gets a salted hash)"))
	p.Uint32Var(&days, "days", 30, a.t("保密多少天，最长 92", "for how many days, at most 92"))
	p.Uint32Var(&unseal, "unseal-days", 90, a.t("多少天后必须公开", "after how many days all has to be open"))
	p.BoolVar(&m.SubjectOpen, "subject-open", false, a.t("数据主体可知有一次访问（不知内容）", "the data owner sees that there was an access, not its content"))
	p.StringVar(&m.Reader, "reader", "", a.t("可阅的审计机关（ROLE_AUDITOR）", "auditor who can read (ROLE_AUDITOR)"))
	p.StringVar(&key, "reader-key", "", a.t("审计机关的公钥，十六进制（mulian key new … --label secrecy）", "the auditor's public key in hex (mulian key new … --label secrecy)"))
	p.Uint64Var(&m.Extends, "extends", 0, a.t("延长第几号决定", "number of the order that this one extends"))
	return c
}

// readerKey reads a public key as mulian key new prints it: SM2, or P-256 after "p256:".
func readerKey(text string) (*identityv1.Key, error) {
	alg := sm.SM2
	if rest, ok := strings.CutPrefix(text, "p256:"); ok {
		alg, text = sm.P256, rest
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) == 0 {
		return nil, fault.Newf(fault.Usage, "--reader-key: a public key in hexadecimal digits, of SM2; one of P-256 with p256: before it")
	}
	pub, err := sm.ParsePublic(alg, raw)
	if err != nil {
		return nil, fault.Newf(fault.Usage, "--reader-key: %v", err)
	}
	return &identityv1.Key{Id: pub.ID(), Algorithm: identityv1.KeyAlgorithm(alg), PublicKey: raw}, nil
}

func (a *app) secrecyLift() *cobra.Command {
	m := &tracev1.LiftSecrecy{}
	c := &cobra.Command{
		Use:     "lift AGREEMENT ORDER",
		Short:   a.t("提前解除：已密封的立即公开（作出决定的机关）", "end it early: what was sealed opens at once (the office that ordered it)"),
		Example: "  mulian trace secrecy lift 0123456789abcdef 1 --reason 案件已终结 --as 11110000000090000C",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if m.Order, err = strconv.ParseUint(args[1], 10, 64); err != nil {
				return fault.Newf(fault.Usage, "%q is no number of an order", args[1])
			}
			m.Agreement = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Reason, "reason", "", a.t("原因", "reason"))
	return c
}

// covered is what one order covers.
type covered struct {
	Order       uint64 `json:"order"`
	Org         string `json:"org"`
	Entitled    string `json:"entitled"`
	LegalBasis  string `json:"legal_basis"`
	FromMs      int64  `json:"from_ms"`
	UntilMs     int64  `json:"until_ms"`
	OpensMs     int64  `json:"opens_ms"`
	LiftedMs    int64  `json:"lifted_ms,omitempty"`
	Extends     uint64 `json:"extends,omitempty"`
	SubjectOpen bool   `json:"subject_open"`
	Reader      string `json:"reader"`
	Sealed      uint64 `json:"sealed"`
	Opened      uint64 `json:"opened"`
}

func (a *app) secrecyShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show AGREEMENT",
		Short:   a.t("一项协议的保密决定，各涵盖多少条记录", "an agreement's orders, and how many records each covers"),
		Example: "  mulian trace secrecy show 0123456789abcdef --json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			s, g := &tracev1.Secrecy{}, &sharev1.Agreement{}
			ok, err := cl.Get(cmd.Context(), "share/agreement/"+args[0], g)
			if err == nil && !ok {
				err = fault.Newf(fault.NotFound, a.t("没有协议 %s", "agreement %s: there is none"), args[0])
			}
			if err == nil {
				_, err = cl.Get(cmd.Context(), "trace/secrecy/"+args[0], s)
			}
			if err != nil {
				return err
			}
			out := []covered{}
			for _, o := range s.GetOrders() {
				out = append(out, covered{
					Order: o.GetNumber(), Org: o.GetOrg(), Entitled: o.GetEntitled(), LegalBasis: o.GetLegalBasis(), FromMs: o.GetFromMs(), UntilMs: o.GetUntilMs(),
					OpensMs: secrecy.OpensMs(s, o.GetNumber()), LiftedMs: o.GetLiftedMs(), Extends: o.GetExtends(), SubjectOpen: o.GetSubjectOpen(), Reader: o.GetReader(),
				})
			}
			for _, gateway := range g.GetProviderGateways() {
				q := &tracev1.Sequence{}
				if _, err := cl.Get(cmd.Context(), "trace/sequence/"+args[0]+"/"+gateway, q); err != nil {
					return err
				}
				for _, n := range q.GetSecrecy() {
					if i := n.GetOrder(); i > 0 && i <= uint64(len(out)) {
						out[i-1].Sealed += n.GetSealed()
						out[i-1].Opened += n.GetOpened()
					}
				}
			}
			return a.print(out, func(w io.Writer) { a.tellOrders(w, out) })
		},
	}
}

func (a *app) tellOrders(w io.Writer, orders []covered) {
	for _, o := range orders {
		fmt.Fprintf(w, a.t("第 %d 号决定  %s 作出，对 %s 的访问  %s 至 %s\n", "order %d by %s, for accesses of %s  %s to %s\n"), o.Order, visible(o.Org), visible(o.Entitled), day(o.FromMs), day(o.UntilMs))
		fmt.Fprintf(w, a.t("  依据：%s\n  已密封 %d 条，已公开 %d 条；%s 前全部公开；%s 可阅\n", "  basis: %s\n  %d records sealed, %d of them open; all on %s; %s can read them\n"), visible(o.LegalBasis), o.Sealed, o.Opened, day(o.OpensMs), visible(o.Reader))
	}
	if len(orders) == 0 {
		fmt.Fprintln(w, a.t("没有保密决定", "no order of secrecy"))
	}
}

// showRecord prints a record: one line with --json, else its fields line by line.
func (a *app) showRecord(r *tracev1.AccessRecord) error {
	text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(r)
	if err != nil {
		return fmt.Errorf("print a record: %w", err)
	}
	return a.print(r, func(w io.Writer) { fmt.Fprintln(w, string(text)) })
}

func (a *app) secrecyRead() *cobra.Command {
	var label string
	c := &cobra.Command{
		Use:     "read GATEWAY:LEAF",
		Short:   a.t("审计机关用自己的密钥阅读一条密封的记录", "read a sealed record with the auditor's own key"),
		Example: "  mulian trace secrecy read 11110000000021928B/g/main:42 --as 11110000000031111Y",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i := strings.LastIndexByte(args[0], ':')
			leaf, err := strconv.ParseUint(args[0][i+1:], 10, 53)
			if i < 0 || err != nil {
				return fault.Newf(fault.Usage, "%q: GATEWAY:LEAF", args[0])
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			account, _, _ := strings.Cut(a.as, "#")
			key, err := a.keys().Key(account, label)
			if err != nil {
				return err
			}
			acc := &identityv1.Account{}
			switch ok, err := cl.Get(cmd.Context(), "identity/account/"+args[0][:i], acc); {
			case err != nil:
				return err
			case !ok || acc.GetGateway().GetUrl() == "":
				return fault.Newf(fault.NotFound, a.t("链上没有网关 %s", "there is no gateway %s on the ledger"), args[0][:i])
			}
			raw, err := prooffile.NewTiles(acc.GetGateway().GetUrl()+"/log/").Leaf(cmd.Context(), leaf)
			if err != nil {
				return err
			}
			r := &tracev1.AccessRecord{}
			if err := proto.Unmarshal(raw, r); err != nil {
				return fault.Wrap(fault.Malformed, err, "record %d", leaf)
			}
			if r.GetSealed().GetBox() == nil {
				return fault.Newf(fault.NotFound, a.t("第 %d 条没有密封", "record %d is not sealed"), leaf)
			}
			whole, _, err := secrecy.OpenBox(key, r)
			if err != nil {
				return err
			}
			whole.Sealed = nil
			return a.showRecord(whole)
		},
	}
	c.Flags().StringVar(&label, "label", "secrecy", a.t("用哪把密钥", "which key"))
	return c
}
