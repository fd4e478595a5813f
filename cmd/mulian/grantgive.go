package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/index"
	"mulian/internal/consent"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/rowkey"
	"mulian/internal/sm"
	"mulian/internal/standard"
)

// needObject reads an object of the ledger: NotFound if there is none.
func needObject(ctx context.Context, cl *client.Client, key string, m proto.Message) error {
	ok, err := cl.Get(ctx, key, m)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "%s", key)
	}
	return err
}

// question is a data request as its owner is asked: its text is made here, of the objects
// themselves. A server that shows others is found out by the ledger, which makes the same
// text and refuses the hash of another.
type question struct {
	request      *grantv1.DataRequest
	facts        consent.Facts
	hash         []byte
	confidential bool
	scope        string // opened
}

// text is what the owner is shown: the text that the ledger makes, too, and behind it what the
// ledger has a hash of.
func (q *question) text(a *app, c consent.Choice) string {
	t := consent.Text(a.t(consent.Chinese, consent.English), q.facts, c)
	if q.scope != "" {
		t += a.t("数据范围（原文）：", "row scope (opened): ") + q.scope + "\n"
	}
	return t
}

// textHash is what is signed of it, and the salt that it takes: of a confidential use, whose
// text could be guessed.
func (q *question) textHash(a *app, c consent.Choice) (sum []byte, salt string, err error) {
	t := consent.Text(a.t(consent.Chinese, consent.English), q.facts, c)
	if !q.confidential {
		return consent.TextHash(t), "", nil
	}
	return commit(t)
}

// readQuestion reads a request with what its text is made of. Of a confidential use the entry
// is that of the opening, which has to be the one that was committed to.
func readQuestion(ctx context.Context, cl *client.Client, id string, o *opening) (*question, error) {
	r, u, e, org, p := &grantv1.DataRequest{}, &grantv1.IntendedUse{}, &cataloguev1.Entry{}, &identityv1.Account{}, &governancev1.Parameters{}
	if err := needObject(ctx, cl, "grant/request/"+id, r); err != nil {
		return nil, err
	}
	hash, err := consent.RequestHash(r)
	if err != nil || !bytes.Equal(hash, r.GetHash()) || consent.RequestID(r.GetOrg(), r.GetNonce()) != id {
		return nil, fault.Newf(fault.VerificationFailed, "the server shows another request than %.40s", id)
	}
	if err := needObject(ctx, cl, "grant/register/"+r.GetUse(), u); err != nil {
		return nil, err
	}
	if u.GetEntry() == "" && o.Entry == "" {
		return nil, fault.Newf(fault.Missing, "request %s is confidential: --opening names the file that the data user gave with it", id)
	}
	confidential := u.GetEntry() == ""
	if confidential || o.Request != "" {
		if err := o.check(r, u); err != nil {
			return nil, err
		}
	}
	if confidential {
		u.Entry, u.EntryVersion = o.Entry, o.Version
	}
	for _, x := range []struct {
		key string
		m   proto.Message
	}{{"catalogue/entry/" + u.GetEntry(), e}, {"identity/account/" + u.GetOrg(), org}, {index.Parameters, p}} {
		if err := needObject(ctx, cl, x.key, x.m); err != nil {
			return nil, err
		}
	}
	purpose, _ := standard.Purpose(p, u.GetPurpose())
	name := org.GetProfile().GetName()
	if name == "" {
		name = u.GetOrg()
	}
	return &question{request: r, hash: hash, confidential: confidential, scope: o.Scope, facts: consent.Facts{Request: r, Use: u, Entry: e, Purpose: purpose, OrgName: name, CoolingSecs: standard.GrantCooling(p)}}, nil
}

// provider is the gateway that reads the row.
func (q *question) provider(ctx context.Context, cl *client.Client) (*identityv1.Account, error) {
	return readsTable(ctx, cl, q.facts.Entry)
}

// readsTable is the gateway that reads an entry's table.
func readsTable(ctx context.Context, cl *client.Client, e *cataloguev1.Entry) (*identityv1.Account, error) {
	t, gw := &cataloguev1.Table{}, &identityv1.Account{}
	if err := needObject(ctx, cl, "catalogue/table/"+e.GetTable(), t); err != nil {
		return nil, err
	}
	return gw, needObject(ctx, cl, "identity/account/"+t.GetGateway(), gw)
}

// answer is what an owner says yes with.
type answer struct {
	row, proof, out, until   string
	without                  []string
	uses                     uint32
	match, matchSalt         string
	owner, mandate, replaces string
	opening                  string
}

