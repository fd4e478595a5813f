package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// rowDomain stands before salt and key in the pseudonym of a row.
const rowDomain = "mulian/share/row/v1"

// saltBytes is the length of a row's salt.
const saltBytes = 32

func (a *app) correctionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "correction",
		Short:   a.t("校核：发现错误，核实更正，通知每个持有方（条例第26条）", "corrections: found, verified, put right, told to every holder (art. 26)"),
		Example: "  mulian share correction file 11110000000021928B:permits --item issued --statement 签发日期有误 --as 11110000000025678C",
	}
	answer := func(use, zh, en string, to sharev1.CorrectionState) *cobra.Command {
		var reason string
		c := &cobra.Command{
			Use: use + " CORRECTION", Short: a.t(zh, en), Args: exactly(1),
			Example: "  mulian share correction " + use + " 0123456789abcdef --reason 与档案核对 --as 11110000000021928B",
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.simple(cmd, &sharev1.AnswerCorrection{Correction: args[0], Answer: to, Reason: reason})
			},
		}
		c.Flags().StringVar(&reason, "reason", "", a.t("理由（不予采纳时必填）", "reason (required to reject)"))
		return c
	}
	c.AddCommand(a.correctionFile(), a.correctionList(), a.correctionShow(), a.correctionMatch(),
		answer("acknowledge", "受理校核（提供方）", "acknowledge it (provider)", sharev1.CorrectionState_CORRECTION_STATE_ACKNOWLEDGED),
		answer("confirm", "确认数据有误（提供方）", "confirm that the value is wrong (provider)", sharev1.CorrectionState_CORRECTION_STATE_CONFIRMED),
		answer("reject", "不予采纳（提供方）", "reject it (provider)", sharev1.CorrectionState_CORRECTION_STATE_REJECTED),
		a.correctionDone(), a.correctionApply(), a.correctionClose())
	return c
}

// pseudonym names a row by the salted hash of its key.
func pseudonym(salt []byte, key string) []byte {
	sum := canon.Digest(rowDomain, salt, []byte(key))
	return sum[:]
}

func (a *app) correctionFile() *cobra.Command {
	var item, row, saltFile, statement, evidence string
	c := &cobra.Command{
		Use:   "file ENTRY",
		Short: a.t("提出校核；记录只以加盐假名指明", "say that a value is wrong; the row is named by a salted pseudonym only"),
		Example: "  mulian share correction file 11110000000021928B:permits --item issued --statement 签发日期有误 --as 11110000000025678C\n" +
			"  mulian share correction file 11110000000021928B:permits --item issued --row P0000017 --salt row.salt --statement 签发日期有误 --as 11110000000025678C",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := hashOf(evidence)
			if err != nil {
				return err
			}
			m := &sharev1.FileCorrection{Entry: args[0], Item: item, Statement: statement, EvidenceHash: hash}
			if (row == "") != (saltFile == "") {
				return fault.Newf(fault.Usage, "--row and --salt go together")
			}
			if row != "" {
				salt, err := newSalt(saltFile)
				if err != nil {
					return err
				}
				m.Row = pseudonym(salt, row)
				a.say(a.t("把 %s 和记录的主键另行交给提供方，不要写进说明", "give %s and the row's key to the provider by another way, not in the statement"), saltFile)
			}
			return a.simple(cmd, m)
		},
	}
	f := c.Flags()
	f.StringVar(&item, "item", "", a.t("信息项；空为整条记录", "item; empty = the whole row"))
	f.StringVar(&row, "row", "", a.t("记录的主键；只有加盐哈希上链", "key of the row; only its salted hash goes on the ledger"))
	f.StringVar(&saltFile, "salt", "", a.t("存放新盐的文件（0600）", "file for the new salt (0600)"))
	f.StringVar(&statement, "statement", "", a.t("哪里有误（不含个人信息）", "what is wrong (no personal data)"))
	f.StringVar(&evidence, "evidence", "", a.t("证据文件；只有指纹上链", "file that shows it; only its hash goes on the ledger"))
	_ = c.MarkFlagRequired("statement")
	return c
}

