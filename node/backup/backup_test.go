package backup

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/ledger"
	"mulian/node"
)

const org = "11110000MULN00001L"

// world is a member with a chain of its own.
type world struct {
	t    *testing.T
	home string
	root client.Signer
	stop func()
	url  string
}

func newWorld(t *testing.T, chain string) *world {
	t.Helper()
	w := &world{t: t, home: filepath.Join(t.TempDir(), "member")}
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	w.root = client.Signer{Account: org, Key: key}
	id, err := node.Keys(filepath.Join(w.home, nodeDir))
	if err != nil {
		t.Fatal(err)
	}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: chain, TimeMs: time.Now().Add(-time.Second).UnixMilli(), Parameters: standard.Parameters(),
		ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
		Founders: []*governancev1.Founder{{
			Code: org, Weight: 1, Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
			Profile: &identityv1.OrgProfile{Name: "试验局", Region: "110000", Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
		}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: org}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: org, Name: "v1", Sm2Key: id.SM2.Bytes()}},
	}, w.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(filepath.Join(w.home, nodeDir), file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.home, configFile), []byte("listen: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// start runs the member until stop.
func (w *world) start() {
	w.t.Helper()
	m, err := node.OpenMember(w.t.Context(), node.MemberConfig{Listen: "127.0.0.1:0", Node: node.Config{Home: filepath.Join(w.home, nodeDir), Version: "test"}})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.url = m.URL()
	w.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		w.stop = func() {}
	}
	w.t.Cleanup(func() { w.stop() })
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(w.home, nodeDir, node.ControlSocket)); err == nil {
			return
		}
		if time.Now().After(end) {
			w.t.Fatal("the member has no control socket")
		}
	}
}

// unit registers a unit and returns its height.
func (w *world) unit(name string) int64 {
	w.t.Helper()
	r, err := client.New(w.url).Send(w.t.Context(), w.root, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: name, Name: "数据处"})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Height
}

func (w *world) has(name string) bool {
	w.t.Helper()
	found, err := client.New(w.url).Get(w.t.Context(), "identity/account/"+org+"/d/"+name, &identityv1.Account{})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// TestBackupOfARunningNodeComesBack: taken while it runs, with keys, restored elsewhere,
// it goes on from there, with the same keys and its own configuration.
func TestBackupOfARunningNodeComesBack(t *testing.T) {
	w := newWorld(t, "backup-1")
	w.start()
	height := w.unit("kept")
	to := filepath.Join(t.TempDir(), "backup")
	var done, total int64
	m, err := Take(t.Context(), Order{Home: w.home, To: to, Keys: true, Version: "test", Progress: func(d, n int64) { done, total = d, n }})
	if err != nil {
		t.Fatal(err)
	}
	if m.Height < height || !m.Keys || done != m.Bytes || total < done {
		t.Errorf("%+v, progress %d of %d", m, done, total)
	}
	w.unit("lost")
	w.stop()
	onlyPrivate(t, to)
	if m, err := Check(t.Context(), to, nil); err != nil || m.Chain != "backup-1" {
		t.Fatalf("%+v, %v", m, err)
	}
	home := filepath.Join(t.TempDir(), "again")
	if _, err := Restore(t.Context(), Plan{From: to, Home: home, Genesis: m.Genesis}); err != nil {
		t.Fatal(err)
	}
	before, _ := ledger.ReadIdentity(filepath.Join(w.home, nodeDir))
	after, err := ledger.ReadIdentity(filepath.Join(home, nodeDir))
	if err != nil || after.Validator != before.Validator {
		t.Errorf("another validator, %v", err)
	}
	onlyPrivate(t, home)
	for _, name := range []string{configFile, genesisFile} {
		if _, err := os.Stat(filepath.Join(home, name)); err != nil {
			t.Error(err)
		}
	}
	w.home = home
	w.start()
	if !w.has("kept") || w.has("lost") {
		t.Errorf("kept %v, lost %v", w.has("kept"), w.has("lost"))
	}
	w.unit("after")
	w.stop()
	if _, err := Restore(t.Context(), Plan{From: to, Home: home}); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("over a home that is in use: %v", err)
	}
}

// onlyPrivate holds that nobody else can read what is there.
func onlyPrivate(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil && strings.HasSuffix(path, ".pem") && st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, st.Mode().Perm())
		}
		if err == nil && path == dir && st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", path, st.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBackupWithoutKeysHasNone: a stopped node's, without keys; what restores it has to
