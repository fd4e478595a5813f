package rules_test

import (
	"crypto/sha256"

	grantv1 "mulian/gen/mulian/grant/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/sm"
	"mulian/rules/rulestest"
	"mulian/rules/safebox"
)

// recordBoxUse shares an item of the box under a grant, or makes what it needs: boxes and an item.
func (o *owners) recordBoxUse() *wish {
	g := o.granted(grantv1.GrantState_GRANT_STATE_ACTIVE)
	if g == nil || g.Mode != grantv1.GrantMode_GRANT_MODE_DELIVER || o.dead(g.Owner) {
		return nil
	}
	for _, account := range []string{g.Grantee, g.Owner} {
		if _, ok := safebox.FindVault(o.view, account); !ok {
			return o.by(account, &safeboxv1.RegisterVault{Keys: o.vaultKeys(), Unlockers: twoUnlockers, UnlockersHash: o.digest("file")})
		}
	}
	own, _ := safebox.FindVault(o.view, g.Owner)
	it := one(o, "safebox/item", func(it *safeboxv1.BoxItem) bool {
		return it.Owner == g.Owner && it.State == safeboxv1.ItemState_ITEM_STATE_HELD && !it.Single
	})
	if it == nil {
		return o.by(g.Owner, &safeboxv1.SelfDeposit{Items: []*safeboxv1.NewItem{{Commitment: o.digest("item"), KeyVersion: own.KeyVersion}}})
	}
	to, _ := safebox.FindVault(o.view, g.Grantee)
	return o.by(g.Owner, &grantv1.RecordBoxUse{Grant: g.Id, Number: g.Sequence + 1, Item: it.Id, KeyWrapHash: o.digest("wrap"), KeyVersion: to.KeyVersion})
}

func (o *owners) vaultKeys() []*safeboxv1.VaultKey {
	k, err := sm.FromSeed(sm.P256, sha256.Sum256(o.digest("vault")))
	if err != nil {
		panic(err)
	}
	return []*safeboxv1.VaultKey{{Suite: safeboxv1.SealSuite_SEAL_SUITE_P256, PublicKey: k.Public().Bytes()}}
}

var twoUnlockers = []safeboxv1.UnlockerKind{safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY, safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE}

func (o *owners) registerVault() *wish {
	id := o.person(func(id string) bool { _, ok := safebox.FindVault(o.view, id); return !ok })
	return o.by(id, &safeboxv1.RegisterVault{Keys: o.vaultKeys(), Unlockers: twoUnlockers, UnlockersHash: o.digest("file")})
}

// vault is one of a living person, but not of that one.
func (o *owners) vault(not string) *safeboxv1.Vault {
	return one(o, "safebox/vault", func(v *safeboxv1.Vault) bool {
		return v.Account != not && !o.dead(v.Account) && o.key(v.Account).Algorithm() != 0
	})
}

func (o *owners) changeVault() *wish {
	v := o.vault("")
	if v == nil {
		return nil
	}
	m := &safeboxv1.ChangeVault{Version: v.Version, Unlockers: twoUnlockers, UnlockersHash: o.digest("file")}
	if o.rand.IntN(2) == 0 {
		m.Keys = o.vaultKeys()
	}
	return o.by(v.Account, m)
}

func (o *owners) deposit() *wish {
	v := o.vault("")
	if v == nil {
		return nil
	}
	m := &safeboxv1.Deposit{}
	for range 1 + o.rand.IntN(2) {
		m.Items = append(m.Items, &safeboxv1.NewItem{Owner: v.Account, Commitment: o.digest("item"), KeyVersion: v.KeyVersion, Single: o.rand.IntN(4) == 0})
	}
	return o.by(o.w.ProviderGateway, m)
}

func (o *owners) selfDeposit() *wish {
	v := o.vault("")
	if v == nil {
		return nil
	}
	return o.by(v.Account, &safeboxv1.SelfDeposit{Items: []*safeboxv1.NewItem{{Commitment: o.digest("item"), KeyVersion: v.KeyVersion}}})
}

// item is one that lies in a box and is not offered.
func (o *owners) item() *safeboxv1.BoxItem {
	return one(o, "safebox/item", func(it *safeboxv1.BoxItem) bool {
		return it.State == safeboxv1.ItemState_ITEM_STATE_HELD && len(it.Offers) == 0 && !o.dead(it.Owner)
	})
}

func (o *owners) eraseItems() *wish {
	it := o.item()
	if it == nil {
		return nil
	}
	m := &safeboxv1.EraseItems{Items: []string{it.Id}, Basis: safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER}
	if it.Depositor == o.w.ProviderGateway && it.Hands == 0 && o.rand.IntN(2) == 0 {
		m.Basis = safeboxv1.ErasureBasis_ERASURE_BASIS_UNLAWFUL
		return o.by(o.w.Provider, m)
	}
	return o.by(it.Owner, m)
}

func (o *owners) offerTransfer() *wish {
	it := o.item()
	to := o.vault(it.GetOwner())
	if it == nil || to == nil {
		return nil
	}
	m := &safeboxv1.OfferTransfer{
		Item: it.Id, To: to.Account, Kind: safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER, WrapHash: o.digest("wrap"), ExpiresMs: o.in(2 * rulestest.Day), KeyVersion: to.KeyVersion,
	}
	if !it.Single && o.rand.IntN(2) == 0 {
		m.Kind, m.CopyCommitment, m.TermsCommitment = safeboxv1.TransferKind_TRANSFER_KIND_COPY, o.digest("copy"), o.digest("terms")
	}
	return o.by(it.Owner, m)
}

func (o *owners) offered() *safeboxv1.Transfer {
	t := one(o, "safebox/transfer", func(t *safeboxv1.Transfer) bool {
		return t.State == safeboxv1.TransferState_TRANSFER_STATE_OFFERED && t.ExpiresMs > o.w.Now
	})
	return t
}

func (o *owners) acceptTransfer() *wish {
	t := o.offered()
	if t == nil {
		return nil
	}
	return o.by(t.To, &safeboxv1.AcceptTransfer{Transfer: t.Id})
}

func (o *owners) declineTransfer() *wish {
	t := o.offered()
	if t == nil || o.seldom() {
		return nil
	}
	return o.by(t.To, &safeboxv1.DeclineTransfer{Transfer: t.Id})
}

func (o *owners) cancelTransfer() *wish {
	t := o.offered()
	if t == nil || o.seldom() {
		return nil
	}
	return o.by(t.From, &safeboxv1.CancelTransfer{Transfer: t.Id})
}

// recovery
