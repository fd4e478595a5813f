package grant_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mulian/internal/fault"
)

// refusalRow is a row of docs/spec/grant.md: refusal, code and its name, by whom, file and place.
var refusalRow = regexp.MustCompile(`(?m)^\| ([a-z_]+[^|]*) \| (\d{5}) (\w+) \| ([^|]+) \| (\S+) (\S+) \|$`)

// TestRefusalsAreShown: each refusal of spec/safebox.md 4.2 is in the table of docs/spec/grant.md,
// with a code that is explained to people and a test that names it.
func TestRefusalsAreShown(t *testing.T) {
	root := filepath.Join("..", "..")
	table, err := os.ReadFile(filepath.Join(root, "docs", "spec", "grant.md"))
	if err != nil {
		t.Fatal(err)
	}
	codes, err := os.ReadFile(filepath.Join(root, "internal", "fault", "codes.go"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, m := range refusalRow.FindAllStringSubmatch(string(table), -1) {
		refusal, number, name, file, place := m[1], m[2], m[3], m[5], m[6]
		word, _, _ := strings.Cut(refusal, ",")
		shown[word] = true
		if !regexp.MustCompile(`(?m)^\t` + name + `\s+Code = ` + number + `\b`).Match(codes) {
			t.Errorf("%s: %s is not the code %s", refusal, name, number)
		}
		n, _ := strconv.Atoi(number)
		if _, ok := fault.Explain(fault.Code(n)); !ok {
			t.Errorf("%s: %s is not explained to people", refusal, number)
		}
		src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Errorf("%s: %v", refusal, err)
			continue
		}
		places := []string{"func " + place + "(", ") " + place + "(", place}
		if strings.HasPrefix(place, "Test") {
			places = places[:1]
		}
		if !contains(string(src), places...) {
			t.Errorf("%s: %s has no %s", refusal, file, place)
		}
		if strings.HasSuffix(file, ".go") && !contains(string(src), "fault."+name) {
			t.Errorf("%s: %s does not name fault.%s", refusal, file, name)
		}
	}
	for _, word := range strings.Fields(`rp_unknown rp_suspended use_not_registered over_ask purpose_unknown item_version_retired field_masked_by_provider
		level_too_low consent_kind_wrong notice_hash_mismatch ui_text_mismatch request_expired request_replayed match_code_wrong bad_signature uv_missing
		origin_unknown key_revoked key_backup_changed clone_suspected nonce_used actor_no_mandate mandate_scope minor_without_guardian limit_duration
		limit_standing recipient_key_expired provider_offline not_active too_early too_soon uses_exhausted expired paused revoked proof_stale
		provider_mismatch row_scope empty_result partial_result seal_failed log_not_included duplicate_seq`) {
		if !shown[word] {
			t.Errorf("the table has no %s", word)
		}
	}
}

func contains(text string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
