package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

func (a *app) ownerFreeze() *cobra.Command {
	m := &identityv1.FreezeAccount{}
	c := &cobra.Command{
		Use:   "freeze ACCOUNT",
		Short: a.t("立即冻结账户（持有人任何密钥，或身份核验机构人员应其来电来访）", "freeze an account at once (its holder with any key, or an identity authority for one who called or came)"),
		Long: a.t("冻结的账户什么也不能签，只能解冻（owner thaw）或恢复（recovery）。已给的授权同时不能使用。",
			"A frozen account signs nothing but what ends it: owner thaw, or a recovery. What it has granted cannot be used meanwhile."),
		Example: "  mulian owner freeze p-0123456789abcdef0123456789abcdef --cause 手机丢失 --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Account = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	return c
}

// thawing is how long a request to thaw counts: the ledger takes ten minutes at most.
const thawing = 9 * time.Minute

// awaitedWord is a transaction that waits for an identity authority's word, and its word.
type awaitedWord struct {
	Body   string          `json:"body"`              // hex, the bytes that are signed
	StepUp json.RawMessage `json:"step_up,omitempty"` // identity.v1.StepUp
}

// readSeen reads such a file and the transaction in it.
func readSeen(path string) (*awaitedWord, *txv1.Body, [32]byte, error) {
	s, body := &awaitedWord{}, &txv1.Body{}
	raw, err := readAtMost(path, maxSmallFile)
	if err != nil {
		return nil, nil, [32]byte{}, err
	}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, nil, [32]byte{}, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	b, err := hex.DecodeString(s.Body)
	if err == nil {
		err = canon.Check(b, body)
	}
	return s, body, client.ID(b), fault.Wrap(fault.Malformed, err, "%s", path)
}

func writeSeen(path string, s *awaitedWord) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return durable.ReplaceFile(path, append(raw, '\n'), 0o600)
}

func (a *app) ownerThaw() *cobra.Command {
	var ask, with string
	c := &cobra.Command{
		Use:   "thaw ACCOUNT",
		Short: a.t("解冻账户：先写出请求（--ask），核验机构见到本人后（owner seen）再签（--with）", "thaw an account: write what is asked (--ask), be seen by an identity authority (owner seen), sign (--with)"),
		Long: a.t("偷手机的人也能解锁设备，所以解冻要核验机构见到本人，对这一笔签字。请求 9 分钟内有效。",
			"A thief has the device and perhaps its code; so an identity authority has to see the holder and sign for this one transaction.\nThe request counts for 9 minutes."),
		Example: "  mulian owner thaw p-0123456789abcdef0123456789abcdef --ask thaw.json\n  mulian owner seen thaw.json --as 11110000000021928B/p/officer-a\n  mulian owner thaw p-0123456789abcdef0123456789abcdef --with thaw.json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if ask != "" {
				return a.askThaw(cmd, args[0], ask)
			}
			return a.thaw(cmd, args[0], with)
		},
	}
	c.Flags().StringVar(&ask, "ask", "", a.t("写出请求的文件", "file in which it is asked"))
	c.Flags().StringVar(&with, "with", "", a.t("核验机构签过的文件", "file that the authority has signed"))
	c.MarkFlagsMutuallyExclusive("ask", "with")
	c.MarkFlagsOneRequired("ask", "with")
	return c
}

func (a *app) askThaw(cmd *cobra.Command, account, path string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	chain, err := cl.ChainID(cmd.Context())
	if err != nil {
		return err
	}
	d, err := client.Prepare(chain, account, time.Now().Add(thawing-client.Lifetime), &identityv1.UnfreezeAccount{Account: account})
	if err != nil {
		return err
	}
	if err := writeSeen(path, &awaitedWord{Body: hex.EncodeToString(d.Raw)}); err != nil {
		return err
	}
	return a.print(map[string]any{"ok": true, "file": path, "until": day(d.Body.GetExpiresMs())}, func(w io.Writer) {
		fmt.Fprintf(w, a.t("%s  %s 前有效\n", "%s  counts until %s\n"), path, day(d.Body.GetExpiresMs()))
	})
}

