package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	custodyv1 "mulian/gen/mulian/custody/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

func (a *app) counterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "counter",
		Aliases: []string{"窗口"},
		Short:   a.t("窗口：为没有设备的人开户、代签、撤销", "counters: open accounts for people without a device, have acts signed, undo them"),
		Long: a.t(`没有设备的人到窗口办事：一名窗口人员登记，另一科室的一名确认，托管机构的硬件才签名。每一次都在账本上，本人到场的凭据
只对这一件事有效、只用一次。长期有效或不可收回的事项 24 小时后才生效，其间可撤销。步骤见 docs/runbooks/counter.md。`,
			`People without a device come to a counter: an officer records what is to be signed, one of another desk confirms it, and only then
the custodian's hardware signs. Each time is on the ledger; that the person was there counts for this one act, once. What goes on,
or cannot be taken back, has no effect for 24 hours, in which it can be undone. Step by step: docs/runbooks/counter.md.`),
		Example: "  mulian counter open --custodian 11110000000021928B --evidence paper.jpg --as 11110000000011111F/p/window1\n" +
			"  mulian counter sign p-0123456789abcdef0123456789abcdef --presence face.jpg --as 11110000000011111F/p/window1 -- grant revoke 0123456789abcdef0123456789abcdef\n" +
			"  mulian counter confirm p-0123456789abcdef0123456789abcdef 1 --as 11110000000011111F/p/window2",
	}
	c.AddCommand(a.counterOpen(), a.counterSign(), a.counterConfirm(), a.counterUndo(), a.counterShow(), a.counterLetter(), a.counterVault())
	return c
}

// counterKey is the secret with which this home commits to papers, scans and faces.
const counterKey = "counter.key"

// maxPaper bounds a scan.
const maxPaper = 64 << 20

// evidence commits to a file with this home's secret: the same scan gives the same commitment,
// so that the ledger sees when one is used again, and nobody else can try files.
func (a *app) evidence(path string) ([]byte, error) {
	content, err := readAtMost(path, maxPaper)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(a.path(counterKey))
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		err = durable.CreateFile(a.path(counterKey), key, 0o600)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "the counter's secret")
	}
	if len(key) != 32 {
		return nil, fault.Newf(fault.Damaged, "%s has %d bytes, not 32", a.path(counterKey), len(key))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("mulian-counter-evidence-v1\x00"))
	mac.Write(content)
	return mac.Sum(nil), nil
}

// seenFlags are what an officer who vouches says.
type seenFlags struct {
	evidence string
	noFace   bool
}

func (s *seenFlags) add(a *app, c *cobra.Command) {
	c.Flags().StringVar(&s.evidence, "evidence", "", a.t("材料文件（扫描件），账本上只有承诺值", "file of papers (a scan); the ledger has a commitment only"))
	c.Flags().BoolVar(&s.noFace, "no-face", false, a.t("无法采集人脸，已由人核对证件", "the face could not be taken; papers were compared"))
}

func (s *seenFlags) face() recoveryv1.FaceResult {
	if s.noFace {
		return recoveryv1.FaceResult_FACE_RESULT_NOT_TAKEN
	}
	return recoveryv1.FaceResult_FACE_RESULT_MATCHED
}

func (a *app) counterOpen() *cobra.Command {
	var custodian string
	var seen seenFlags
	c := &cobra.Command{
		Use:     "open",
		Short:   a.t("为没有设备的人申请开户（第一名窗口人员）", "begin an account for a person without a device (first officer)"),
		Example: "  mulian counter open --custodian 11110000000021928B --evidence paper.jpg --as 11110000000011111F/p/window1",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.evidence(seen.evidence)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			number := make([]byte, 16)
			rand.Read(number)
			m := &custodyv1.OpenCustody{Account: "p-" + hex.EncodeToString(number), Custodian: custodian, Evidence: e, Face: seen.face()}
			r, err := a.act(cmd.Context(), cl, m)
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "account": m.Account, "height": r.Height}, func(w io.Writer) { fmt.Fprintln(w, m.Account) })
		},
	}
	c.Flags().StringVar(&custodian, "custodian", "", a.t("托管机构", "custodian: another organisation than the officer's"))
	seen.add(a, c)
	_, _ = c.MarkFlagRequired("custodian"), c.MarkFlagRequired("evidence")
	return c
}

func (a *app) counterConfirm() *cobra.Command {
	var seen seenFlags
	c := &cobra.Command{
		Use:   "confirm ACCOUNT [NUMBER]",
		Short: a.t("另一科室的窗口人员确认：开户，或第 NUMBER 次代签", "confirm as the officer of another desk: an account, or with NUMBER a use of its key"),
		Long: a.t("确认代签时，先显示要签的全文；签名的是这一笔交易的编号。开户须用 --evidence 给出自己核对过的材料。",
			"For a use the text of what is to be signed is shown first; what is confirmed is that transaction's id. For an account give your own --evidence."),
		Example: "  mulian counter confirm p-0123456789abcdef0123456789abcdef --evidence paper.jpg --as 11110000000011111F/p/window2\n  mulian counter confirm p-0123456789abcdef0123456789abcdef 1 --as 11110000000011111F/p/window2",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 2 {
				return a.confirmUse(cmd, args[0], args[1])
			}
			if seen.evidence == "" {
				return fault.Newf(fault.Usage, "%s", a.t("开户确认需要 --evidence", "to confirm an account give --evidence"))
			}
			e, err := a.evidence(seen.evidence)
			if err != nil {
				return err
			}
			return a.simple(cmd, &custodyv1.ConfirmCustody{Account: args[0], Evidence: e, Face: seen.face()})
		},
	}
	seen.add(a, c)
	return c
}

