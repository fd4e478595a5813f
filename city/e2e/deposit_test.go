package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/deposit"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// killDeposit is the environment's word to be the process that deposits and is killed.
const killDeposit = "MULIAN_E2E_KILL_DEPOSIT"

// depositing is what that process is told.
type depositing struct {
	Config gateway.Config
	Keys   string
	Owner  string
	Bytes  int
	Stage  string // at which it says so and waits to be killed
}

// The stages of a deposit.
const (
	sealed   = "sealed"   // nothing has left
	laid     = "laid"     // whole at the door, not on the ledger
	anchored = "recorded" // on the ledger; the ticket is still there
)

// depositAlone is that process: a command of the department, like mulian deposit put.
func depositAlone(raw string) error {
	var p depositing
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return err
	}
	ctx := context.Background()
	ring := keyring.Ring{Dir: p.Keys}
	signer, err := ring.Signer(p.Config.Account, keyring.Machine)
	if err != nil {
		return err
	}
	chain := client.New(p.Config.Server)
	wait := func(stage string) {
		if stage == p.Stage {
			fmt.Println(stage)
			select {}
		}
	}
	d := gateway.OpenDepositor(&p.Config, chainID, signer)
	lay := d.Lay
	d.Get = chain.Get
	d.Lay = func(ctx context.Context, head *safeboxv1.ItemHead, write func(io.Writer) error) error {
		wait(sealed)
		return lay(ctx, head, write)
	}
	d.Send = func(ctx context.Context, m ...proto.Message) error {
		wait(laid)
		_, err := chain.Send(ctx, signer, m...)
		wait(anchored)
		return err
	}
	_, err = d.Deposit(ctx, deposit.Item{Owner: p.Owner, Schema: "licence/1", Title: "营业执照", Content: bytes.NewReader(scan(p.Bytes))})
	return err
}

// scan is a document of n bytes.
func scan(n int) []byte { return bytes.Repeat([]byte("营业执照扫描件。"), n/24+1)[:n] }

// TestADepositSurvivesAKill: a department deposits while the owner is away, and its process
// is killed (kill -9) at each stage. Its gateway goes on by itself: the owner has the item,
// once, whole; no ticket is left.
func TestADepositSurvivesAKill(t *testing.T) {
	w := newTown(t, t.TempDir())
	office := w.department(5, "市场监督管理局", sm.SM2)
	dan := w.owner("dan", annNumber).box()
	cfg := gateway.Config{Home: w.path("gateway", office.Account), Account: office.gateway, Keys: w.ring().Dir, Server: w.chain.URL(), Genesis: w.path("genesis")}
	const size = 2<<20 + 100 // three parts
	for n, stage := range []string{sealed, laid, anchored} {
		raw, err := json.Marshal(depositing{Config: cfg, Keys: w.ring().Dir, Owner: dan.account, Bytes: size, Stage: stage})
		w.ok(err)
		killAt(t, string(raw), stage)
		left, err := gateway.OpenDepositor(&cfg, chainID, client.Signer{}).Tickets(t.Context())
		if err != nil || len(left) != 1 {
			t.Fatalf("killed when it was %s: tickets %v, %v", stage, left, err)
		}
		if onLedger := w.get("safebox/item/"+left[0].Item, &safeboxv1.BoxItem{}); onLedger != (stage == anchored) {
			t.Errorf("killed when it was %s: on the ledger %v", stage, onLedger)
		}
		door := w.open(office, "")
		w.eventually("the gateway has finished the deposit", func() bool {
			open, err := door.Deposits().Tickets(t.Context())
			return err == nil && len(open) == 0 && w.get("safebox/item/"+left[0].Item, &safeboxv1.BoxItem{})
		})
		door.stop()
		card, content, err := dan.reads(left[0].Item)
		if err != nil || card.GetTitle() != "营业执照" || card.GetIssuer() != office.gateway || !bytes.Equal(content, scan(size)) {
			t.Errorf("killed when it was %s: the owner reads %v, %d bytes, %v", stage, card, len(content), err)
		}
		if it := w.item(left[0].Item); it.GetNumber() != uint64(n+1) || it.GetDepositor() != office.gateway {
			t.Errorf("killed when it was %s: the ledger has %v", stage, it)
		}
		if dirs, err := os.ReadDir(w.path("gateway", office.Account, "deposits")); err != nil || len(dirs) != 0 {
			t.Errorf("tickets are left: %v, %v", dirs, err)
		}
	}
	v := &safeboxv1.Vault{}
	if w.get("safebox/vault/"+dan.account, v); v.GetItems() != 3 || v.GetOwnItems() != 0 {
		t.Errorf("the box has had %d items", v.GetItems())
	}
}

// killAt runs a process until it says the word, and kills it.
func killAt(t *testing.T, told, word string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), killDeposit+"="+told)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != word {
		t.Errorf("the process says %q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed: an error is what we want
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("the process ended by itself: %v", cmd.ProcessState)
	}
}

// TestWhoMayDeposit: what the door and the ledger say to those who may not, or at the wrong
// time.
func TestWhoMayDeposit(t *testing.T) {
	w := newTown(t, t.TempDir())
	office := w.department(5, "市场监督管理局", sm.P256)
	dan, eve := w.owner("dan", annNumber).box(), w.owner("eve", benNumber)
	door := w.open(office, "")
	put := func(owner string) error {
		_, err := door.Deposits().Deposit(t.Context(), deposit.Item{Owner: owner, Schema: "licence/1", Content: strings.NewReader("x")})
		return err
	}
	w.refused(fault.VaultMissing, put(eve.account))
	w.refused(fault.VaultMissing, put("p-nobody"))
	w.ok(put(dan.account))
	// The owner replaces his keys between sealing and recording: it is sealed again.
	lay, rotated := door.Deposits().Lay, false
	door.Deposits().Lay = func(ctx context.Context, head *safeboxv1.ItemHead, write func(io.Writer) error) error {
		err := lay(ctx, head, write)
		if !rotated {
			rotated = true
			dan.rotates()
		}
		return err
	}
	done, err := door.Deposits().Deposit(t.Context(), deposit.Item{Owner: dan.account, Schema: "licence/1", Content: strings.NewReader("after the change")})
	w.ok(err)
	if _, content, err := dan.reads(done.Item); err != nil || string(content) != "after the change" {
		t.Errorf("%q, %v", content, err)
	}
	if open, err := door.Deposits().Tickets(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("tickets are left: %v, %v", open, err)
	}
}
