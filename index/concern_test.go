package index

import (
	"path/filepath"
	"testing"

	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

// TestWhomItConcerns: both sides of what is shared, by the object or by what it hangs on; of what
// owners grant its parties; of a hand-over nobody but those who hand over. Names that begin alike
// are others.
func TestWhomItConcerns(t *testing.T) {
	w := newWorld()
	w.put("share/answer", Agreement+"a", &sharev1.Agreement{Id: "a", Provider: "p", Consumer: "c", ConsumerGateway: "c/g/main"})
	w.put("share/record_use", Use+"a/1", &sharev1.Use{Agreement: "a", By: "c"})
	w.put("share/start_delivery", Delivery+"d", &sharev1.Delivery{Agreement: "a", Gateway: "p/g/main"})
	w.put("grant/give", Grant+"g", &grantv1.Grant{Id: "g", Owner: "p-1", Grantee: "bank", Gateway: "bank/g/main", Providers: []string{"tax/g/main"}})
	w.put("grant/record_use", GrantUse+"g/1", &grantv1.Use{Grant: "g", Owner: "p-1", Provider: "tax/g/main"})
	w.put("safebox/record", BoxItem+"i", &safeboxv1.BoxItem{Id: "i", Owner: "p-1", Depositor: "deeds"})
	w.put("safebox/offer", Transfer+"t", &safeboxv1.Transfer{Id: "t", Item: "i", From: "p-1", To: "p-2"})
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	everybody := []string{"p", "c", "bank", "tax", "deeds", "p0", "ban", "nobody"}
	for object, whom := range map[string][]string{
		Agreement + "a": {"p", "c"}, Use + "a/1": {"p", "c"}, Delivery + "d": {"p", "c"},
		Grant + "g": {"bank", "tax"}, GrantUse + "g/1": {"bank", "tax"},
		BoxItem + "i": {"deeds"}, Transfer + "t": nil, "share/request/none": nil,
	} {
		want := map[string]bool{}
		for _, org := range whom {
			want[org] = true
		}
		for _, org := range everybody {
			got, err := x.Concerns(t.Context(), org, []string{object})
			if err != nil || got != want[org] {
				t.Errorf("%s concerns %s: %v, %v", object, org, got, err)
			}
		}
	}
	if got, err := x.Concerns(t.Context(), "p", nil); got || err != nil {
		t.Errorf("nothing concerns somebody: %v, %v", got, err)
	}
}
