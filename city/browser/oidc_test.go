package browser

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/browsertest"
	"mulian/internal/judgetest"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
	"mulian/server/signin"
)

// TestOfficialSignsIn: an official opens his member's pages, logs in at his organisation's
// identity provider (a stranger's), comes back, and has a key with an end for his post; with it
// he signs an act that stands on the ledger. Who has no post, who says no, and who opens the
// return page by itself are told so.
func TestOfficialSignsIn(t *testing.T) {
	browsertest.Find(t)
	home := t.TempDir()
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	root := client.Signer{Account: namedOrg, Key: key}
	id, err := node.Keys(filepath.Join(home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var provider struct{ Issuer string }
	judgetest.Start(t, "provider", map[string]any{"client": "mulian", "secret": "a secret of the test", "redirect": "http://localhost:" + port + "/signin", "userinfo": true}, &provider)
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: "signin-1", TimeMs: time.Now().UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{{
			Code: namedOrg, Weight: 1, Profile: &identityv1.OrgProfile{Name: "某市住房城乡建设委员会", Region: "110000", Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
			Keys: []*identityv1.Key{{Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, PublicKey: key.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_ROOT}},
		}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: namedOrg}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: namedOrg, Name: "v1", Sm2Key: id.SM2.Bytes()}},
	}, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(filepath.Join(home, "node"), file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, err := node.OpenMember(ctx, node.MemberConfig{Node: node.Config{Home: filepath.Join(home, "node")}, Listen: address})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("end: %v", err)
		}
	})
	chain := client.New(m.URL())
	cfg := signin.Config{
		Title: "统一身份认证", Issuer: provider.Issuer, ClientID: "mulian", Secret: "a secret of the test", Claim: "preferred_username", Scopes: []string{"profile"}, KeyLife: 30 * 24 * time.Hour,
		Posts: func() ([]signin.Post, error) {
			return []signin.Post{{Who: "zhang.wei", Post: "data-1", Name: "数据管理岗", Role: "steward"}}, nil
		},
	}
	m.Server.LetSignIn(signin.New(cfg, chain, root, nil, nil))
	if err := signin.Probe(t.Context(), cfg, m.Pages()+signin.ReturnPath); err != nil {
		t.Errorf("the provider knows this member: %v", err)
	}
	if err := signin.Probe(t.Context(), cfg, "http://localhost:1"+signin.ReturnPath); err == nil {
		t.Error("the provider leads back to anywhere")
	}
	duty := &cataloguev1.Duty{Id: namedOrg + ":permits", Org: namedOrg, Title: "核发商品房预售许可证", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "城市商品房预售管理办法", Article: "第六条"}
	presale := &cataloguev1.Entry{
		Id: namedOrg + ":presale", Name: "商品房预售许可证", Provider: namedOrg, Duties: []string{duty.Id}, Format: cataloguev1.Format_FORMAT_TABLE, ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL,
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY, Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE,
		Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY}, Processing: cataloguev1.Processing_PROCESSING_RAW,
		Items: []*cataloguev1.Item{{Code: "permit_no", Name: "许可证号"}},
	}
	for _, m := range []proto.Message{&cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{duty}}, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{presale}}} {
		if _, err := chain.Send(t.Context(), root, m); err != nil {
			t.Fatal(err)
		}
	}

	p := &page{Browser: browsertest.Open(t), t: t, url: m.Pages()}
	p.Size(1440, 900, false)
	p.chinese()
	p.open("/signin")
	p.see("这次登录已失效")
	p.open("/signin?error=access_denied&state=x")
	p.see("没有放行")
	p.axe("refused")
	login := func(who string) {
		p.ExpectErrors() // the provider's forms ask for a font that is elsewhere
		p.press(`[data-testid="sign-in"]`)
		p.fill(`input[name="login"]`, who)
		p.fill(`input[name="password"]`, "whatever")
		p.press(`button[type="submit"]`)
		p.see("Authorize")
		p.press(`button[type="submit"]`)
	}
	p.open("/seats")
	p.see("用统一身份认证登录")
	p.look("signin")
	login("li.na")
	p.see("但这里没有你的岗位")
	p.see("li.na")
	p.axe("no post")

	p = &page{Browser: browsertest.Open(t), t: t, url: m.Pages()} // the provider knows the other one still
	p.Size(1440, 900, false)
	p.chinese()
	p.open("/seats")
	login("zhang.wei")
	p.see("已通过身份认证")
	p.see("数据管理岗")
	p.axe("signed in")
	p.Shot(filepath.Join(shots, "signed-in.png"))
	var at string
	p.ask(&at, `async () => location.href`)
	if at != m.Pages()+"/signin" {
		t.Errorf("the address has kept %s", at)
	}
	p.press(`[data-seat="data-1"]`)
	p.see("密钥已上链")
	account := namedOrg + "/p/data-1"
	post := &identityv1.Account{}
	if found, err := chain.Get(t.Context(), "identity/account/"+account, post); err != nil || !found || len(post.GetKeys()) != 1 {
		t.Fatalf("%v, %v: %v", found, err, post)
	}
	k := post.GetKeys()[0]
	if life := time.Until(time.UnixMilli(k.GetEndsMs())); k.GetLevel() != identityv1.KeyLevel_KEY_LEVEL_OFFICER || life > 30*24*time.Hour || life < 29*24*time.Hour {
		t.Errorf("the key is %v", k)
	}
	if raw := post.String(); strings.Contains(raw, "zhang") {
		t.Errorf("the ledger names a person: %s", raw)
	}

	// With it he changes an entry of the catalogue.
	p.open("/item/" + namedOrg + "%3Apresale/edit")
	p.see("与链上版本相同")
	p.fill("textarea", "商品房预售许可证的发证信息。")
	p.see("1 处变更")
	p.press(`[data-testid="submit"]`)
	p.press("=签名并提交")
	p.see("已上链，高度")
	res, err := chain.Catalogue.GetEntry(t.Context(), connect.NewRequest(&cataloguev1.GetEntryRequest{Id: namedOrg + ":presale"}))
	if err != nil || res.Msg.GetEntry().GetAbstract() != "商品房预售许可证的发证信息。" {
		t.Fatalf("the entry is %v, %v", res, err)
	}
	signed, err := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.URL()).ListBlocks(t.Context(), connect.NewRequest(&consolev1.ListBlocksRequest{Account: account, Filled: true}))
	if err != nil || len(signed.Msg.GetBlocks()) != 1 {
		t.Errorf("signed by the post: %v, %v", signed, err)
	}
	p.open("/settings")
	p.see("可签到")
	p.axe("settings")
}
