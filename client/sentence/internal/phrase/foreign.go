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

// ofForeignChange says what a vote does about a trust root: all that the voters compare.
func ofForeignChange(c *governancev1.Change) (Phrase, bool) {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_RegisterForeignChain:
		return Phrase{"登记对端链", "register the foreign chain"}.of(k.RegisterForeignChain), true
	case *governancev1.Change_ReplaceForeignRoot:
		return Phrase{"更换对端链的信任根", "replace the trust root of the foreign chain"}.of(k.ReplaceForeignRoot), true
	case *governancev1.Change_ThawForeignChain:
		return Phrase{"以新的信任根解冻对端链", "thaw the foreign chain with a new trust root"}.of(k.ThawForeignChain), true
	case *governancev1.Change_RemoveForeignChain:
		return say("移除对端链 %s", "remove the foreign chain %s", k.RemoveForeignChain), true
	}
	return Phrase{}, false
}

// of puts a trust root behind what is done with it.
func (p Phrase) of(r *foreignv1.TrustRoot) Phrase {
	level := map[foreignv1.TrustLevel]string{foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD: "1/3", foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS: "2/3"}[r.GetTrustLevel()]
	q := say("%s（%s），创世哈希 %x，区块头 %s，信任级别 %s，区块头最长有效 %d 秒，时钟容差 %d 秒",
		"%s (%s), genesis %x, header %s, trust level %s, headers count for %d s, clocks may differ by %d s",
		r.GetChainId(), r.GetName(), r.GetGenesisHash(), header(r.GetLightBlock()), level, r.GetMaxAgeSeconds(), r.GetMaxDriftSeconds())
	return Phrase{p.Chinese + " " + q.Chinese, p.English + " " + q.English}
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
