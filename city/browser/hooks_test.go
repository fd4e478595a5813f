package browser

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/city/content"
	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/server/hooks"
)

func init() { story("hooks", pushed) }

// post is what a receiver has had.
type post struct {
	head    http.Header
	body    []byte
	payload hooks.Payload
}

// receiver is a developer's program: it takes posts, or answers 500 while it is down.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	posts []post
	down  bool
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		p := post{head: q.Header}
		p.body, _ = io.ReadAll(q.Body)
		if err := json.Unmarshal(p.body, &p.payload); err != nil {
			t.Errorf("the receiver cannot read %q: %v", p.body, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.posts = append(r.posts, p)
		if r.down {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// of waits for n posts of a type.
func (r *receiver) of(t testing.TB, kind string, n int) (out []post) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r.mu.Lock()
		out = slices.DeleteFunc(slices.Clone(r.posts), func(p post) bool { return p.payload.Type != kind })
		r.mu.Unlock()
		if len(out) >= n {
			return out
		}
		if time.Now().After(end) {
			t.Fatalf("%d posts of %s, want %d", len(out), kind, n)
		}
	}
}

func (r *receiver) fall(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// pushed: a developer makes a hook, gets what really happened, posts it again, and verifies it
// with the code that the page gives.
func pushed(p *page) {
	r := newReceiver(p.t)
	p.ExpectErrors() // browsers note the refusal of an address
	p.enter("developer")
	p.open("/dev/hooks")
	p.see("还没有推送")
	p.axe("no hook")
	p.press(`[data-testid="add"]`)
	p.write("#h-url", "http://10.9.9.9/in")
	p.see("填 https://")
	p.write("#h-url", "https://10.9.9.9/in")
	p.press(`[data-testid="create"]`)
	p.see("hooks.allow 里加上它")
	p.axe("a hook that is not allowed")
	p.write("#h-url", r.URL+"/in")
	p.write("#h-label", "收件系统")
	p.press(`[data-testid="create"]`)
	p.see("密钥只显示这一次")
	p.axe("a secret shown once")
	p.clipboard()
	p.press(`.ant-modal [data-testid="copy"]`)
	p.see("已复制")
	secret := p.copied()
	p.press(`[data-testid="kept"]`)

	p.press(`[data-testid="test"]`)
	p.see("收下：HTTP 200")
	signed(p.t, secret, r.of(p.t, hooks.TestType, 1)[0])

	// A real act of the organisation, and what comes of it.
	p.open("/dev/keys")
	p.press(`[data-testid="make"]`)
	p.write("#k-label", "收件系统的密钥")
	p.press(`[data-testid="make-go"]`)
	p.see("只显示这一次")
	first := r.of(p.t, "identity.add_key", 1)[0]
	signed(p.t, secret, first)
	org := content.Find("交通委").Code
	if d := first.payload.Data; d.Organisation != org || !strings.HasPrefix(d.Object, "identity/account/"+org) || d.Height == 0 || len(d.Tx) != 64 || d.Index == nil {
		p.t.Errorf("it says %s", first.body)
	}
	tx, err := hex.DecodeString(first.payload.Data.Tx)
	p.ok(err)
	res, err := client.New(p.city.URL()).Ledger.GetTx(p.t.Context(), connect.NewRequest(&ledgerv1.GetTxRequest{TxId: tx}))
	p.ok(err)
	if d := first.payload.Data; res.Msg.GetHeight() != d.Height || res.Msg.GetIndex() != *d.Index {
		p.t.Errorf("it says height %d, index %d; the ledger %d, %d", d.Height, *d.Index, res.Msg.GetHeight(), res.Msg.GetIndex())
	}

	p.open("/dev/hooks")
	p.see("identity.add_key")
	p.press(`[data-testid="again"]`)
	twice := r.of(p.t, "identity.add_key", 2)
	if a, b := twice[0], twice[1]; a.head.Get("webhook-id") != b.head.Get("webhook-id") || string(a.body) != string(b.body) {
		p.t.Errorf("posted again it is %v %s, was %v %s", b.head, b.body, a.head, a.body)
	}
	signed(p.t, secret, twice[1])
	p.press(`section[aria-label="收件系统"] tbody tr`)
	p.see("webhook-id")
	p.see(`"organisation": "` + org)
	p.axe("one post")
	p.press(`[data-testid="from-here"]`)
	p.see("位置已设")
	r.of(p.t, "identity.add_key", 3)

	r.fall(true)
	p.press(`[data-testid="test"]`)
	p.see("没有收下：HTTP 500")
	r.fall(false)
	p.press(`[data-testid="pause"]`)
	p.see("已暂停")
	p.press(`[data-testid="resume"]`)
	p.see("推送中")
	p.press(`[data-testid="from-height"]`)
	p.see("按顺序再送一遍")
	p.axe("replay from a height")
	p.press(`[data-testid="ask-go"]`)
	p.see("位置已设")
	p.calm()
	p.look("dev-hooks")

	p.press(`[data-testid="rotate"]`)
	p.press(`[data-testid="ask-go"]`)
	p.see("密钥只显示这一次")
	p.clipboard()
	p.press(`.ant-modal [data-testid="copy"]`)
	p.see("已复制")
	fresh := p.copied()
	p.press(`[data-testid="kept"]`)
	n := len(r.of(p.t, hooks.TestType, 2))
	p.press(`[data-testid="test"]`)
	last := r.of(p.t, hooks.TestType, n+1)[n]
	signed(p.t, secret, last)
	signed(p.t, fresh, last)
	for _, l := range []struct{ tab, file string }{{"Go", "verify.go"}, {"Java", "Verify.java"}, {"Python", "verify.py"}, {"JavaScript", "verify.js"}} {
		p.press("=" + l.tab)
		p.press(`.ant-tabs [data-testid="copy"]`)
		p.verifies(l.file, p.copied(), fresh, last)
	}
	p.press(`[data-testid="remove"]`)
	p.press(`[data-testid="ask-go"]`)
	p.see("还没有推送")
}

// signed holds a post against a secret.
func signed(t testing.TB, secret string, p post) {
	t.Helper()
	at, _ := strconv.ParseInt(p.head.Get("webhook-timestamp"), 10, 64)
	sig, err := hooks.Sign(secret, p.head.Get("webhook-id"), time.Unix(at, 0), p.body)
	if err != nil || !slices.Contains(strings.Fields(p.head.Get("webhook-signature")), sig) {
		t.Errorf("%s is signed %q, not %q: %v", p.head.Get("webhook-id"), p.head.Get("webhook-signature"), sig, err)
	}
}

// callers call the function of the page's code, where its language is on this machine: with the
// secret, the three headers and the body as arguments.
var callers = map[string]string{
	"verify.go": `
func main() {
	h := http.Header{}
	h.Set("webhook-id", os.Args[2])
	h.Set("webhook-timestamp", os.Args[3])
	h.Set("webhook-signature", os.Args[4])
	println(verify(os.Args[1], h, []byte(os.Args[5])))
}`,
	"Verify.java": `  public static void main(String[] a) throws Exception { System.err.println(verify(a[0], a[1], a[2], a[3], a[4].getBytes("UTF-8"))); }
}`,
	"verify.py": `
import sys
a = sys.argv
print(str(verify(a[1], {"webhook-id": a[2], "webhook-timestamp": a[3], "webhook-signature": a[4]}, a[5].encode())).lower(), file=sys.stderr)`,
	"verify.js": `
const a = process.argv
console.error(verify(a[2], { 'webhook-id': a[3], 'webhook-timestamp': a[4], 'webhook-signature': a[5] }, Buffer.from(a[6])))`,
}

// verifies runs a receiver's code on a real post, and on one whose body was changed.
func (p *page) verifies(name, text, secret string, of post) {
	p.t.Helper()

	switch name {
	case "verify.go":
		text = strings.Replace(text, `"net/http"`, "\"net/http\"\n\t\"os\"", 1)
	case "Verify.java":
		text = strings.TrimSuffix(strings.TrimSpace(text), "}")
	}
	file := filepath.Join(p.t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text+callers[name]), 0o600); err != nil {
		p.t.Fatal(err)
	}
	run := map[string][]string{"verify.go": {"go", "run", file}, "Verify.java": {"java", file}, "verify.py": {"python3", file}, "verify.js": {"node", file}}[name]
	if _, err := exec.LookPath(run[0]); err != nil {
		p.t.Logf("SKIP the code %s: no %s here", name, run[0])
		return
	}
	for body, want := range map[string]string{string(of.body): "true", strings.Replace(string(of.body), "mulian", "m", 1): "false"} {
		ctx, stop := context.WithTimeout(p.t.Context(), 2*time.Minute)
		cmd := exec.CommandContext(ctx, run[0], append(run[1:], secret, of.head.Get("webhook-id"), of.head.Get("webhook-timestamp"), of.head.Get("webhook-signature"), body)...)
		cmd.Dir = p.t.TempDir() // not in a module
		out, err := cmd.CombinedOutput()
		stop()
		if err != nil || strings.TrimSpace(string(out)) != want {
			p.t.Errorf("%s says %q of %s, want %s: %v", name, out, body, want, err)
		}
	}
}
