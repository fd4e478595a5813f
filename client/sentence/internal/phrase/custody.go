package phrase

import (
	"fmt"
	"strings"

	custodyv1 "mulian/gen/mulian/custody/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
)

// ofCustody says what officers and custodians do for people without a device.
func ofCustody(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_OpenCustody:
		c, f := k.OpenCustody, faces[k.OpenCustody.GetFace()]
		return Phrase{
			"为没有设备的人开户 " + c.GetAccount() + "，密钥由 " + name(c.GetCustodian()) + " 托管" + f.Chinese,
			"open the account " + c.GetAccount() + " for a person without a device, its key in custody of " + name(c.GetCustodian()) + f.English,
		}, true
	case *txv1.Message_ConfirmCustody:
		id, f := k.ConfirmCustody.GetAccount(), faces[k.ConfirmCustody.GetFace()]
		return Phrase{"确认为没有设备的人开户 " + id + f.Chinese, "confirm the opening of the account " + id + " for a person without a device" + f.English}, true
	case *txv1.Message_AcceptCustody:
		return say("接受托管：账户 %s，密钥 %s", "take into custody the account %s with the key %s", k.AcceptCustody.GetAccount(), k.AcceptCustody.GetKey().GetId()), true
	case *txv1.Message_RecordCustodyUse:
		return recordedUse(k.RecordCustodyUse, name), true
	case *txv1.Message_ConfirmCustodyUse:
		c := k.ConfirmCustodyUse
		return say("确认动用账户 %s 的托管密钥（第 %d 次），交易 %s", "confirm use %[2]d of the key in custody of %[1]s, for transaction %[3]s", name(c.GetAccount()), c.GetNumber(), short(c.GetTxId())), true
	case *txv1.Message_UndoCustodyUse:
		c := k.UndoCustodyUse
		return say("撤销账户 %s 的第 %d 次托管动用，原因：%s", "undo use %[2]d of the key in custody of %[1]s, because: %[3]s", name(c.GetAccount()), c.GetNumber(), c.GetCause()), true
	case *txv1.Message_UnwrapVault:
		return say("请托管机构打开本人保险箱，只交给接收密钥 %s", "have the custodian open the own vault, for the receiver with the key %s alone", short(k.UnwrapVault.GetReceiver())), true
	case *txv1.Message_CloseUnwrap:
		c := k.CloseUnwrap
		if len(c.GetResultHash()) == 0 {
			return say("报告账户 %s 的第 %d 次开箱未能完成", "say that opening %[2]d of the vault of %[1]s came to nothing", name(c.GetAccount()), c.GetNumber()), true
		}
		return say("交付账户 %s 的第 %d 次开箱结果（已加密）", "hand over the sealed result of opening %[2]d of the vault of %[1]s", name(c.GetAccount()), c.GetNumber()), true
	}
	return Phrase{}, false
}

// recordedUse says what the key is to sign, in the words in which the person would sign it.
func recordedUse(m *custodyv1.RecordCustodyUse, name func(string) string) Phrase {
	method := proofingWord(m.GetPresence().GetMethod())
	if m.GetPresence().GetMethod() == identityv1.ProofingMethod_PROOFING_METHOD_COUNTER {
		method = Phrase{"本人到场签名", "there in person, signed on paper"}
	}
	var zh, en []string
	body, who := new(txv1.Body), name(m.GetAccount())
	if canon.Check(m.GetBody(), body) != nil {
		return say("登记动用账户 %s 的托管密钥（无法读取要签署的内容，请勿签名）", "record that the key in custody of %s is to sign (what it would sign cannot be read: do not sign)", who)
	}
	for _, inner := range body.GetMessages() {
		p := Of(inner, name)
		zh, en = append(zh, p.Chinese), append(en, p.English)
	}
	return Phrase{
		fmt.Sprintf("登记动用账户 %s 的托管密钥（%s），代其签署：%s", who, method.Chinese, strings.Join(zh, "；")),
		fmt.Sprintf("record that the key in custody of %s (%s) is to sign: %s", who, method.English, strings.Join(en, "; ")),
	}
}
