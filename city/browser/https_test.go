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
)

// TestPasskeyUnderAName: a real member whose chain accepts passkeys of one name. Its first
// person opens the setup link under https, makes a passkey, and the ledger has it; who comes
// by the address is told where to go.
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
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	id, err := node.Keys(filepath.Join(home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	parameters := standard.Parameters()
	parameters.PasskeyRpIds, parameters.PasskeyOrigins = []string{namedHost}, []string{"https://" + namedHost + ":" + namedPort}
	root := client.Signer{Account: namedOrg, Key: key}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: "named-1", TimeMs: time.Now().UnixMilli(), Parameters: parameters, ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
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
	keeper, err := hostcert.Open(hostcert.Config{Dir: filepath.Join(home, "https"), Names: []string{namedHost}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	secure := freeAddress(t)
	member, err := node.OpenMember(ctx, node.MemberConfig{
		Node: node.Config{Home: filepath.Join(home, "node")}, Listen: "127.0.0.1:0", HTTPS: node.HTTPS{Listen: secure, Keeper: keeper, Port: namedPort},
	})
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
	s, token := server.NewSetup(client.New(member.URL()), root, "某市住房城乡建设委员会", nil)
	member.Server.Offer(s)
	return named{url: member.URL(), secure: secure}, token
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