// bring some.
func TestBackupWithoutKeysHasNone(t *testing.T) {
	w := newWorld(t, "backup-2")
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := Take(t.Context(), Order{Home: w.home, To: to}); !fault.Is(err, fault.NotFound) {
		t.Errorf("of a node that has never run: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(to))
	if err != nil || len(left) != 0 {
		t.Errorf("a backup that failed leaves %v, %v", left, err)
	}
	w.start()
	w.unit("kept")
	w.stop()
	m, err := Take(t.Context(), Order{Home: w.home, To: to})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		if strings.HasSuffix(f.Name, ".pem") || strings.HasPrefix(f.Name, keysDir) || strings.Contains(f.Name, "validator_state") {
			t.Errorf("%s is in it", f.Name)
		}
	}
	if _, err := Take(t.Context(), Order{Home: w.home, To: to}); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("over another backup: %v", err)
	}
	home := filepath.Join(t.TempDir(), "again")
	if _, err := Restore(t.Context(), Plan{From: to, Home: home}); !fault.Is(err, fault.NotFound) {
		t.Errorf("without keys: %v", err)
	}
	if _, err := os.Stat(filepath.Join(home, nodeDir, storeDir)); !os.IsNotExist(err) {
		t.Errorf("a restore that failed leaves a store: %v", err)
	}
	if _, err := Restore(t.Context(), Plan{From: to, Home: home, Newest: 1}); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("a newest height below the backup's: %v", err)
	}
	if _, err := Restore(t.Context(), Plan{From: to, Home: home, NewKeys: true}); err != nil {
		t.Errorf("with new keys: %v", err)
	}
	other := newWorld(t, "backup-3")
	if _, err := Restore(t.Context(), Plan{From: to, Home: other.home}); !fault.Is(err, fault.WrongChain) {
		t.Errorf("into a home of another chain: %v", err)
	}
	if _, err := Restore(t.Context(), Plan{From: to, Home: filepath.Join(t.TempDir(), "x"), Genesis: strings.Repeat("0", 64)}); !fault.Is(err, fault.WrongChain) {
		t.Errorf("of another chain than expected: %v", err)
	}
}

// TestDamagedBackupsAreRefused: one other byte in any file, one that is missing, cut, or too
// many.
func TestDamagedBackupsAreRefused(t *testing.T) {
	w := newWorld(t, "backup-4")
	w.start()
	w.unit("kept")
	to := filepath.Join(t.TempDir(), "backup")
	m, err := Take(t.Context(), Order{Home: w.home, To: to, Keys: true})
	if err != nil {
		t.Fatal(err)
	}
	w.stop()
	refused := func(what string) {
		t.Helper()
		home := filepath.Join(t.TempDir(), "again")
		if _, err := Restore(t.Context(), Plan{From: to, Home: home}); !fault.Is(err, fault.Damaged) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(home); !os.IsNotExist(err) {
			t.Errorf("%s: a home was made", what)
		}
	}
	for _, f := range m.Files {
		path := filepath.Join(to, f.Name)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 0 {
			raw[len(raw)/2] ^= 1
			change(t, path, raw)
			refused("another byte in " + f.Name)
			raw[len(raw)/2] ^= 1
			change(t, path, raw[:len(raw)-1])
			refused("cut: " + f.Name)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		refused("missing: " + f.Name)
		change(t, path, raw)
	}
	change(t, filepath.Join(to, nodeDir, "more"), []byte("x"))
	refused("a file more")
	if err := os.Remove(filepath.Join(to, nodeDir, "more")); err != nil {
		t.Fatal(err)
	}
	manifest := filepath.Join(to, manifestFile)
	raw, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	change(t, manifest, []byte(strings.Replace(string(raw), m.AppHash, strings.Repeat("0", 64), 1)))
	refused("a manifest with another app hash")
	change(t, manifest, []byte(strings.Replace(string(raw), `"name": "node/genesis.bin"`, `"name": "../genesis.bin"`, 1)))
	refused("a manifest that leaves the folder")
	change(t, manifest, raw)
	if _, err := Check(t.Context(), to, nil); err != nil {
		t.Errorf("as it was: %v", err)
	}
}

// change writes a file anew: what a checkpoint has linked is the node's, too.
func change(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
