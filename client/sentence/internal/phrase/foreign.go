package phrase

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	foreignv1 "mulian/gen/mulian/foreign/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	txv1 "mulian/gen/mulian/tx/v1"

	"mulian/client/light"
)

// ofForeign says what a message does about another consortium's chain.
func ofForeign(m *txv1.Message) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_UpdateForeignHeaders:
		u := k.UpdateForeignHeaders
		return say("提交对端链 %s 的 %d 个区块头", "bring %[2]d headers of the foreign chain %[1]s", u.GetChainId(), len(u.GetLightBlocks())), true
	case *txv1.Message_AcceptForeignProof:
		f := k.AcceptForeignProof
		switch {
		case len(f.GetValue()) > 0:
			return say("采信对端链 %s 高度 %d 上的 %s，并公开其内容", "accept %[3]s of the foreign chain %[1]s at height %[2]d, and show its content to everybody here", f.GetChainId(), f.GetHeight(), f.GetKey()), true
		case len(f.GetValueHash()) > 0:
			return say("采信对端链 %s 高度 %d 上的 %s，只登记摘要 %s", "accept %[3]s of the foreign chain %[1]s at height %[2]d by its hash %[4]s alone", f.GetChainId(), f.GetHeight(), f.GetKey(), short(f.GetValueHash())), true
		}
		return say("采信对端链 %s 高度 %d 上没有 %s", "accept that the foreign chain %[1]s has no %[3]s at height %[2]d", f.GetChainId(), f.GetHeight(), f.GetKey()), true
	case *txv1.Message_FreezeForeignChain:
		f := k.FreezeForeignChain
		first, second := header(f.GetFirst()), header(f.GetSecond())
		return say("凭同一高度的两个区块头冻结对端链 %s：%s，%s", "freeze the foreign chain %s by two headers of one height: %s, %s", f.GetChainId(), first, second), true
	}
	return Phrase{}, false
}

// foreignChange says what a vote does about a trust root: all that the voters compare.
func foreignChange(c *governancev1.Change) string {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_RegisterForeignChain:
		return "register_foreign_chain " + root(k.RegisterForeignChain)
	case *governancev1.Change_ReplaceForeignRoot:
		return "replace_foreign_root " + root(k.ReplaceForeignRoot)
	case *governancev1.Change_ThawForeignChain:
		return "thaw_foreign_chain " + root(k.ThawForeignChain)
	case *governancev1.Change_RemoveForeignChain:
		return "remove_foreign_chain " + k.RemoveForeignChain
	}
	return "?"
}

func root(r *foreignv1.TrustRoot) string {
	level := map[foreignv1.TrustLevel]string{foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD: "1/3", foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS: "2/3"}[r.GetTrustLevel()]
	return fmt.Sprintf("%s (%s) genesis %x, header %s, trust level %s, max age %d s, max drift %d s",
		r.GetChainId(), r.GetName(), r.GetGenesisHash(), header(r.GetLightBlock()), level, r.GetMaxAgeSeconds(), r.GetMaxDriftSeconds())
}

// header names a block by its height and hash in full, and how many stand behind it.
func header(raw []byte) string {
	var b ledgerv1.LightBlock
	if err := proto.Unmarshal(raw, &b); err != nil || b.GetSignedHeader().GetHeader() == nil {
		return "?"
	}
	h := b.GetSignedHeader().GetHeader()
	return fmt.Sprintf("%d %x (%d validators)", h.GetHeight(), light.HeaderHash(h), len(b.GetValidatorSet().GetValidators()))
}
