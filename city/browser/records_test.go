package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	credentialv1 "mulian/gen/mulian/credential/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

func init() { story("records", records) }

// records: an auditor opens an anchored file and a credential, which is revoked while he looks; a
// department is told that a value is wrong, says that it is, and puts it right; who filed it
// closes it with a mark.
func records(p *page) {
	planning, water := content.Find("规划自然资源委"), content.Find("水务局")
	file, cred := hash("a synthetic file"), hash("a synthetic credential")
	p.sends(planning.Code, &evidencev1.AnchorEvidence{Items: []*evidencev1.Evidence{{
		Id: hex.EncodeToString(file[:16]), Commitment: file, Bytes: 48_213,
		Provenance: &evidencev1.Provenance{Capture: evidencev1.Capture_CAPTURE_FILE, Software: "mulian demo", CapturedMs: time.Now().UnixMilli(), ClockSource: "unknown"},
	}}})
	kind := planning.Code + ":estate"
	p.sends(planning.Code, &credentialv1.PutCredentialType{Type: &credentialv1.CredentialType{
		Id: kind, Version: 1, Name: "不动产登记证明（演示）", Vct: "https://mulian.example/vct/estate/1", SchemaHash: hash("schema"),
		Fields: []*credentialv1.Field{{Name: "kind", Title: "类别", Visible: true}}, Issuers: []string{planning.Code}, MaxDays: 365,
	}})
	p.sends(planning.Code, &credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{
		Org: planning.Code, Url: "https://estate.gov.example", StatusUrl: "https://chain.gov.example/st", Accounts: []string{planning.Code + "/g/main"},
	}})
	p.sends(planning.Code, &credentialv1.IssueCredentials{Credentials: []*credentialv1.Credential{{
		Commitment: cred, Type: kind, Version: 1, Index: 977, ExpiresMs: time.Now().AddDate(0, 1, 0).UnixMilli(),
	}}})
	p.enter("auditor")
	p.open("/overview")
	p.press(`nav a[href="/evidence"]`)
	p.see("文件和名称不在账本上")
	p.look("evidence-list")
	p.press("tr[data-row]")
	p.see("一份 48,213 字节的文件的承诺值写上账本")
	p.see("时钟没有校准来源")
	p.look("evidence")
	p.press("=他的全部存证")
	p.see("看全部")
	id := hex.EncodeToString(cred[:16])
	p.open("/credential/" + id)
	p.see("不动产登记证明（演示）")
	p.see("没有吊销、没有暂停、没有过期")
	p.look("credential")
	p.sends(planning.Code, &credentialv1.SetCredentialStatus{Changes: []*credentialv1.StatusChange{{
		Id: id, State: credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED, Cause: credentialv1.StatusCause_STATUS_CAUSE_MISTAKE,
	}}})
	p.see("永久吊销，不能恢复") // without loading the page again
	p.see("签发有误")
	var public string
	p.ask(&public, `async () => document.querySelector('a[href^="/v/"]').getAttribute("href")`)
	if status, _ := p.fetch(public, "Content-Type"); status != 200 {
		p.t.Errorf("%s answers %d", public, status)
	}

	e := planningEntry(p.t, p.city.URL(), false)
	filed := p.sends(water.Code, &sharev1.FileCorrection{Entry: e.GetId(), Item: e.GetItems()[0].GetCode(), Statement: "编号和档案不符（演示）"})
	p.enter("steward")
	p.open("/correction/" + filed[0])
	p.see("编号和档案不符（演示）")
	p.see("待核查")
	p.look("correction")
	p.press(`[data-testid="first"]`)
	p.signed()
	p.see("确认有误，待更正")
	p.press(`[data-testid="first"]`)
	p.answer("note", "已按档案更正（演示）")
	p.see("已通知全部持有方")
	n := p.putsRight(filed[0])
	p.see(fmt.Sprintf("持有方已更正 %d/%d", n, n))
	p.enter("user")
	p.open("/correction/" + filed[0])
	p.see("源头更正：已按档案更正（演示）")
	p.press(`[data-testid="first"]`)
	p.answer("score", "5")
	p.see("已办结")
	p.see("已解决 · 5/5")
	p.look("correction-closed")
	withdrawn := p.sends(water.Code, &sharev1.FileCorrection{Entry: e.GetId(), Item: e.GetItems()[0].GetCode(), Statement: "提错了（演示）"})[0]
	p.open("/correction/" + withdrawn)
	p.deed("withdraw")
	p.answer()
	p.see("没有下一步")
	var steps int
	p.ask(&steps, `async () => document.querySelectorAll("ol.line > li").length`)
	if steps != 2 {
		p.t.Errorf("a correction that was withdrawn shows %d steps: it was filed and closed", steps)
	}
	p.ExpectErrors() // browsers note what is not there
	p.open("/correction/ffffffffffffffff")
	p.see("账本上没有这个编号")
	p.axe("no correction")
}

func hash(s string) []byte { sum := sha256.Sum256([]byte(s)); return sum[:] }

// putsRight says for everybody who was told of a correction that the copy was put right, and returns
// how many these are: other stories may have shared the entry, too.
func (p *page) putsRight(correction string) int {
	p.t.Helper()
	res, err := client.New(p.city.URL()).Share.GetCorrection(p.t.Context(), connect.NewRequest(&sharev1.GetCorrectionRequest{Id: correction}))
	p.ok(err)
	for _, h := range res.Msg.GetHolders() {
		p.sends(h.GetConsumer(), &sharev1.ApplyCorrection{Correction: correction, Agreement: h.GetAgreement(), Note: "已更正（演示）"})
	}
	return len(res.Msg.GetHolders())
}

// sends signs for a department as its officer, and returns the ids that were made.
func (p *page) sends(org string, m proto.Message) []string {
	p.t.Helper()
	officer, err := (keyring.Ring{Dir: filepath.Join(p.home, "keys")}).Signer(org, keyring.Officer)
	p.ok(err)
	r, err := client.New(p.city.URL()).Send(p.t.Context(), officer, m)
	p.ok(err)
	return r.IDs
}
