package phrase

import (
	"bytes"
	"strings"
	"testing"

	foreignv1 "mulian/gen/mulian/foreign/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
)

// TestAVoteOnATrustRootSaysWhatIsTrusted: the genesis, how much vouches, and for how long;
// not the bytes of a header.
func TestAVoteOnATrustRootSaysWhatIsTrusted(t *testing.T) {
	root := &foreignv1.TrustRoot{
		ChainId: "yellow-river", Name: "黄河都市圈", GenesisHash: bytes.Repeat([]byte{0xab}, 32), LightBlock: []byte("no light block"),
		TrustLevel: foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS, MaxAgeSeconds: 86_400, MaxDriftSeconds: 7,
	}
	for head, c := range map[string]*governancev1.Change{
		"register": {Kind: &governancev1.Change_RegisterForeignChain{RegisterForeignChain: root}},
		"replace":  {Kind: &governancev1.Change_ReplaceForeignRoot{ReplaceForeignRoot: root}},
		"thaw":     {Kind: &governancev1.Change_ThawForeignChain{ThawForeignChain: root}},
	} {
		p := OfChange(c, func(s string) string { return s })
		for _, said := range []string{p.Chinese, p.English} {
			for _, want := range []string{"yellow-river", "黄河都市圈", strings.Repeat("ab", 32), "2/3", "86400", " 7 "} {
				if !strings.Contains(said, want) {
					t.Errorf("%s: %q is not said: %s", head, want, said)
				}
			}
		}
		if !strings.HasPrefix(p.English, head) {
			t.Errorf("%s: %s", head, p.English)
		}
	}
}