// newSalt makes a salt in a new file; one that is there is not overwritten.
func newSalt(path string) ([]byte, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // it does not fail
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "salt %s", path)
	}
	if _, err := fmt.Fprintln(f, hex.EncodeToString(salt)); err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Inaccessible, err, "salt %s", path)
	}
	return salt, f.Close()
}

func readSalt(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "salt %s", path)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "salt %s", path)
	}
	salt, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(salt) != saltBytes {
		return nil, fault.Newf(fault.Malformed, "salt %s: %d bytes in hexadecimal are wanted", path, saltBytes)
	}
	return salt, nil
}

func (a *app) correctionMatch() *cobra.Command {
	var row, saltFile string
	c := &cobra.Command{
		Use:     "match CORRECTION",
		Short:   a.t("核对：这个主键和盐是不是校核所指的记录", "check whether a key and salt are the row that a correction points at"),
		Example: "  mulian share correction match 0123456789abcdef --row P0000017 --salt row.salt",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			salt, err := readSalt(saltFile)
			if err != nil {
				return err
			}
			var x sharev1.Correction
			ok, err := cl.Get(cmd.Context(), "share/correction/"+args[0], &x)
			switch {
			case err != nil:
				return err
			case !ok:
				return fault.Newf(fault.NotFound, a.t("没有校核 %s", "correction %s: there is none"), args[0])
			case hex.EncodeToString(x.GetRow()) != hex.EncodeToString(pseudonym(salt, row)):
				return fault.Newf(fault.VerificationFailed, a.t("不是校核 %s 所指的记录", "this is not the row of correction %s"), args[0])
			}
			return a.print(map[string]any{"ok": true, "correction": args[0]}, func(w io.Writer) {
				fmt.Fprintln(w, a.t("是这条记录", "this is the row"))
			})
		},
	}
	c.Flags().StringVar(&row, "row", "", a.t("记录的主键", "key of the row"))
	c.Flags().StringVar(&saltFile, "salt", "", a.t("盐文件", "file with the salt"))
	_ = c.MarkFlagRequired("row")
	_ = c.MarkFlagRequired("salt")
	return c
}

func (a *app) correctionList() *cobra.Command {
	var m sharev1.ListCorrectionsRequest
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("列出校核", "list corrections"),
		Example: "  mulian share correction list --provider 11110000000021928B\n  mulian share correction list --holder 11110000000025678C --overdue",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			m.Limit = 500
			res, err := cl.Share.ListCorrections(cmd.Context(), connect.NewRequest(&m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, a.correctionRows(res.Msg.GetCorrections())) })
		},
	}
	f := c.Flags()
	f.StringVar(&m.Provider, "provider", "", a.t("提供部门", "provider"))
	f.StringVar(&m.FiledBy, "by", "", a.t("提出机构", "who filed it"))
	f.StringVar(&m.Holder, "holder", "", a.t("持有机构", "organisation that holds the data"))
	f.StringVar(&m.Entry, "entry", "", a.t("目录", "entry"))
	f.BoolVar(&m.Overdue, "overdue", false, a.t("只看超期的", "only overdue ones"))
	return c
}

func (a *app) correctionRows(list []*sharev1.Correction) [][]string {
	rows := [][]string{{a.t("校核", "CORRECTION"), a.t("状态", "STATE"), a.t("目录", "ENTRY"), a.t("信息项", "ITEM"), a.t("提出机构", "FILED BY"), a.t("持有方", "HOLDERS"), a.t("到期", "DUE")}}
	for _, x := range list {
		rows = append(rows, []string{
			x.GetId(), a.word(x.GetState()), x.GetEntry(), x.GetItem(), x.GetFiledBy(), fmt.Sprintf("%d/%d", x.GetApplied(), x.GetHolders()), due(x.GetClock()),
		})
	}
	return rows
}

// due is when a clock runs out, with a mark when it has.
func due(c *sharev1.ClockRun) string {
	if c.GetOverdue() {
		return day(c.GetDueMs()) + " !"
	}
	return day(c.GetDueMs())
}