// useOf reads a use: Usage for what is no number, NotFound.
func useOf(ctx context.Context, cl *client.Client, account, number string) (*custodyv1.CustodyUse, error) {
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n == 0 {
		return nil, fault.Newf(fault.Usage, "%.20q: the number of a use, from 1", number)
	}
	u := &custodyv1.CustodyUse{}
	return u, needObject(ctx, cl, fmt.Sprintf("custody/use/%s/%010d", account, n), u)
}

// text is what a use is to sign, in the words of its signer: nil when it is over.
func (a *app) useText(ctx context.Context, cl *client.Client, u *custodyv1.CustodyUse) ([]string, error) {
	if len(u.GetBody()) == 0 {
		return nil, nil
	}
	body := new(txv1.Body)
	if err := canon.Check(u.GetBody(), body); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "what use %d is to sign", u.GetNumber())
	}
	if id := client.ID(u.GetBody()); string(id[:]) != string(u.GetTxId()) {
		return nil, fault.Newf(fault.VerificationFailed, "the server shows another text than that of use %d", u.GetNumber())
	}
	return sentence.Body(a.language(), body, a.names(ctx, cl)), nil
}

func (a *app) confirmUse(cmd *cobra.Command, account, number string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	u, err := useOf(cmd.Context(), cl, account, number)
	if err != nil {
		return err
	}
	lines, err := a.useText(cmd.Context(), cl, u)
	if err != nil {
		return err
	}
	for _, line := range lines { // also with --quiet: nobody confirms what he was not shown
		fmt.Fprintln(a.err, line)
	}
	return a.simple(cmd, &custodyv1.ConfirmCustodyUse{Account: account, Number: u.GetNumber(), TxId: u.GetTxId()})
}

func (a *app) counterUndo() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use:     "undo ACCOUNT NUMBER",
		Short:   a.t("撤销还没有执行的代签（本人、任一窗口人员或其代理人）", "undo what is not carried out yet (the person, any officer, or who acts for the person)"),
		Example: "  mulian counter undo p-0123456789abcdef0123456789abcdef 1 --cause 本人来电 --as 11110000000011111F/p/window2",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			u, err := useOf(cmd.Context(), cl, args[0], args[1])
			if err != nil {
				return err
			}
			return a.simple(cmd, &custodyv1.UndoCustodyUse{Account: args[0], Number: u.GetNumber(), Cause: cause})
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "cause"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) counterShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ACCOUNT",
		Short:   a.t("查看托管和每一次代签", "show the custody of an account and each use"),
		Example: "  mulian counter show p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			arrangement := &custodyv1.Custody{}
			if err := needObject(cmd.Context(), cl, "custody/custody/"+args[0], arrangement); err != nil {
				return err
			}
			var list []*custodyv1.CustodyUse
			var broken error
			err = cl.List(cmd.Context(), "custody/use/"+args[0]+"/", func(key string, value []byte) bool {
				u := &custodyv1.CustodyUse{}
				if broken = proto.Unmarshal(value, u); broken == nil {
					list = append(list, u)
				}
				return broken == nil
			})
			if err = errors.Join(err, broken); err != nil {
				return err
			}
			return a.showCustody(arrangement, list)
		},
	}
}

// custodyView is what of a custody is shown.
type custodyView struct {
	OK        bool      `json:"ok"`
	Account   string    `json:"account"`
	Custodian string    `json:"custodian"`
	State     string    `json:"state"`
	Key       string    `json:"key,omitempty"`
	Uses      []useView `json:"uses"`
}

type useView struct {
	Number    uint64   `json:"number"`
	State     string   `json:"state"`
	Kind      string   `json:"kind"`
	Tx        string   `json:"tx"`
	Officers  []string `json:"officers"`
	Effective string   `json:"effective,omitempty"`
	Ended     string   `json:"ended,omitempty"`
	Cause     string   `json:"cause,omitempty"`
}

