package standard

import (
	"slices"
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
)

// localhost is the relying party of trial chains that name none: browsers let its pages
// use passkeys without TLS.
const localhost = "localhost"

// trial reports whether the chain is one on which nothing counts: the demo city, a trial
// consortium on one machine, and whatever a developer calls dev-.
func trial(chainID string) bool {
	return strings.HasPrefix(chainID, "dev-") || chainID == "mulian-demo" || chainID == "mulian-trial"
}

// PasskeyRPIDs returns the relying parties whose passkeys the chain accepts; none = it
// accepts no passkeys.
func PasskeyRPIDs(p *governancev1.Parameters, chainID string) []string {
	if len(p.GetPasskeyRpIds()) == 0 && trial(chainID) {
		return []string{localhost}
	}
	return p.GetPasskeyRpIds()
}

// PasskeyOrigin reports whether passkeys may sign on the page: the parameters list it, or
// the chain is a trial that lists nothing and the page is of this machine, at any port.
func PasskeyOrigin(p *governancev1.Parameters, chainID, origin string) bool {
	if len(p.GetPasskeyRpIds()) > 0 || !trial(chainID) {
		return slices.Contains(p.GetPasskeyOrigins(), origin)
	}
	rest, ok := strings.CutPrefix(origin, "http://"+localhost)
	if !ok {
		return false
	}
	port, ok := strings.CutPrefix(rest, ":")
	if !ok {
		return rest == ""
	}
	return len(port) >= 1 && len(port) <= 5 && strings.Trim(port, "0123456789") == ""
}
