package browser

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/browsertest"
	"mulian/internal/hostcert"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
	"mulian/server"
)

// The name of a member in the test, and the port that its browsers see.
const (
	namedHost = "mulian.example.cn"
	namedPort = "8443"
	namedOrg  = "11110000MULN00041Q"

	namedTitle = "某市住房城乡建设委员会"
)

// TestPasskeyUnderAName: a real member whose chain accepts passkeys of one name. Its first
// person opens the setup link under https, makes a passkey, and the ledger has it, once, also when
// the answer was lost and the page loaded again; who comes by the address is told where to go.
func TestPasskeyUnderAName(t *testing.T) {
	browsertest.Find(t)
	m, setup := namedMember(t)
	_, port, _ := strings.Cut(m.secure, ":")
	conn, err := tls.Dial("tcp", m.secure, &tls.Config{InsecureSkipVerify: true}) // only to learn its key, for the browser
	if err != nil {
		t.Fatal(err)
	}
	leaf := conn.ConnectionState().PeerCertificates[0]
	conn.Close()
	origin := "https://" + namedHost + ":" + namedPort
	p := &page{Browser: browsertest.Open(t, browsertest.Host{Name: namedHost + ":" + namedPort, Address: "127.0.0.1:" + port, Certificate: leaf}), t: t, url: origin}
	p.Size(1440, 900, false)
	p.Authenticator(browsertest.Device{})
	p.chinese()
	p.open("/setup/" + setup)
	p.settled()
	p.Shot(filepath.Join(shots, "setup.png"))
	// The answer does not arrive, and the page is loaded again: the link is used, by this browser.
	p.lose("/TakeSeat")
	p.press(`[data-seat="operator"]`)
	var ok bool
	p.ask(&ok, `async () => { `+until+` await until("an answer that is lost", () => window.lost && document.querySelector("[role=alert]")); return true }`)
	p.open("/setup/" + setup)
	p.see("没有收到回答")
	p.axe("a setup link whose answer was lost")
	p.Shot(filepath.Join(shots, "setup-lost.png"))
	q := &page{Browser: browsertest.Open(t, browsertest.Host{Name: namedHost + ":" + namedPort, Address: "127.0.0.1:" + port, Certificate: leaf}), t: t, url: origin}
	q.chinese()
	q.open("/setup/" + setup)
	q.see("已经用过") // for everybody else
	p.press(`[data-seat="operator"]`)
	p.see("席位已上链")
	accounts, err := client.New(m.url).Identity.ListAccounts(t.Context(), connect.NewRequest(&identityv1.ListAccountsRequest{Org: namedOrg}))
	if err != nil {
		t.Fatal(err)
	}
	made := false
	for _, a := range accounts.Msg.GetAccounts() {
		for _, k := range a.GetKeys() {
			made = made || k.GetAlgorithm() == identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN
		}
	}
	posts := 0
	for _, a := range accounts.Msg.GetAccounts() {
		if a.GetKind() == identityv1.AccountKind_ACCOUNT_KIND_POST {
			posts++
		}
	}
	if posts != 1 {
		t.Errorf("the link gave %d posts, want one", posts)
	}
	if !made {
		t.Errorf("no account has a passkey: %v", accounts.Msg.GetAccounts())
	}
	p.ExpectErrors() // the answer is no page that was asked for
	p.Visit(m.url + "/inbox?lang=zh-CN")
	p.see("请用名字打开这个页面")
	p.see(namedHost)
	p.axe("by an address")
	p.Shot(filepath.Join(shots, "by-address.png"))
}

// named is a running member.
type named struct{ url, secure string }

func namedMember(t *testing.T) (m named, token string) {
	t.Helper()
	home := t.TempDir()
	parameters := standard.Parameters()
	parameters.PasskeyRpIds, parameters.PasskeyOrigins = []string{namedHost}, []string{"https://" + namedHost + ":" + namedPort}
	keeper, err := hostcert.Open(hostcert.Config{Dir: filepath.Join(home, "https"), Names: []string{namedHost}})
	if err != nil {
		t.Fatal(err)
	}
	secure := freeAddress(t)
	member, root := soleMember(t, home, parameters, node.HTTPS{Listen: secure, Keeper: keeper, Port: namedPort})
	s, token := server.NewSetup(client.New(member.URL()), root, namedTitle, nil)
	member.Server.Offer(s)
	return named{url: member.URL(), secure: secure}, token
}

// soleMember runs the one member of a new chain until the test ends; root signs for its organisation.
func soleMember(t *testing.T, home string, parameters *governancev1.Parameters, https node.HTTPS) (*node.Member, client.Signer) {
	t.Helper()
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	id, err := node.Keys(filepath.Join(home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	root := client.Signer{Account: namedOrg, Key: key}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: "named-1", TimeMs: time.Now().UnixMilli(), Parameters: parameters, ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{{
			Code: namedOrg, Weight: 1, Profile: &identityv1.OrgProfile{Name: namedTitle, Region: "110000", Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
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
	member, err := node.OpenMember(ctx, node.MemberConfig{Node: node.Config{Home: filepath.Join(home, "node")}, Listen: "127.0.0.1:0", HTTPS: https})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- member.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("end: %v", err)
		}
	})
	return member, root
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
