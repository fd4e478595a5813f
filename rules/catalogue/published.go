package catalogue

import (
	"strings"
	"time"
	"unicode"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// checkPublished looks at what portals publish besides, the fields 30 to 37. None of
// it decides anything: it has to be bounded, and safe to be shown as a link.
func checkPublished(rule string, e *cataloguev1.Entry) error {
	if err := lines(rule, "keywords", e.Keywords, MaxKeywords, maxKeyword); err != nil {
		return err
	}
	if err := act.AtMost(rule, "resources", len(e.Resources), MaxResources); err != nil {
		return err
	}
	for _, r := range e.Resources {
		if err := act.First(
			act.Line(rule, "resource title", r.Title, maxTitle, false),
			link(rule, "resource url", r.Url),
			act.Line(rule, "resource format", r.Format, maxResourceFormat, false),
			act.Line(rule, "resource media_type", r.MediaType, maxMediaType, false),
			date(rule, "resource modified", r.Modified),
		); err != nil {
			return err
		}
	}
	if err := act.First(
		licence(rule, e.Licence),
		date(rule, "issued", e.Issued),
		date(rule, "modified", e.Modified),
		link(rule, "landing_page", e.LandingPage),
		act.AtMost(rule, "languages", len(e.Languages), MaxLanguages),
		act.Line(rule, "origin", e.Origin, maxOrigin, false),
	); err != nil {
		return err
	}
	for _, l := range e.Languages {
		if !languageTag(l) {
			return act.Refuse(fault.Malformed, rule, "languages: %.40q is no BCP 47 tag", l)
		}
	}
	return nil
}

// link takes no URL, or one that a browser may follow: http, https or ftp, with a
// host, without a user name or password, and without blanks. A reader decides
// himself whether he trusts the host.
func link(rule, field, url string) error {
	if err := act.Line(rule, field, url, maxURL, false); err != nil || url == "" {
		return err
	}
	scheme, rest, found := strings.Cut(url, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp":
	default:
		found = false
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	if !found || host == "" || strings.HasPrefix(host, ":") || strings.ContainsAny(host, `@\`) || strings.ContainsFunc(url, notPrinted) {
		return act.Refuse(fault.Malformed, rule, "%s: %.80q is no address of http, https or ftp without a user and blanks", field, url)
	}
	return nil
}

// licence takes a name, or a URL as link does.
func licence(rule, text string) error {
	if err := act.Line(rule, "licence", text, maxLicence, false); err != nil {
		return err
	}
	scheme, _, found := strings.Cut(text, "://")
	if found && !strings.ContainsFunc(scheme, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return link(rule, "licence", text)
	}
	return nil
}

// date takes no date, a day, or a moment with its zone.
func date(rule, field, text string) error {
	if text == "" {
		return nil
	}
	_, asDay := time.Parse(time.DateOnly, text)
	_, asMoment := time.Parse(time.RFC3339, text)
	if len(text) > maxDate || asDay != nil && asMoment != nil {
		return act.Refuse(fault.Malformed, rule, "%s: %.40q is neither 2006-01-02 nor RFC 3339", field, text)
	}
	return nil
}

// languageTag reports whether s has the form of a BCP 47 tag: parts of 1 to 8
// letters and digits, the first of letters. Whether there is such a language is
// for a registry that grows.
func languageTag(s string) bool {
	if len(s) > maxLanguage {
		return false
	}
	for i, part := range strings.Split(s, "-") {
		if part == "" || len(part) > 8 || i == 0 && len(part) == 1 && part != "x" && part != "i" {
			return false
		}
		for _, c := range []byte(part) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
