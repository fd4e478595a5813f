package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/mandate"
)

// path returns a path inside the home.
func (a *app) path(parts ...string) string {
	return filepath.Join(append([]string{a.home}, parts...)...)
}

// keys is the home's folder of keys.
func (a *app) keys() keyring.Ring { return keyring.Ring{Dir: a.path("keys")} }

// urlFile is where a running server of this home leaves its address.
const urlFile = "server.url"

// client speaks to --server, else to the server that runs in this home.
func (a *app) client() (*client.Client, error) {
	url := a.server
	if url == "" {
		raw, err := os.ReadFile(a.path(urlFile))
		if err != nil {
			return nil, fault.Newf(fault.Unreachable, a.t("%s 里没有运行中的服务器（mulian demo 或 mulian node 启动一个），也没有用 --server 指明", "no server runs in %s (start one: mulian demo, mulian node), and --server names none"), a.home)
		}
		url = strings.TrimSpace(string(raw))
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	c := client.New(strings.TrimSuffix(url, "/"))
	c.ReadBy(func(ctx context.Context) (client.Signer, error) { return a.readsAs(ctx, c) })
	return c, nil
}

// readsAs is who asks where a server answers to parties only, as about grants: --as, else the
// only account that has keys here; nobody if there are several.
func (a *app) readsAs(ctx context.Context, c *client.Client) (client.Signer, error) {
	account, _, _ := strings.Cut(a.as, "#")
	if account == "" {
		entries, err := a.keys().List()
		if err != nil {
			return client.Signer{}, err
		}
		for _, e := range entries {
			if account != "" && account != e.Account {
				return client.Signer{}, nil
			}
			account = e.Account
		}
		if account == "" {
			return client.Signer{}, nil
		}
	}
	if _, label, named := strings.Cut(a.as, "#"); named {
		return a.keys().Signer(account, label)
	}
	return a.signerOf(ctx, c, account, keyring.Officer, keyring.Machine, keyring.Root)
}

// signer returns who signs without asking the ledger: --as "ACCOUNT" with the first
// of the labels that has a key here, or --as "ACCOUNT#LABEL" with exactly that one.
func (a *app) signer(labels ...string) (client.Signer, error) {
	account, label, named := strings.Cut(a.as, "#")
	if account == "" {
		return client.Signer{}, fault.Newf(fault.Usage, "%s", a.t("谁来签名？用 --as 指明账户（mulian key list 列出本机有密钥的账户）",
			"who signs? name the account with --as (mulian key list shows those with keys here)"))
	}
	if named {
		labels = []string{label}
	}
	return a.keys().Signer(account, labels...)
}

// signerOn is signer with a key that the ledger takes now.
func (a *app) signerOn(ctx context.Context, c *client.Client, labels ...string) (client.Signer, error) {
	account, _, named := strings.Cut(a.as, "#")
	if a.through != nil && account == a.through.account {
		return client.Signer{Account: account}, nil // its key is in custody
	}
	if named || account == "" {
		return a.signer(labels...)
	}
	return a.signerOf(ctx, c, account, labels...)
}

// signerOf finds a key for an account. A key that was rotated or revoked stays in
// the folder and is passed over; keys of other labels that the ledger knows come
// last. An account that the ledger does not know gets the first key there is: the
// ledger refuses it in its own words.
func (a *app) signerOf(ctx context.Context, c *client.Client, account string, labels ...string) (client.Signer, error) {
	entries, err := a.keys().List()
	if err != nil {
		return client.Signer{}, err
	}
	for _, e := range entries {
		if e.Account == account && !slices.Contains(labels, e.Label) {
			labels = append(labels, e.Label)
		}
	}
	var acc identityv1.Account
	known, err := c.Get(ctx, "identity/account/"+account, &acc)
	if err != nil {
		return client.Signer{}, err
	}
	var first *client.Signer
	for _, l := range labels {
		key, err := a.keys().Key(account, l)
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return client.Signer{}, err
		}
		s := client.Signer{Account: account, Key: key}
		if first == nil {
			first = &s
		}
		if known && active(&acc, key.Public().ID()) {
			return s, nil
		}
	}
	if first == nil {
		return client.Signer{}, fault.Newf(fault.NotFound, a.t("%[2]s 里没有 %[1]s 的密钥", "no key of %s in %s"), account, a.keys().Dir)
	}
	return *first, nil
}

// active reports whether the account can sign with the key.
func active(acc *identityv1.Account, id string) bool {
	for _, k := range acc.GetKeys() {
		if k.GetId() == id {
			return k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE && !k.GetSuspended() && k.GetLostMs() == 0 && k.GetLevel() != identityv1.KeyLevel_KEY_LEVEL_UNSPECIFIED
		}
	}
	return false
}

