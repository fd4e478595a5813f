package phrase

import (
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"

	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// ofHolder says what identity authorities and holders of accounts do.
func ofHolder(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RecordProofing:
		p := k.RecordProofing
		method, level := proofingWord(p.GetMethod()), proofingWord(p.GetLevel())
		minor := Phrase{}
		if p.GetMinorUntilMs() != 0 {
			minor = Phrase{"，未成年至 " + day(p.GetMinorUntilMs()), ", a minor until " + day(p.GetMinorUntilMs())}
		}
		return Phrase{
			fmt.Sprintf("登记账户 %s 的实名核验：%s，%s，有效至 %s，承诺值 %s", name(p.GetAccount()), method.Chinese, level.Chinese, day(p.GetExpiresMs()), short(p.GetCommitment())) + minor.Chinese,
			fmt.Sprintf("record that the holder of account %s was identified: %s, %s, until %s, commitment %s", name(p.GetAccount()), method.English, level.English, day(p.GetExpiresMs()), short(p.GetCommitment())) + minor.English,
		}, true
	case *txv1.Message_RevokeProofing:
		return say("撤销账户 %s 的实名核验，原因：%s", "revoke the identification of the holder of account %s, because: %s", name(k.RevokeProofing.GetAccount()), k.RevokeProofing.GetCause()), true
	case *txv1.Message_FreezeAccount:
		return say("冻结账户 %s，立即停止一切签名%s", "freeze the account %s: it signs nothing from now on%s", name(k.FreezeAccount.GetAccount()), why(k.FreezeAccount.GetCause())), true
	case *txv1.Message_UnfreezeAccount:
		return say("解冻账户 %s", "unfreeze the account %s", name(k.UnfreezeAccount.GetAccount())), true
	}
	return Phrase{}, false
}

// proofingWords are methods and levels of proofing.
var proofingWords = map[protoreflect.Enum]Phrase{
	identityv1.ProofingMethod_PROOFING_METHOD_COUNTER:      {"窗口核验", "at the counter"},
	identityv1.ProofingMethod_PROOFING_METHOD_FACE:         {"人脸比对", "by the face"},
	identityv1.ProofingMethod_PROOFING_METHOD_NETWORK_ID:   {"国家网络身份认证", "by the national network identity"},
	identityv1.ProofingMethod_PROOFING_METHOD_ID_CARD_CHIP: {"身份证芯片", "by the card's chip"},
	identityv1.ProofingMethod_PROOFING_METHOD_BANK:         {"银行四要素", "by the bank"},
	identityv1.ProofingMethod_PROOFING_METHOD_LICENCE:      {"电子营业执照", "by the electronic licence"},
	identityv1.ProofingMethod_PROOFING_METHOD_TRANSFER:     {"对公打款", "by a payment to the firm's account"},
	identityv1.ProofingLevel_PROOFING_LEVEL_BASIC:          {"一般强度", "basic"},
	identityv1.ProofingLevel_PROOFING_LEVEL_SUBSTANTIAL:    {"较高强度", "substantial"},
	identityv1.ProofingLevel_PROOFING_LEVEL_HIGH:           {"最高强度", "high"},
}

func proofingWord(v protoreflect.Enum) Phrase {
	if p, ok := proofingWords[v]; ok {
		return p
	}
	return say("未列出的 %d", "not listed: %d", v.Number())
}
