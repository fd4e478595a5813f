package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/issue"
	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

func (a *app) credentialCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "credential",
		Aliases: []string{"凭证"},
		Short:   a.t("凭证：类型、签发、状态、核验", "credentials: types, issue, status, verify"),
		Long: a.t(`部门把自己库里的一行签成凭证（SD-JWT VC，对外 ES256，对内 SM2 孪生），账本上只有承诺值和两位状态。
来源行一变，网关即报告，凭证在同一区块暂停。`,
			`A department signs a row of its database as a credential (SD-JWT VC: ES256 outward, an SM2 twin inward); the ledger has a
commitment and two bits of status. As soon as the row is another one the gateway says so, and the credential is suspended in that block.`),
		Example: `  mulian credential issuer --url https://estate.gov.example --status-url https://gw.estate.gov.example/st --as 11110000000021928B
  mulian credential issue 11110000000021928B:permit --row P000007 --holder holder.jwk --out permit.json
  mulian credential verify permit.sd-jwt`,
	}
	c.AddCommand(a.credentialType(), a.credentialIssuer(), a.credentialIssue(), a.credentialSweep(), a.credentialList(), a.credentialStatus(),
		a.credentialSet("suspend", "暂停凭证", "suspend a credential", credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED),
		a.credentialSet("resume", "恢复凭证", "resume a credential", credentialv1.CredentialState_CREDENTIAL_STATE_VALID),
		a.credentialSet("revoke", "吊销凭证，不可恢复", "revoke a credential, for ever", credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED),
		a.credentialVerify(), a.credentialShow(), a.credentialHolder(), a.credentialCopy(), a.credentialVerifyCopy(), a.credentialEndCopy(),
		a.credentialShowCode(), a.credentialScan())
	return c
}

// maxTypeFile bounds the files of a type and its schema.
const maxTypeFile = 1 << 20

// readAtMost is readBounded that refuses what is longer.
func readAtMost(path string, limit int64) ([]byte, error) {
	raw, err := readBounded(path, limit+1)
	if err == nil && int64(len(raw)) > limit {
		return nil, fault.Newf(fault.TooLong, "%s has more than %d bytes", path, limit)
	}
	return raw, err
}

func (a *app) credentialType() *cobra.Command {
	var schema string
	var retire bool
	put := &cobra.Command{
		Use:   "put FILE",
		Short: a.t("设立凭证类型的下一版（JSON 文件）", "file the next version of a credential type (a JSON file)"),
		Long: a.t("文件是 CredentialType 的 JSON：id version name vct fields issuers maxDays entry licenceCode；--schema 是其 JSON schema 文件，账本存其哈希。",
			"The file is a CredentialType as JSON: id version name vct fields issuers maxDays entry licenceCode. --schema is its JSON schema, whose hash the ledger keeps."),
		Example: "  mulian credential type put permit.json --schema permit.schema.json --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readAtMost(args[0], maxTypeFile)
			if err != nil {
				return err
			}
			t := &credentialv1.CredentialType{}
			if err := protojson.Unmarshal(raw, t); err != nil {
				return fault.Wrap(fault.Malformed, err, "%s", args[0])
			}
			text, err := readAtMost(schema, maxTypeFile)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(text)
			t.SchemaHash = sum[:]
			return a.simple(cmd, &credentialv1.PutCredentialType{Type: t, Retire: retire})
		},
	}
	put.Flags().StringVar(&schema, "schema", "", a.t("JSON schema 文件", "file of the JSON schema"))
	put.Flags().BoolVar(&retire, "retire", false, a.t("同时停用上一版", "retire the version before"))
	_ = put.MarkFlagRequired("schema")
	show := &cobra.Command{
		Use: "show ID", Short: a.t("显示凭证类型的最新版", "show the newest version of a type"), Args: exactly(1),
		Example: "  mulian credential type show 11110000000021928B:permit",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			t, err := newestType(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			return a.printProto(t)
		},
	}
	c := &cobra.Command{
		Use: "type", Short: a.t("凭证类型", "credential types"),
		Example: "  mulian credential type show 11110000000021928B:permit",
	}
	c.AddCommand(put, show)
	return c
}

