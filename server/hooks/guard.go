package hooks

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"mulian/internal/fault"
)

// Guard says whom the node may speak to for others, and holds it for each connection. The zero
// value lets nobody through.
//
// A name is resolved here, and the connection goes to the address that was looked at: a name that
// changes between the look and the connection leads nowhere.
type Guard struct {
	names []string
	nets  []netip.Prefix
	texts []string
	// Own are the node's own addresses, host:port, to which nothing goes.
	Own []string
	// Resolve tells a name's addresses; nil asks as this machine does.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// MaxAllow bounds the list of what is allowed; our own choice.
const MaxAllow = 100

// NewGuard reads what an operator allows: names, exactly as they stand in URLs, and networks like
// 10.20.0.0/16. Malformed names the line.
func NewGuard(allow []string) (*Guard, error) {
	g := &Guard{texts: allow}
	if len(allow) > MaxAllow {
		return nil, fault.Newf(fault.TooLong, "hooks.allow has %d lines, at most %d", len(allow), MaxAllow)
	}
	for i, text := range allow {
		if p, err := netip.ParsePrefix(text); err == nil {
			if p.Bits() == 0 {
				return nil, fault.Newf(fault.Malformed, "hooks.allow, line %d: %s is every address: name the networks of the receivers", i+1, text)
			}
			g.nets = append(g.nets, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(text); err == nil {
			g.nets = append(g.nets, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		if text == "" || len(text) > 253 || strings.ToLower(text) != text || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			return nil, fault.Newf(fault.Malformed, "hooks.allow, line %d: %.100q is no name like hooks.bank.example.cn in small letters, and no network like 10.20.0.0/16", i+1, text)
		}
		g.names = append(g.names, text)
	}
	return g, nil
}

// Allow is the list as it was written.
func (g *Guard) Allow() []string { return g.texts }

// Addresses to which nothing goes whatever is allowed: where machines of a cloud are told their
// secrets. 169.254.169.254 and fe80::/10 are link-local and refused as such.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
}

// Prefixes that carry an IPv4 address, which an answer from a resolver could hide in.
var carriers = []netip.Prefix{netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("::/96")}

// CheckURL refuses a URL to which nothing would be posted, before anything is resolved: Malformed,
// TooLong, Forbidden.
func (g *Guard) CheckURL(text string) error {
	if len(text) > maxURL {
		return fault.Newf(fault.TooLong, "url: %d characters, at most %d", len(text), maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http":
		return fault.Newf(fault.Malformed, "url: it has to be https://HOST/PATH")
	case u.User != nil:
		return fault.Newf(fault.Malformed, "url: no user and password in it; the signature says who posts")
	case u.Fragment != "":
		return fault.Newf(fault.Malformed, "url: nothing behind #, it is never sent")
	}
	host := strings.ToLower(u.Hostname())
	if u.Scheme == "http" && !loopbackHost(host) {
		return fault.Newf(fault.Malformed, "url: https is needed, http only on this machine's loopback address")
	}
	if len(g.texts) == 0 {
		return fault.Newf(fault.Forbidden, "this node posts to nobody: its operator lists the receivers under hooks.allow in mulian.yaml, like [%s], and starts it again", host)
	}
	if slices.Contains(g.names, host) {
		return nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return g.check(a, false, portOf(u))
	}
	if len(g.nets) > 0 {
		return nil // its addresses are looked at when it is called
	}
	return notAllowed(host)
}

func notAllowed(host string) error {
	return fault.Newf(fault.Forbidden, "%s is not allowed: the node's operator adds it to hooks.allow in mulian.yaml and starts the node again", host)
}

func loopbackHost(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// check refuses an address; named: its name stands in the list. Forbidden.
func (g *Guard) check(a netip.Addr, named bool, port string) error {
	a = a.Unmap().WithZone("")
	listed := slices.ContainsFunc(g.nets, func(p netip.Prefix) bool { return p.Contains(a) })
	switch {
	case a.IsLinkLocalUnicast() || slices.Contains(metadata, a):
		return fault.Newf(fault.Forbidden, "%s is a link-local or metadata address: nothing is posted there, whatever hooks.allow says", a)
	case a.IsUnspecified() || a.IsMulticast() || !a.IsValid() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fault.Newf(fault.Forbidden, "%s is no address of a receiver", a)
	case slices.ContainsFunc(carriers, func(p netip.Prefix) bool { return p.Contains(a) }) && !a.IsLoopback():
		return fault.Newf(fault.Forbidden, "%s stands for an IPv4 address: name that", a)
	case a.IsLoopback() && !listed:
		return fault.Newf(fault.Forbidden, "%s is this machine itself: only a network under hooks.allow in mulian.yaml, like 127.0.0.0/8, allows that", a)
	case !listed && !named:
		return notAllowed(a.String())
	case g.own(a, port):
		return fault.Newf(fault.Forbidden, "%s is a port of this node itself", net.JoinHostPort(a.String(), port))
	}
	return nil
}

// own reports whether an address with a port is one of the node's.
func (g *Guard) own(a netip.Addr, port string) bool {
	for _, o := range g.Own {
		host, p, err := net.SplitHostPort(o)
		if err != nil || p != port {
			continue
		}
		if at, err := netip.ParseAddr(host); err == nil && at.Unmap() == a || a.IsLoopback() {
			return true
		}
		list, err := net.InterfaceAddrs()
		if err != nil {
			return true // not known: rather none
		}
		for _, x := range list {
			if p, err := netip.ParsePrefix(x.String()); err == nil && p.Addr().Unmap() == a {
				return true
			}
		}
	}
	return false
}

// dial resolves and looks, and connects to what it has looked at.
func (g *Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	list, err := g.resolve(ctx, strings.ToLower(host), port)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: 5 * time.Second}
	for _, a := range list[:min(len(list), maxTried)] {
		var c net.Conn
		if c, err = d.DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port)); err == nil {
			return c, nil
		}
	}
	return nil, err
}

// maxTried bounds the addresses of a name that one post tries.
const maxTried = 4

// resolve returns the addresses of a host to which something may go: Unreachable, Forbidden if
// there is none.
func (g *Guard) resolve(ctx context.Context, host, port string) (out []netip.Addr, err error) {
	var list []netip.Addr
	if a, perr := netip.ParseAddr(host); perr == nil {
		list = []netip.Addr{a}
	} else {
		ask := g.Resolve
		if ask == nil {
			ask = func(ctx context.Context, host string) ([]netip.Addr, error) {
				return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			}
		}
		if list, err = ask(ctx, host); err != nil {
			return nil, fault.Newf(fault.Unreachable, "%s has no address", host)
		}
	}
	named := slices.Contains(g.names, host)
	err = fault.Newf(fault.Unreachable, "%s has no address", host)
	for _, a := range list {
		if cerr := g.check(a, named, port); cerr != nil {
			err = cerr
			continue
		}
		out = append(out, a)
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, err
}

// Try is CheckURL with the addresses that the host has now.
func (g *Guard) Try(ctx context.Context, text string) error {
	if err := g.CheckURL(text); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "url")
	}
	_, err = g.resolve(ctx, strings.ToLower(u.Hostname()), portOf(u))
	return err
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