// act signs the messages as --as and sends them: it shows what is signed, asks if
// a person is there, sends, and waits for the block. Nothing is sent with
// --dry-run: the receipt is then nil. The key is that of an officer, if there is one.
func (a *app) act(ctx context.Context, c *client.Client, messages ...proto.Message) (*client.Receipt, error) {
	s, err := a.signerOn(ctx, c, keyring.Officer, keyring.Root, keyring.Machine)
	if err != nil {
		return nil, err
	}
	return a.actAs(ctx, c, s, messages...)
}

// actAsRoot is act with the root key: keys and units are changed with it.
func (a *app) actAsRoot(ctx context.Context, c *client.Client, messages ...proto.Message) (*client.Receipt, error) {
	s, err := a.signerOn(ctx, c, keyring.Root, keyring.Officer)
	if err != nil {
		return nil, err
	}
	return a.actAs(ctx, c, s, messages...)
}

// actAs is act with a given signer.
func (a *app) actAs(ctx context.Context, c *client.Client, s client.Signer, messages ...proto.Message) (*client.Receipt, error) {
	chain, err := c.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	if a.through != nil && s.Account == a.through.account {
		return nil, a.through.record(ctx, a, c, chain, messages...)
	}
	d, err := client.Prepare(chain, s.Account, time.Now(), messages...)
	if err != nil {
		return nil, err
	}
	return a.signDraft(ctx, c, d, s.Key)
}

// signDraft is act with a transaction that is prepared already.
func (a *app) signDraft(ctx context.Context, c *client.Client, d *client.Draft, key sm.PrivateKey) (*client.Receipt, error) {
	e, err := d.Sign(key)
	if err != nil {
		return nil, err
	}
	sheet := sentence.BodyNow(a.language(), e.Body, a.names(ctx, c), proposedFor(ctx, c, e.Body))
	if !a.quiet {
		for _, line := range sheet {
			fmt.Fprintln(a.err, line)
		}
		fmt.Fprintf(a.err, "  tx %s\n", hex.EncodeToString(e.ID[:8]))
	}
	if a.dryRun {
		return nil, a.unsent(e.Body, sheet)
	}
	if !a.yes && terminal(a.in) {
		fmt.Fprint(a.err, a.t("签名并提交？[y/N] ", "sign and send? [y/N] "))
		line, _ := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n')
		if l := strings.ToLower(strings.TrimSpace(line)); l != "y" && l != "yes" && l != "是" {
			return nil, fault.Newf(fault.Cancelled, "%s", a.t("没有签名，什么也没有改变", "not signed; nothing was changed"))
		}
	}
	r, err := c.Submit(ctx, e)
	if err != nil {
		return nil, err
	}
	a.say("%s", fmt.Sprintf(a.t("已上链，高度 %d", "on the chain at height %d"), r.Height))
	return r, nil
}

// unsent is the answer of a dry run: what would have been signed, with --json.
// Nothing is on stdout without it: the sentences are on stderr already.
func (a *app) unsent(body *txv1.Body, sheet []string) error {
	if !a.json {
		a.say("%s", a.t("没有签名，也没有提交（--dry-run）", "neither signed nor sent (--dry-run)"))
		return nil
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(body)
	if err != nil {
		return fmt.Errorf("print the transaction: %w", err)
	}
	return a.print(map[string]any{"ok": true, "dry_run": true, "signs": sheet, "body": json.RawMessage(raw), "digests": digests(body)}, nil)
}

// digests are what operators of a firm agree to, of each message.
func digests(body *txv1.Body) (out []string) {
	for _, m := range body.GetMessages() {
		r := m.ProtoReflect()
		if f := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind")); f != nil {
			out = append(out, hex.EncodeToString(mandate.Digest(r.Get(f).Message().Interface())))
		}
	}
	return out
}

// names shows organisations by their name; what cannot be read is shown as it is.
func (a *app) names(ctx context.Context, c *client.Client) sentence.Names {
	known := map[string]string{}
	return func(id string) string {
		if n, ok := known[id]; ok {
			return n
		}
		var acc identityv1.Account
		if ok, err := c.Get(ctx, "identity/account/"+id, &acc); err == nil && ok {
			known[id] = acc.GetProfile().GetName() + acc.GetName()
		}
		return known[id]
	}
}

// terminal reports whether a person can answer there. /dev/null is no terminal.
func terminal(in any) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