func newestType(ctx context.Context, cl *client.Client, id string) (*credentialv1.CredentialType, error) {
	res, err := cl.Credential.GetCredentialType(ctx, rpc.NewRequest(&credentialv1.GetCredentialTypeRequest{Id: id}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg.GetType(), nil
}

func (a *app) credentialIssuer() *cobra.Command {
	var url, status, gw string
	c := &cobra.Command{
		Use:     "issuer",
		Short:   a.t("让网关成为签发机构：生成 P-256 签发密钥并登记", "make a gateway an issuer: make its P-256 key and file both"),
		Long:    a.t("签发密钥是网关账户的 MACHINE 级密钥，随账户轮换和吊销；加密钥需要机构的根密钥。", "The key is one of the gateway's account, of level MACHINE: it is rotated and revoked there. Adding it takes the organisation's root key."),
		Example: "  mulian credential issuer --url https://estate.gov.example --status-url https://gw.estate.gov.example/st --as 11110000000021928B",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := a.oneGateway([]string{gw})
			if err != nil {
				return err
			}
			cfg, err := readGateway(filepath.Join(a.gatewayHome(account), gatewayFile))
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			key, err := issueKey(cfg)
			if err != nil {
				return err
			}
			org, _, _ := strings.Cut(account, "/")
			messages := []proto.Message{&credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{Org: org, Url: url, StatusUrl: status, Accounts: []string{account}}}}
			acc := &identityv1.Account{}
			if _, err := cl.Get(cmd.Context(), "identity/account/"+account, acc); err != nil {
				return err
			}
			if !active(acc, key.Public().ID()) {
				messages = append([]proto.Message{&identityv1.AddKey{Account: account, Key: &identityv1.Key{
					Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, PublicKey: key.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE, Label: keyring.Issue,
				}}}, messages...)
			}
			r, err := a.actAsRoot(cmd.Context(), cl, messages...)
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "gateway": account, "key": key.Public().ID(), "height": r.Height}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ %s 可以签发（密钥 %s）；网关若在运行，请重启它以提供状态表\n", "✓ %s can issue (key %s); restart the gateway if it runs, so that it serves the status lists\n"), account, key.Public().ID())
			})
		},
	}
	c.Flags().StringVar(&url, "url", "", a.t("签发机构的网址（iss）", "URL of the issuer (iss)"))
	c.Flags().StringVar(&status, "status-url", "", a.t("状态表的网址", "URL of the status lists"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	_ = c.MarkFlagRequired("url")
	_ = c.MarkFlagRequired("status-url")
	return c
}

// issueKey returns the gateway's key for credentials, and makes it at the first time.
func issueKey(cfg *gateway.Config) (sm.PrivateKey, error) {
	ring := keyring.Ring{Dir: cfg.KeysDir()}
	key, err := ring.Key(cfg.Account, keyring.Issue)
	if fault.Is(err, fault.NotFound) {
		return ring.New(cfg.Account, keyring.Issue, sm.P256)
	}
	return key, err
}

// office opens what issues at a gateway of this machine. The caller closes it.
func (a *app) office(cl *client.Client, gw string) (o *issue.Office, closeAll func(), err error) {
	account, err := a.oneGateway([]string{gw})
	if err != nil {
		return nil, nil, err
	}
	cfg, err := readGateway(filepath.Join(a.gatewayHome(account), gatewayFile))
	if err != nil {
		return nil, nil, err
	}
	if o, err = gateway.OpenOffice(cfg); err != nil {
		return nil, nil, err
	}
	signer, err := keyring.Ring{Dir: cfg.KeysDir()}.Signer(account, keyring.Machine)
	if err != nil {
		return nil, nil, err
	}
	signer.Key = o.Inward.(sm.PrivateKey) // the newest machine key
	o.Get = cl.Get
	o.Send = func(ctx context.Context, messages ...proto.Message) error {
		_, err := a.actAs(ctx, cl, signer, messages...)
		return err
	}
	o.Source, closeAll = sources(cfg)
	return o, closeAll, nil
}

func (a *app) credentialIssue() *cobra.Command {
	var gw, holder, out, into, proof string
	var r issue.Order
	var days int
	c := &cobra.Command{
		Use:   "issue TYPE",
		Short: a.t("按库里的一行签发一份凭证", "issue a credential of a row"),
		Long: a.t(`读出该行，签成两份孪生凭证，锚定后写入 --out（0600）：内有 ES256 与 SM2 两份文本和打开承诺值的盐。--holder 是持有人公钥的 JWK 文件。
--proof 是持有人的身份证明文件（mulian owner identify）：来源行的主体必须是他，否则不签发。`,
			`Reads the row, signs both twins, anchors them and writes them to --out (0600), with the salt that opens the commitment. --holder is a
file with the holder's public key as JWK. --proof is the holder's proof of identity (mulian owner identify): the row has to be his.`),
		Example: "  mulian credential issue 11110000000021928B:permit --row P000007 --holder holder.jwk --out permit.json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if a.dryRun {
				return fault.Newf(fault.Usage, "%s", a.t("签发没有试运行：索引是随机的", "issuing has no dry run: the index is drawn at random"))
			}
			o, closeAll, err := a.office(cl, gw)
			if err != nil {
				return err
			}
			defer closeAll()
			t, err := newestType(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			r.Type, r.Version, r.Validity = args[0], t.GetVersion(), time.Duration(days)*24*time.Hour
			if holder != "" {
				if r.Holder, err = readJWK(holder); err != nil {
					return err
				}
			}
			if proof != "" {
				if r.Owner, err = readOwner(proof); err != nil {
					return err
				}
			}
			if into != "" {
				return a.issueInto(cmd, cl, o, gw, into, t.GetName(), r)
			}
			made, err := o.Issue(cmd.Context(), r)
			if err != nil {
				return err
			}
			raw, err := sdjwtFile(made)
			if err != nil {
				return err
			}
			if err := durable.ReplaceFile(out, raw, 0o600); err != nil {
				return fmt.Errorf("the credential %s is anchored, but could not be written: %w", made.ID, err)
			}
			v := map[string]any{"ok": true, "id": made.ID, "list": made.List, "index": made.Index, "licence": made.Licence, "file": out, "bytes": len(made.Outward)}
			return a.print(v, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", made.ID, out) })
		},
	}
	f := c.Flags()
	f.StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	f.StringVar(&r.RowKey, "row", "", a.t("行的主键值", "value of the row's primary key"))
	f.StringVar(&holder, "holder", "", a.t("持有人公钥（JWK 文件）", "the holder's public key (a JWK file)"))
	f.StringVar(&proof, "proof", "", a.t("持有人的身份证明文件", "the holder's proof of identity"))
	f.StringVar(&r.Serial, "serial", "", a.t("证照流水号", "serial number of the licence"))
	f.StringVar(&r.Supersedes, "supersedes", "", a.t("换发：取代哪一份", "the credential whose place it takes"))
	f.StringToStringVar(&r.Own, "set", nil, a.t("不来自目录的字段：名=值", "fields that come from no item: name=value"))
	f.IntVar(&days, "days", 0, a.t("有效天数；0 为类型允许的最长", "days of validity; 0: as long as the type allows"))
	f.StringVar(&into, "into", "", a.t("直接存进该账户的保险箱（不写文件），与签发同一笔交易", "put it into the safe box of this account, in the transaction that issues it, instead of writing a file"))
	f.StringVar(&out, "out", "credential.json", a.t("写入的文件", "file to write"))
	return c
}

// issueInto issues a credential and brings it into its owner's box: both are on the ledger,
// or neither.
func (a *app) issueInto(cmd *cobra.Command, cl *client.Client, o *issue.Office, gw, owner, title string, r issue.Order) error {
	laid, end, err := a.push(cmd.Context(), cl, gw, owner, title, &r)
	if err != nil {
		return err
	}
	made, err := o.Issue(cmd.Context(), r)
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	item := laid().Item
	v := map[string]any{"ok": true, "id": made.ID, "list": made.List, "index": made.Index, "licence": made.Licence, "owner": owner, "item": item}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("%s  已存入 %s 的保险箱：%s\n", "%s  in the box of %s: %s\n"), made.ID, owner, item)
	})
}