func (a *app) correctionShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show CORRECTION",
		Short:   a.t("查看一份校核和它的持有方", "show a correction and its holders"),
		Example: "  mulian share correction show 0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Share.GetCorrection(cmd.Context(), connect.NewRequest(&sharev1.GetCorrectionRequest{Id: args[0], Limit: 500}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				x := res.Msg.GetCorrection()
				table(w, [][]string{
					{a.t("校核", "correction"), x.GetId()},
					{a.t("状态", "state"), a.word(x.GetState())},
					{a.t("目录", "entry"), x.GetEntry() + "  " + x.GetItem()},
					{a.t("问题", "statement"), x.GetStatement()},
					{a.t("法定期限", "statutory clock"), a.clock(x.GetClock())},
					{a.t("理由", "reason"), x.GetReason()},
					{a.t("更正", "note"), x.GetNote()},
				})
				for _, h := range res.Msg.GetHolders() {
					fmt.Fprintf(w, "%s  %s  %s  %s\n", a.t("持有方", "holder"), h.GetConsumer(), h.GetAgreement(), a.clock(h.GetClock()))
				}
			})
		},
	}
}

func (a *app) correctionDone() *cobra.Command {
	var note, file string
	c := &cobra.Command{
		Use:     "done CORRECTION",
		Short:   a.t("数据源已更正，通知各持有方（提供方）", "put right at the source; the ledger tells every holder (provider)"),
		Example: "  mulian share correction done 0123456789abcdef --note 已按档案更正 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := hashOf(file)
			if err != nil {
				return err
			}
			return a.simple(cmd, &sharev1.CompleteCorrection{Correction: args[0], Note: note, NoteHash: hash})
		},
	}
	c.Flags().StringVar(&note, "note", "", a.t("更正了什么（不含个人信息）", "what was put right (no personal data)"))
	c.Flags().StringVar(&file, "file", "", a.t("说明文件；只有指纹上链", "file that says it; only its hash goes on the ledger"))
	_ = c.MarkFlagRequired("note")
	return c
}

func (a *app) correctionApply() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use:     "apply CORRECTION AGREEMENT",
		Short:   a.t("本单位持有的数据已更正（使用方）", "put right in the own copy (consumer)"),
		Example: "  mulian share correction apply 0123456789abcdef fedcba9876543210 --as 11110000000025678C",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.ApplyCorrection{Correction: args[0], Agreement: args[1], Note: note})
		},
	}
	c.Flags().StringVar(&note, "note", "", a.t("说明", "remark"))
	return c
}

// marked adds the flags with which somebody says whether his case was solved.
func (a *app) marked(c *cobra.Command, solved *bool, score *uint32, text *string) {
	c.Flags().BoolVar(solved, "solved", false, a.t("已解决", "it was solved"))
	c.Flags().Uint32Var(score, "score", 0, a.t("打分 1-5", "mark, 1-5"))
	c.Flags().StringVar(text, "comment", "", a.t("评价", "comment"))
}

func (a *app) correctionClose() *cobra.Command {
	var m sharev1.CloseCorrection
	c := &cobra.Command{
		Use:     "close CORRECTION",
		Short:   a.t("撤回或办结校核，并评价（提出者）", "withdraw or close it, with a mark (who filed it)"),
		Example: "  mulian share correction close 0123456789abcdef --solved --score 5 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Correction = args[0]
			return a.simple(cmd, &m)
		},
	}
	a.marked(c, &m.Solved, &m.Score, &m.Feedback)
	return c
}

// objectionKinds are the words of --kind.
var objectionKinds = map[string]sharev1.ObjectionKind{
	"catalogue": sharev1.ObjectionKind_OBJECTION_KIND_CATALOGUE, "application": sharev1.ObjectionKind_OBJECTION_KIND_APPLICATION,
	"use": sharev1.ObjectionKind_OBJECTION_KIND_USE, "other": sharev1.ObjectionKind_OBJECTION_KIND_OTHER,
}