func (y *answer) flags(a *app, c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&y.row, "row", "", a.t("文件，每行一个“信息项=值”，指明是哪一条记录", "file with a line ITEM=VALUE for each condition that names the row"))
	f.StringVar(&y.proof, "proof", "", a.t("核验机构给的证明文件", "the proof of identity that the authority gave"))
	f.StringVar(&y.out, "row-key", "", a.t("把加密的行标识写到哪里（交给数据使用方），默认为 授权编号.rowkey", "where the sealed row key goes, for the data user; default GRANT.rowkey"))
	f.StringSliceVar(&y.without, "without", nil, a.t("不同意的可选信息项", "optional items that are left out"))
	f.StringVar(&y.until, "until", "", a.t("提前到哪一天截止", "last day, sooner than asked"))
	f.Uint32Var(&y.uses, "uses", 0, a.t("减少使用次数", "fewer uses than asked"))
	f.StringVar(&y.match, "match", "", a.t("数据使用方显示的核对码", "match number that the data user shows"))
	f.StringVar(&y.matchSalt, "match-salt", "", a.t("二维码里的核对盐，十六进制；--opening 里有时可省略", "salt of the match number from the code, in hex; that of --opening, if it is there"))
	f.StringVar(&y.opening, "opening", "", a.t("数据使用方随请求给的文件：打开机密登记、行范围和核对码", "file that the data user gave with the request: it opens a confidential use, row scope and match number"))
	f.StringVar(&y.owner, "for", "", a.t("代哪个账户同意", "account for which the signer acts"))
	f.StringVar(&y.mandate, "mandate", "", a.t("依据哪份委托", "mandate under which he acts"))
	_, _ = c.MarkFlagRequired("row"), c.MarkFlagRequired("proof")
}

// choice is what of the request is agreed to.
func (y *answer) choice(q *question) (consent.Choice, error) {
	c := consent.Choice{MaxUses: y.uses}
	var err error
	if c.NotAfterMs, err = beijingDay(y.until); err != nil {
		return c, err
	}
	if len(y.without) == 0 {
		return c, nil
	}
	left, err := itemset.OfCodes(q.facts.Entry, y.without...)
	if err != nil {
		return c, fault.Newf(fault.Usage, "--without: %v", err)
	}
	if !itemset.Within(left, q.request.GetOptionalItems()) {
		return c, fault.Newf(fault.Usage, "--without %s: not optional", strings.Join(y.without, ","))
	}
	c.Items = itemset.Minus(q.request.GetItems(), left)
	return c, nil
}

// key makes the key of the row that the files name.
func (y *answer) key() (*gatewayv1.RowKey, error) {
	raw, err := os.ReadFile(y.row)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "--row")
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	where, err := pairs("--row", lines)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(where, func(x, y *gatewayv1.KeyValue) int { return strings.Compare(x.GetItem(), y.GetItem()) })
	p, err := readIdentityProof(y.proof)
	if err != nil {
		return nil, err
	}
	salt, err := hex.DecodeString(p.Salt)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "--proof")
	}
	return rowkey.New(where, p.Number, salt)
}

// sealed closes the row key for the gateway that reads the row.
func sealed(gw *identityv1.Account, grant, owner string, k *gatewayv1.RowKey) ([]byte, error) {
	pub := gw.GetGateway().GetSealingKey()
	to, err := sm.ParsePublic(sm.Algorithm(pub.GetAlgorithm()), pub.GetPublicKey())
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the sealing key of %s", gw.GetId())
	}
	return rowkey.Seal(to, rowkey.Context{Grant: grant, Provider: gw.GetId(), Subject: owner}, k)
}