// readOwner reads whose row it has to be.
func readOwner(path string) (*issue.Owner, error) {
	p, err := readIdentityProof(path)
	if err != nil {
		return nil, err
	}
	salt, err := hex.DecodeString(p.Salt)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "--proof")
	}
	return &issue.Owner{Account: p.Account, Salt: salt}, nil
}

// readJWK reads a public key from a JWK file.
func readJWK(path string) (sm.PublicKey, error) {
	raw, err := readAtMost(path, 4<<10)
	if err != nil {
		return sm.PublicKey{}, err
	}
	o, err := sdjwt.ParseObject(raw)
	if err != nil {
		return sm.PublicKey{}, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	key, err := sdjwt.ParseJWK(o)
	return key, fault.Wrap(fault.Malformed, err, "%s", path)
}

func (a *app) credentialSweep() *cobra.Command {
	var gw string
	c := &cobra.Command{
		Use:     "sweep",
		Short:   a.t("核对已签发凭证的来源行，变了的即报告（网关运行时自动做）", "look at the rows that credentials rest on, and report those that changed (a running gateway does it by itself)"),
		Example: "  mulian credential sweep",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			o, closeAll, err := a.office(cl, gw)
			if err != nil {
				return err
			}
			defer closeAll()
			looked, reported, err := o.Sweep(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "looked": looked, "reported": append([]string{}, reported...)}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("核对 %d 行，%d 份凭证已暂停\n", "%d rows looked at, %d credentials suspended\n"), looked, len(reported))
			})
		},
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}
