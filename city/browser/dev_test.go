package browser

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
)

func init() { story("dev", develop) }

// develop: a developer finds a call, copies it in four languages, each of which answers as it
// stands, reads what a code means, and makes a key for a program.
func develop(p *page) {
	p.enter("developer")
	p.see("由本节点随附的 OpenAPI 文档生成")
	p.write("#q", "ListRequests")
	p.see("ShareService/ListRequests")
	p.press(`[data-testid="send"]`)
	p.see(`"requests"`)
	p.look("dev-api")
	p.clipboard()
	last := ""
	for _, l := range []struct{ tab, file string }{{"curl", "call.sh"}, {"Go", "call.go"}, {"Java", "Call.java"}, {"Python", "call.py"}} {
		p.press("=" + l.tab)
		p.press(`.ant-tabs [data-testid="copy"]`)
		text := p.copied()
		if text == last {
			p.t.Fatalf("%s: the same was copied as before", l.tab)
		}
		p.works(l.file, text)
		last = text
	}
	p.open("/dev/api?call=%2Fmulian.catalogue.v1.CatalogueService%2FGetEntry")
	p.see(`"id":"`)
	p.press(`[data-testid="send"]`)
	p.see(`"entry": {`)
	res, err := http.Post(p.city.URL()+"/mulian.share.v1.ShareService/GetRequest", "application/json", strings.NewReader(`{"id":"no-such"}`))
	if err != nil || res.Body.Close() != nil || res.StatusCode == http.StatusOK {
		p.t.Fatalf("a request that is not there: %v, %v", res, err)
	}
	p.open("/dev/codes?q=EntryDrifted")
	p.see("MUL-")
	p.look("dev-codes")
	p.open("/dev/calls")
	p.see(res.Header.Get("Mulian-Code") + " × ")
	p.look("dev-calls")
	machineKey(p)
	p.open("/dev/sandbox")
	p.see("打开市民的保险箱")
	p.look("dev-sandbox")
}

// works runs a snippet as somebody who has pasted it, where its language is on this machine.
func (p *page) works(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	run := map[string][]string{"call.sh": {"sh", file}, "call.go": {"go", "run", file}, "Call.java": {"java", file}, "call.py": {"python3", file}}[name]
	tool := run[0]
	if tool == "sh" {
		tool = "curl"
	}
	if _, err := exec.LookPath(tool); err != nil {
		p.t.Logf("SKIP the snippet %s: no %s here", name, tool)
		return
	}
	ctx, stop := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, run[0], run[1:]...)
	c.Dir = p.t.TempDir() // not in a module
	out, err := c.Output()
	var answer struct {
		Requests []any
		Total    string
	}
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	if err != nil || len(answer.Requests) == 0 {
		p.t.Errorf("%s: %v, %d requests of %q\n%s\n%.300s", name, err, len(answer.Requests), answer.Total, text, out)
	}
}

// machineKey: a key is made, shown once, stands on the ledger as a machine's, and is revoked.
func machineKey(p *page) {
	p.open("/dev/keys")
	p.see("经办人")
	p.press(`[data-testid="make"]`)
	p.write("#k-label", "业务系统")
	p.still(`[data-testid="make-go"]`)
	p.axe("make a key")
	p.press(`[data-testid="make-go"]`)
	p.see("只显示这一次")
	p.axe("a key shown once")
	p.clipboard()
	p.press(`.ant-modal [data-testid="copy"]`)
	p.see("已复制")
	key, err := sm.ParsePrivate([]byte(p.copied()))
	if err != nil {
		p.t.Fatal(err)
	}
	org := content.Find("交通委").Code
	if k := keyOf(p.t, p.city.URL(), org, key.Public().ID()); k.GetLevel() != identityv1.KeyLevel_KEY_LEVEL_MACHINE || k.GetState() != identityv1.KeyState_KEY_STATE_ACTIVE || k.GetEndsMs() == 0 {
		p.t.Errorf("on the ledger it is %v", k)
	}
	p.press(".ant-modal-footer .ant-btn-primary")
	p.see("业务系统")
	p.look("dev-keys")
	p.press("tbody tr") // the newest
	p.see(key.Public().ID())
	p.axe("one key")
	p.press(`[data-testid="revoke"]`)
	p.see("密钥已吊销")
	if k := keyOf(p.t, p.city.URL(), org, key.Public().ID()); k.GetState() != identityv1.KeyState_KEY_STATE_REVOKED {
		p.t.Errorf("on the ledger it is %v after it was revoked", k)
	}
}

// keyOf finds a key of any post of an organisation.
func keyOf(t testing.TB, url, org, id string) (found *identityv1.Key) {
	t.Helper()
	err := client.New(url).List(t.Context(), "identity/account/"+org+"/p/", func(_ string, value []byte) bool {
		a := &identityv1.Account{}
		if err := proto.Unmarshal(value, a); err != nil {
			t.Error(err)
			return false
		}
		for _, k := range a.GetKeys() {
			if strings.EqualFold(k.GetId(), id) {
				found = k
			}
		}
		return found == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
