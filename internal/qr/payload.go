package qr

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// Kind is what a short code is for.
type Kind byte

// The kinds of short codes.
const (
	Request Kind = 'R' // a data user asks: resolved once, by the owner's device
	Show    Kind = 'S' // 亮证: resolved once within a minute, by a registered verifier
	Verify  Kind = 'V' // 加注件: printed on an annotated copy, for as long as that is good
)

// Lengths.
const (
	MaxLink    = 200 // bytes of a link; spec/safebox.md, 3.5
	MacLetters = 8   // letters that bind a printed code to its copy: 40 bits, checked by a server that counts
)

// ErrPayload says that a text is none that Mulian puts into codes.
var ErrPayload = errors.New("not a code of Mulian")

// Payload is one text of the list: exactly one of Short with its Kind, and Link, is set.
//
//	MULIAN:R/<26 letters>             Kind, Short
//	HTTPS://Q.GOV.CN/R/<26 letters>   Kind, Short, Host
//	MULIAN:V/<26 letters>/<8 letters> Kind, Short, Mac
//	https://bank.example/a?client_id=…&request_uri=…   Link: an OpenID4VP request
//	openid4vp://?…, openid-credential-offer://?…        Link: a request, an offer
type Payload struct {
	Kind  Kind
	Short Short
	Host  string // upper case, as codes are smaller so; empty: the MULIAN: form
	Mac   string // of a Verify code, MacLetters letters
	Link  string
}

var (
	hostName = regexp.MustCompile(`^[A-Z0-9](?:[A-Z0-9.-]{0,61}[A-Z0-9])?(?::[1-9][0-9]{0,4})?$`)
	mac      = regexp.MustCompile(`^[` + letters + `]{8}$`)
)

// Parse reads the text of a code: ErrPayload.
func Parse(text string) (Payload, error) {
	if len(text) > MaxLink {
		return Payload{}, fmt.Errorf("%w: %d bytes, at most %d", ErrPayload, len(text), MaxLink)
	}
	if rest, ok := strings.CutPrefix(text, "MULIAN:"); ok {
		return parseShort("", rest)
	}
	if rest, ok := strings.CutPrefix(text, "HTTPS://"); ok {
		host, rest, _ := strings.Cut(rest, "/")
		if !hostName.MatchString(host) {
			return Payload{}, fmt.Errorf("%w: %q is no host", ErrPayload, host)
		}
		return parseShort(host, rest)
	}
	if err := checkLink(text); err != nil {
		return Payload{}, err
	}
	return Payload{Link: text}, nil
}

func parseShort(host, rest string) (p Payload, err error) {
	kind, code, ok := strings.Cut(rest, "/")
	if !ok || len(kind) != 1 || !strings.Contains("RSV", kind) {
		return p, fmt.Errorf("%w: its kind is none of R, S, V", ErrPayload)
	}
	p = Payload{Kind: Kind(kind[0]), Host: host}
	if p.Kind == Verify {
		if code, p.Mac, ok = strings.Cut(code, "/"); !ok || !mac.MatchString(p.Mac) {
			return Payload{}, fmt.Errorf("%w: a copy's code ends with %d letters", ErrPayload, MacLetters)
		}
	}
	if p.Short, err = unspell(p.Kind, code); err != nil {
		return Payload{}, err
	}
	return p, nil
}

// String is the text of the code; Parse takes it. That of the zero value is empty.
func (p Payload) String() string {
	if p.Link != "" || p.Kind == 0 {
		return p.Link
	}
	text := "MULIAN:"
	if p.Host != "" {
		text = "HTTPS://" + p.Host + "/"
	}
	text += string(p.Kind) + "/" + p.Short.spell(p.Kind)
	if p.Mac != "" {
		text += "/" + p.Mac
	}
	return text
}

// RequestLink is the link by which a data user's page asks a wallet: client_id and the
// place of the signed request, no word of what is asked. ErrPayload over MaxLink.
func RequestLink(page, clientID, requestURI string) (Payload, error) {
	link := page + "?" + url.Values{"client_id": {clientID}, "request_uri": {requestURI}}.Encode()
	return Parse(link)
}

// OfferLink is the link by which an issuer offers: the place of the offer.
func OfferLink(offerURI string) (Payload, error) {
	return Parse("openid-credential-offer://?" + url.Values{"credential_offer_uri": {offerURI}}.Encode())
}

// checkLink takes what a wallet may be sent to.
func checkLink(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || strings.ContainsAny(text, " \t\r\n#") || u.String() != strings.Replace(text, "://?", ":?", 1) {
		return fmt.Errorf("%w: no plain link", ErrPayload)
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fmt.Errorf("%w: its parameters cannot be read", ErrPayload)
	}
	for name, v := range q {
		if len(v) != 1 {
			return fmt.Errorf("%w: %s stands twice", ErrPayload, name)
		}
	}
	var at string
	switch u.Scheme {
	case "https", "http":
		if !Safe(u) {
			return fmt.Errorf("%w: a link to another machine is https", ErrPayload)
		}
		fallthrough
	case "openid4vp", "haip-vp":
		if at = q.Get("request_uri"); q.Get("client_id") == "" {
			return fmt.Errorf("%w: a request without client_id", ErrPayload)
		}
	case "openid-credential-offer", "haip-vci":
		at = q.Get("credential_offer_uri")
	default:
		return fmt.Errorf("%w: links of scheme %q lead nowhere", ErrPayload, u.Scheme)
	}
	if there, err := url.Parse(at); err != nil || !Safe(there) {
		return fmt.Errorf("%w: it names no https place", ErrPayload)
	}
	return nil
}

// Safe reports whether a wallet may fetch u: https, or http on this machine itself.
func Safe(u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return u.Hostname() != "" && u.User == nil
	case "http":
		ip := net.ParseIP(u.Hostname())
		return u.User == nil && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
	}
	return false
}
