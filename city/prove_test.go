package city

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/prooffile"
)

// provable makes a proof file of everything that the story is about, beside the
// one that it leaves behind, and returns them by id.
func provable(t *testing.T, c *City, told *Report) map[string][]byte {
	t.Helper()
	if !filepath.IsAbs(told.Proof) {
		t.Fatalf("proof %q", told.Proof)
	}
	left, err := os.ReadFile(told.Proof)
	if err != nil {
		t.Fatal(err)
	}
	proofs := map[string][]byte{"left behind": left}
	if r := prooffile.Verify(left, c.genesis.Hash); r.Kind != "access" || len(r.Signers) != 2 || r.Signers[1].As != "consumer" || r.SM2 == "none" {
		t.Errorf("the file that the story leaves behind: %+v", r)
	}
	genesis, err := os.ReadFile(c.path(genesisFile))
	if err != nil {
		t.Fatal(err)
	}
	m, err := prooffile.NewMaker(c.chain, genesis)
	if err != nil {
		t.Fatal(err)
	}
	request := ""
	if err := c.chain.List(t.Context(), "share/request/", func(key string, _ []byte) bool {
		request = strings.TrimPrefix(key, "share/request/")
		return true
	}); err != nil {
		t.Fatal(err)
	}
	for id, says := range map[string]string{
		c.told:                                  "share/confirm_agreement",
		request:                                 "share/file_request",
		c.told + "/1":                           "share/confirm_delivery",
		c.told + "#1":                           "trace/anchor_head",
		c.told + "#2":                           "trace/anchor_head",
		gatewayOf(planning):                     "identity/register_gateway",
		planning.Entry(buildingEntry).Id:        "catalogue/submit_entries",
		planning.Entry(buildingEntry).Duties[0]: "", // filed with 200 others: the file is larger, and held to by its bound
		gatewayOf(planning) + ":0":              "trace/anchor_head",
		"event:1":                               "",
	} {
		file, err := m.Find(t.Context(), id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		r := m.Verify(file)
		found := says == ""
		for _, s := range r.Signers {
			found = found || s.As == says
		}
		if !found {
			t.Errorf("%s: no signature as %s: %+v", id, says, r.Signers)
		}
		if says != "" {
			proofs[id] = file
		}
	}
	return proofs
}