func (a *app) objectionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "objection",
		Short:   a.t("异议：目录纠错、申请异议、使用异议", "objections to a catalogue entry, a request or a use"),
		Example: "  mulian share objection file catalogue/entry/11110000000021928B:permits --kind catalogue --statement 更新周期不符 --as 11110000000025678C",
	}
	var kind, statement, evidence, text string
	file := &cobra.Command{
		Use:     "file SUBJECT",
		Short:   a.t("提出异议（对象写作 catalogue/entry/… share/request/… share/agreement/…）", "file one (the subject is catalogue/entry/…, share/request/… or share/agreement/…)"),
		Example: "  mulian share objection file share/agreement/0123456789abcdef --kind use --statement 超出约定用途 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, ok := objectionKinds[kind]
			if !ok {
				return fault.Newf(fault.Usage, "--kind %q: catalogue, application, use or other", kind)
			}
			hash, err := hashOf(evidence)
			if err != nil {
				return err
			}
			return a.simple(cmd, &sharev1.FileObjection{Kind: k, Subject: args[0], Statement: statement, EvidenceHash: hash})
		},
	}
	file.Flags().StringVar(&kind, "kind", "", a.t("类别：catalogue（目录纠错） application（申请异议） use（使用异议） other（其他）", "kind: catalogue, application, use, other"))
	file.Flags().StringVar(&statement, "statement", "", a.t("异议内容（不含个人信息）", "what it is about (no personal data)"))
	file.Flags().StringVar(&evidence, "evidence", "", a.t("证据文件；只有指纹上链", "file that shows it; only its hash goes on the ledger"))
	_ = file.MarkFlagRequired("kind")
	_ = file.MarkFlagRequired("statement")
	answer := &cobra.Command{
		Use: "answer OBJECTION", Short: a.t("答复异议", "answer one"), Args: exactly(1),
		Example: "  mulian share objection answer 0123456789abcdef --text 已改为每日更新 --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.AnswerObjection{Objection: args[0], Answer: text})
		},
	}
	answer.Flags().StringVar(&text, "text", "", a.t("答复", "answer"))
	_ = answer.MarkFlagRequired("text")
	var m sharev1.CloseObjection
	finish := &cobra.Command{
		Use: "close OBJECTION", Short: a.t("办结异议，并评价（提出者）", "close one, with a mark (who filed it)"), Args: exactly(1),
		Example: "  mulian share objection close 0123456789abcdef --solved --score 4 --as 11110000000025678C",
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Objection = args[0]
			return a.simple(cmd, &m)
		},
	}
	a.marked(finish, &m.Solved, &m.Score, &m.Comment)
	c.AddCommand(file, a.objectionList(), answer, finish)
	return c
}

func (a *app) objectionList() *cobra.Command {
	var m sharev1.ListObjectionsRequest
	c := &cobra.Command{
		Use: "list", Short: a.t("列出异议", "list objections"), Args: exactly(0),
		Example: "  mulian share objection list --against 11110000000021928B --overdue",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			m.Limit = 500
			res, err := cl.Share.ListObjections(cmd.Context(), connect.NewRequest(&m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, a.objectionRows(res.Msg.GetObjections())) })
		},
	}
	c.Flags().StringVar(&m.Against, "against", "", a.t("被提出机构", "organisation that has to answer"))
	c.Flags().StringVar(&m.FiledBy, "by", "", a.t("提出机构", "who filed it"))
	c.Flags().StringVar(&m.Subject, "subject", "", a.t("对象", "subject"))
	c.Flags().BoolVar(&m.Overdue, "overdue", false, a.t("只看超期的", "only overdue ones"))
	return c
}

func (a *app) objectionRows(list []*sharev1.Objection) [][]string {
	rows := [][]string{{a.t("异议", "OBJECTION"), a.t("状态", "STATE"), a.t("类别", "KIND"), a.t("对象", "SUBJECT"), a.t("提出机构", "FILED BY"), a.t("评分", "SCORE"), a.t("到期", "DUE")}}
	for _, o := range list {
		rows = append(rows, []string{o.GetId(), a.word(o.GetState()), a.word(o.GetKind()), o.GetSubject(), o.GetFiledBy(), strconv.Itoa(int(o.GetScore())), due(o.GetClock())})
	}
	return rows
}