// agree shows the text and gives the grant: a grant that is revoked for it goes before.
func (a *app) agree(cmd *cobra.Command, id string, y *answer, before ...proto.Message) error {
	ctx := cmd.Context()
	cl, err := a.client()
	if err != nil {
		return err
	}
	o, err := readOpening(y.opening)
	if err != nil {
		return err
	}
	if y.matchSalt == "" {
		y.matchSalt = o.MatchSalt
	}
	q, err := readQuestion(ctx, cl, id, o)
	if err != nil {
		return err
	}
	if err := a.match(cmd, cl, q.request, y); err != nil {
		return err
	}
	c, err := y.choice(q)
	if err != nil {
		return err
	}
	language, owner := a.t(consent.Chinese, consent.English), y.owner
	if owner == "" {
		owner, _, _ = strings.Cut(a.as, "#")
	}
	k, err := y.key()
	if err != nil {
		return err
	}
	gw, err := q.provider(ctx, cl)
	if err != nil {
		return err
	}
	grant := consent.GrantID(id, owner)
	raw, err := sealed(gw, grant, owner, k)
	if err != nil {
		return err
	}
	text, salt, err := q.textHash(a, c)
	if err != nil {
		return err
	}
	m := &grantv1.GiveGrant{
		Request: id, RequestHash: q.hash, UiTextHash: text, Language: language, RowKeyCommitment: rowkey.Commitment(k),
		Items: c.Items, NotAfterMs: c.NotAfterMs, MaxUses: c.MaxUses, Owner: y.owner, Mandate: y.mandate, Replaces: y.replaces, MatchNumber: y.match,
	}
	if m.MatchSalt, err = hex.DecodeString(y.matchSalt); err != nil {
		return fault.Wrap(fault.Usage, err, "--match-salt")
	}
	fmt.Fprint(a.err, q.text(a, c)) // also with --quiet: nobody agrees to what he was not shown
	if y.out == "" {
		y.out = grant + ".rowkey"
	}
	return a.give(ctx, cl, q, y.out, salt, raw, append(before, m)...)
}

// give writes the sealed row key first: a grant whose key is lost is of no use to anybody.
func (a *app) give(ctx context.Context, cl *client.Client, q *question, out, textSalt string, key []byte, messages ...proto.Message) error {
	labels := []string{keyring.Officer, keyring.Root}
	if q.facts.Use.GetSensitive() || q.facts.Use.GetKind() == grantv1.GrantKind_GRANT_KIND_STANDING {
		labels = []string{keyring.Root}
	}
	s, err := a.signerOn(ctx, cl, labels...)
	if err != nil {
		return err
	}
	if !a.dryRun {
		if err := durable.CreateFile(out, key, 0o600); err != nil {
			return fmt.Errorf("nothing was given: %w", err)
		}
	}
	r, err := a.actAs(ctx, cl, s, messages...)
	if err != nil && fault.CodeOf(err) != fault.Unreachable && !a.dryRun {
		_ = os.Remove(out) // of a grant that there is not
	}
	if err != nil || r == nil {
		return err
	}
	id := r.IDs[len(r.IDs)-1]
	v := map[string]any{"ok": true, "height": r.Height, "grant": id, "row_key": out}
	if textSalt != "" {
		v["text_salt"] = textSalt
	}
	return a.print(v, func(w io.Writer) {
		if textSalt != "" {
			fmt.Fprintf(w, a.t("全文摘要的盐，自己保存：%s\n", "salt of the text's hash, keep it: %s\n"), textSalt)
		}
		fmt.Fprintf(w, a.t("%s\n  把 %s 交给数据使用方；其中内容只有数源网关能打开\n", "%s\n  give %s to the data user; only the provider's gateway can open it\n"), id, out)
	})
}

func (a *app) grantGive() *cobra.Command {
	y := &answer{}
	c := &cobra.Command{
		Use:   "give REQUEST",
		Short: a.t("看过全文后同意（数据主体）", "agree after reading the whole text (owner)"),
		Long: a.t("全文由本机按账本上的登记和请求写出并显示，签名的是它的摘要；账本按同样的内容核对。行标识只有数源网关能打开，账本上只有加盐的摘要。",
			"The text is made on this machine, of the registration and the request on the ledger, and its hash is signed; the ledger makes the\nsame text and compares. The row key opens at the provider's gateway alone; the ledger has a salted hash of it."),
		Example: "  mulian grant give 0123456789abcdef0123456789abcdef --row row.txt --proof proof.json --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.agree(cmd, args[0], y) },
	}
	y.flags(a, c)
	return c
}

func (a *app) grantAmend() *cobra.Command {
	y, cause := &answer{}, ""
	c := &cobra.Command{
		Use:     "amend GRANT REQUEST",
		Short:   a.t("变更授权：撤回原授权并同意新请求，一笔完成（数据主体）", "change a grant: the old one is revoked and the new one given in one transaction (owner)"),
		Example: "  mulian grant amend 0123456789abcdef0123456789abcdef 89abcdef0123456789abcdef01234567 --row row.txt --proof proof.json --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			y.replaces = args[0]
			return a.agree(cmd, args[1], y, &grantv1.RevokeGrant{Grant: args[0], Cause: cause, Mandate: y.mandate})
		},
	}
	y.flags(a, c)
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "cause"))
	return c
}
