package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
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
			return nil, fault.Newf(fault.Unreachable, "no server runs in %s (start one: mulian demo, mulian node), and --server names none", a.home)
		}
		url = strings.TrimSpace(string(raw))
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	return client.New(strings.TrimSuffix(url, "/")), nil
}

// signer returns who signs: --as with its key of the first label that is there.
func (a *app) signer(labels ...string) (client.Signer, error) {
	if a.as == "" {
		return client.Signer{}, fault.Newf(fault.Usage, "who signs? name the account with --as (mulian key list shows those with keys here)")
	}
	account, label, named := strings.Cut(a.as, "#")
	if named {
		labels = []string{label}
	}
	return a.keys().Signer(account, labels...)
}

// act signs the messages as --as and sends them: it shows what is signed, asks,
// sends, and waits for the block. Nothing is sent with --dry-run: the receipt is
// then nil.
func (a *app) act(ctx context.Context, c *client.Client, messages ...proto.Message) (*client.Receipt, error) {
	s, err := a.signer(keyring.Officer, keyring.Root, keyring.Machine)
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
	e, err := client.Sign(chain, s, time.Now(), messages...)
	if err != nil {
		return nil, err
	}
	ask := !a.yes && !a.dryRun && terminal(a.in)
	if !a.json || ask {
		for _, line := range sentence.Body(a.language(), e.Body, a.names(ctx, c)) {
			fmt.Fprintln(a.err, line)
		}
		fmt.Fprintf(a.err, "  tx %s\n", hex.EncodeToString(e.ID[:8]))
	}
	if a.dryRun {
		return nil, nil
	}
	if ask {
		fmt.Fprint(a.err, a.t("签名并提交？[y/N] ", "sign and send? [y/N] "))
		line, _ := bufio.NewReader(a.in).ReadString('\n')
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

// terminal reports whether a person can answer there.
func terminal(in any) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
