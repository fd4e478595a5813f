package hooks_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"mulian/internal/fault"
	"mulian/server/hooks"
)

// TestGuard: which URLs are taken, with which list.
func TestGuard(t *testing.T) {
	names := map[string]string{
		"in.bank.example": "10.20.0.5", "meta.bank.example": "169.254.169.254", "self.bank.example": "127.0.0.1", "mapped.bank.example": "::ffff:169.254.169.254",
		"six.bank.example": "fe80::1", "nat.bank.example": "64:ff9b::a9fe:a9fe", "ali.bank.example": "100.100.100.200", "out.example": "203.0.113.9",
	}
	resolve := func(_ context.Context, host string) ([]netip.Addr, error) {
		if a, ok := names[host]; ok {
			return []netip.Addr{netip.MustParseAddr(a)}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host}
	}
	all := slices.Sorted(func(yield func(string) bool) {
		for n := range names {
			if n != "out.example" && !yield(n) {
				return
			}
		}
	})
	for _, c := range []struct {
		url   string
		allow []string
		want  fault.Code
		says  string
	}{
		{"https://in.bank.example/x", all, fault.OK, ""},
		{"https://in.bank.example/x", []string{"10.20.0.0/16"}, fault.OK, ""},
		{"https://out.example/x", []string{"10.20.0.0/16"}, fault.Forbidden, "hooks.allow"},
		{"https://out.example/x", all, fault.Forbidden, "hooks.allow"},
		{"https://out.example/x", nil, fault.Forbidden, "hooks.allow"},
		{"https://nowhere.example/x", []string{"10.20.0.0/16"}, fault.Unreachable, "no address"},
		{"https://meta.bank.example/x", all, fault.Forbidden, "link-local or metadata"},
		{"https://mapped.bank.example/x", all, fault.Forbidden, "link-local or metadata"},
		{"https://six.bank.example/x", all, fault.Forbidden, "link-local or metadata"},
		{"https://nat.bank.example/x", all, fault.Forbidden, "IPv4"},
		{"https://ali.bank.example/x", append(all, "100.64.0.0/10"), fault.Forbidden, "link-local or metadata"},
		{"https://169.254.169.254/latest", []string{"169.254.0.0/16"}, fault.Forbidden, "link-local or metadata"},
		{"https://self.bank.example/x", all, fault.Forbidden, "127.0.0.0/8"},
		{"https://self.bank.example/x", append(all, "127.0.0.0/8"), fault.OK, ""},
		{"https://127.0.0.1:9/x", all, fault.Forbidden, "127.0.0.0/8"},
		{"http://127.0.0.1:9/x", []string{"127.0.0.0/8"}, fault.OK, ""},
		{"http://127.0.0.1:8080/x", []string{"127.0.0.0/8"}, fault.Forbidden, "this node itself"},
		{"http://in.bank.example/x", all, fault.Malformed, "https"},
		{"https://0.0.0.0/x", []string{"0.0.0.0/1"}, fault.Forbidden, "no address of a receiver"},
		{"https://u:p@in.bank.example/x", all, fault.Malformed, "user"},
		{"ftp://in.bank.example/x", all, fault.Malformed, "https://"},
		{"https:///x", all, fault.Malformed, "https://"},
		{"https://in.bank.example/" + strings.Repeat("x", 2048), all, fault.TooLong, "2048"},
	} {
		g := guard(t, c.allow...)
		g.Resolve, g.Own = resolve, []string{"127.0.0.1:8080"}
		err := g.Try(t.Context(), c.url)
		if fault.CodeOf(err) != c.want || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.60s with %v: %v, want %v %q", c.url, c.allow, err, c.want, c.says)
		}
	}
	for _, line := range []string{"", "https://a", "A.example", "0.0.0.0/0", "10.0.0.0/33", "*.example"} {
		if _, err := hooks.NewGuard([]string{line}); fault.CodeOf(err) != fault.Malformed {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestRebinding: a name that led somewhere harmless when the hook was made and leads to this
// machine afterwards gets nothing.
func TestRebinding(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	var mu sync.Mutex
	at := "203.0.113.9"
	h, _ := open(t, folder(t), l, func(c *hooks.Config) {
		c.Guard = guard(t, "in.bank.example")
		c.Guard.Resolve = func(context.Context, string) ([]netip.Addr, error) {
			mu.Lock()
			defer mu.Unlock()
			return []netip.Addr{netip.MustParseAddr(at)}, nil
		}
	})
	_, port, _ := net.SplitHostPort(r.Listener.Addr().String())
	create(t, h, "https://in.bank.example:"+port)
	mu.Lock()
	at = "127.0.0.1"
	mu.Unlock()
	l.add("share/answer", org)
	until(t, func() bool { return strings.Contains(one(t, h).GetError(), "this machine itself") })
	if n := len(r.all()); n != 0 {
		t.Errorf("%d posts", n)
	}
}