func (a *app) thaw(cmd *cobra.Command, account, path string) error {
	s, body, id, err := readSeen(path)
	if err != nil {
		return err
	}
	if body.GetAccount() != account || len(body.GetMessages()) != 1 || body.GetMessages()[0].GetUnfreezeAccount().GetAccount() != account {
		return fault.Newf(fault.Usage, a.t("%s 不是账户 %s 的解冻请求", "%s does not ask to thaw %s"), path, account)
	}
	word := &identityv1.StepUp{}
	if len(s.StepUp) == 0 {
		return fault.Newf(fault.Missing, a.t("%s 还没有核验机构的签字：mulian owner seen", "%s has no authority's word yet: mulian owner seen"), path)
	}
	if err := protojson.Unmarshal(s.StepUp, word); err != nil {
		return fault.Wrap(fault.Malformed, err, "%s", path)
	}
	raw, err := hex.DecodeString(s.Body)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "%s", path)
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	signer, err := a.signerOf(cmd.Context(), cl, account, keyring.Officer, keyring.Root)
	if err != nil {
		return err
	}
	r, err := a.signDraft(cmd.Context(), cl, &client.Draft{Body: body, Raw: raw, ID: id, StepUp: word}, signer.Key)
	if err != nil {
		return err
	}
	return a.receipt(r)
}

func (a *app) ownerSeen() *cobra.Command {
	var method string
	paper := &casePaper{flag: "evidence"}
	c := &cobra.Command{
		Use:   "seen FILE",
		Short: a.t("见到本人后，为他的这一笔签字（身份核验机构）", "say that the holder was there and means this one transaction (identity authority)"),
		Long: a.t("显示他将要签的内容；核对本人后签字，写回同一文件。只对这一笔有效，只能用一次。",
			"It shows what he will sign. Compare the person, then your word goes into the same file: it is for this transaction alone, and counts once."),
		Example: "  mulian owner seen thaw.json --method counter --as 11110000000021928B/p/officer-a",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			how, err := enumOf[identityv1.ProofingMethod]("method", "PROOFING_METHOD_", method, identityv1.ProofingMethod_value)
			if err != nil {
				return err
			}
			s, body, id, err := readSeen(args[0])
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			signer, err := a.signerOn(cmd.Context(), cl, keyring.Officer, keyring.Root, keyring.Machine)
			if err != nil {
				return err
			}
			for _, line := range sentence.Body(a.language(), body, a.names(cmd.Context(), cl)) {
				fmt.Fprintln(a.err, line) // also with --quiet: nobody vouches for what he was not shown
			}
			sum, err := paper.commit()
			if err != nil {
				return err
			}
			word, err := client.StepUpFor(signer, id, how, sum)
			if err != nil {
				return err
			}
			if s.StepUp, err = protojson.Marshal(word); err != nil {
				return err
			}
			if !a.dryRun {
				if err := writeSeen(args[0], s); err != nil {
					return err
				}
			}
			v := map[string]any{"ok": true, "file": args[0], "account": body.GetAccount(), "tx": hex.EncodeToString(id[:])}
			if paper.salt != nil {
				v["evidence_salt"] = hex.EncodeToString(paper.salt)
			}
			return a.print(v, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", args[0], body.GetAccount()) })
		},
	}
	c.Flags().StringVar(&method, "method", "counter", a.t("怎样核验的：counter face network-id id-card-chip bank licence transfer", "how: counter face network-id id-card-chip bank licence transfer"))
	c.Flags().StringVar(&paper.path, "evidence", "", a.t("存档的核验材料文件（只上链加盐的摘要）", "file of what is kept of it (the ledger gets a salted hash)"))
	return c
}