func (a *app) showCustody(c *custodyv1.Custody, list []*custodyv1.CustodyUse) error {
	v := custodyView{OK: true, Account: c.GetAccount(), Custodian: c.GetCustodian(), State: enumTail(c.GetState()), Key: c.GetKey(), Uses: []useView{}}
	rows := [][]string{{"#", a.t("状态", "STATE"), a.t("性质", "KIND"), a.t("可执行自", "FROM"), a.t("窗口人员", "OFFICERS")}}
	for _, u := range list {
		x := useView{Number: u.GetNumber(), State: enumTail(u.GetState()), Kind: enumTail(u.GetKind()), Tx: hex.EncodeToString(u.GetTxId()), Effective: day(u.GetEffectiveMs()), Ended: day(u.GetEndedMs()), Cause: u.GetCause()}
		officers := ""
		for _, o := range u.GetOfficers() {
			x.Officers = append(x.Officers, o.GetBy())
			officers += " " + o.GetBy()
		}
		v.Uses = append(v.Uses, x)
		rows = append(rows, []string{strconv.FormatUint(u.GetNumber(), 10), a.word(u.GetState()), a.word(u.GetKind()), x.Effective, officers})
	}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s  %s  %s\n", v.Account, a.word(c.GetState()), v.Custodian, v.Key)
		if len(rows) > 1 {
			table(w, rows)
		}
	})
}

func (a *app) counterLetter() *cobra.Command {
	return &cobra.Command{
		Use:     "letter ACCOUNT NUMBER",
		Short:   a.t("给本人的告知书：办了什么、何时生效、怎样撤销", "the letter for the person: what is done, from when, how to undo it"),
		Example: "  mulian counter letter p-0123456789abcdef0123456789abcdef 1 --lang zh",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			u, err := useOf(cmd.Context(), cl, args[0], args[1])
			if err != nil {
				return err
			}
			lines, err := a.useText(cmd.Context(), cl, u)
			if err != nil {
				return err
			}
			text := a.letter(u, lines)
			return a.print(map[string]any{"ok": true, "text": text}, func(w io.Writer) { fmt.Fprint(w, text) })
		},
	}
}

// letter is the person's receipt. It names no person: the counter puts the name on the
// envelope.
func (a *app) letter(u *custodyv1.CustodyUse, lines []string) string {
	out := fmt.Sprintf(a.t("告知书　编号 %x\n您的账户：%s\n%s 在窗口登记了下面的事项，由托管机构 %s 代您签名：\n", "Notice %x\nYour account: %s\nOn %s a counter recorded the following, which the custodian %s signs for you:\n"),
		u.GetTxId()[:min(8, len(u.GetTxId()))], u.GetAccount(), day(u.GetRecordedMs()), u.GetCustodian())
	for i, line := range lines {
		if i > 0 { // the first says who signs; he knows
			out += "  " + visible(line) + "\n"
		}
	}
	switch {
	case u.GetEndedMs() != 0:
		out += fmt.Sprintf(a.t("结果：%s（%s）\n", "Outcome: %s (%s)\n"), a.word(u.GetState()), day(u.GetEndedMs()))
	case u.GetEffectiveMs() == 0:
		out += a.t("还要由另一科室的人员确认。\n", "An officer of another desk has yet to confirm it.\n")
	default:
		out += fmt.Sprintf(a.t("%s 起生效。\n", "It takes effect from %s on.\n"), day(u.GetEffectiveMs()))
	}
	return out + a.t("不是您的意思，或改了主意：生效之前到任一窗口或打电话，报编号即可撤销；已生效的，窗口可为您撤回授权或冻结账户。\n",
		"If this is not what you want: before it takes effect go to any counter, or call, and tell the number of this notice. Afterwards a counter revokes what was given, or freezes the account.\n")
}

// through is how an act at the counter is recorded instead of signed here: see [app.actAs].
type through struct {
	account  string
	officer  string // --as of the outer command
	presence []byte // evidence
	method   presenceMethod
	by       string // account that signs the presence
	use      *custodyv1.CustodyUse
	height   int64
}

// recordFor is how long what is recorded may wait for the second officer and the custodian
// beside the day in which it can be undone.
const recordFor = 48 * time.Hour

// record puts the messages on the ledger as a use of the key in custody.
func (t *through) record(ctx context.Context, a *app, cl *client.Client, chain string, messages ...proto.Message) error {
	d, err := client.PrepareUntil(chain, t.account, time.Now().Add(recordFor), messages...)
	if err != nil {
		return err
	}
	by, err := a.signerOf(ctx, cl, t.by, keyring.Machine, keyring.Officer)
	if err != nil {
		return err
	}
	presence, err := client.StepUpFor(by, d.ID, t.method.proofing(), t.presence)
	if err != nil {
		return err
	}
	outer := *a
	outer.through, outer.as = nil, t.officer
	s, err := outer.signerOn(ctx, cl, keyring.Officer)
	if err != nil {
		return err
	}
	r, err := outer.actAs(ctx, cl, s, &custodyv1.RecordCustodyUse{Account: t.account, Body: d.Raw, Presence: presence})
	if err != nil || r == nil {
		return err
	}
	arrangement := &custodyv1.Custody{}
	if err := needObject(ctx, cl, "custody/custody/"+t.account, arrangement); err != nil {
		return err
	}
	for n := arrangement.GetUses(); n > 0; n-- { // ours is the last, or nearly
		u, err := useOf(ctx, cl, t.account, strconv.FormatUint(n, 10))
		if err != nil {
			return err
		}
		if string(u.GetTxId()) == string(d.ID[:]) {
			t.use, t.height = u, r.Height
			return nil
		}
	}
	return fault.Newf(fault.NotFound, "the use of transaction %x", d.ID[:8])
}
