package governance

import (
	"slices"
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// checkPasskeySites takes relying parties and the pages on which their passkeys may sign:
// each once, each page of a relying party or below one, or of an app that Android knows by
// its signature. A relying party without a page, or the reverse, would accept nothing.
//
// It returns TooLong, Malformed, Duplicate or CodeInconsistent.
func checkPasskeySites(rule string, p *governancev1.Parameters) error {
	if err := act.First(
		act.AtMost(rule, "passkey_rp_ids", len(p.GetPasskeyRpIds()), MaxRPIDs),
		act.AtMost(rule, "passkey_origins", len(p.GetPasskeyOrigins()), MaxOrigins),
	); err != nil {
		return err
	}
	if (len(p.GetPasskeyRpIds()) == 0) != (len(p.GetPasskeyOrigins()) == 0) {
		return act.Refuse(fault.CodeInconsistent, rule, "passkeys need both: passkey_rp_ids and passkey_origins")
	}
	for i, id := range p.GetPasskeyRpIds() {
		if !isHost(id) {
			return act.RefuseItem(fault.Malformed, rule, i, "passkey_rp_ids: %.100q is no host name in small letters", id)
		}
		if slices.Contains(p.PasskeyRpIds[:i], id) {
			return act.RefuseItem(fault.Duplicate, rule, i, "passkey_rp_ids: %s is there twice", id)
		}
	}
	for i, origin := range p.GetPasskeyOrigins() {
		if err := checkPage(rule, i, origin, p.PasskeyRpIds); err != nil {
			return err
		}
		if slices.Contains(p.PasskeyOrigins[:i], origin) {
			return act.RefuseItem(fault.Duplicate, rule, i, "passkey_origins: %s is there twice", origin)
		}
	}
	return nil
}

// checkPage takes https://HOST[:PORT], HOST of a relying party or below one; http only for
// localhost; or an Android app.
func checkPage(rule string, i int, origin string, rpIDs []string) error {
	if app, ok := strings.CutPrefix(origin, "android:apk-key-hash:"); ok {
		if len(app) != 43 || strings.Trim(app, base64URL) != "" { // SHA-256 without padding
			return act.RefuseItem(fault.Malformed, rule, i, "passkey_origins: %.100q names no app", origin)
		}
		return nil
	}
	rest, secure := strings.CutPrefix(origin, "https://")
	if !secure {
		rest = strings.TrimPrefix(origin, "http://")
	}
	host, port, hasPort := strings.Cut(rest, ":")
	switch {
	case rest == origin, !isHost(host), hasPort && (len(port) < 1 || len(port) > 5 || strings.Trim(port, "0123456789") != ""), !secure && host != "localhost":
		return act.RefuseItem(fault.Malformed, rule, i, "passkey_origins: %.100q: want https://HOST[:PORT]", origin)
	case !slices.ContainsFunc(rpIDs, func(id string) bool { return host == id || strings.HasSuffix(host, "."+id) }):
		return act.RefuseItem(fault.CodeInconsistent, rule, i, "passkey_origins: %s is below none of passkey_rp_ids", origin)
	}
	return nil
}

// base64URL is the alphabet of RFC 4648 section 5.
const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// isHost takes a DNS name of RFC 1123 in small letters.
func isHost(name string) bool {
	if name == "" || len(name) > MaxHost {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
