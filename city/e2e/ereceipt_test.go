package e2e_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"mulian/client"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/rules/rulestest"
)

// races is how often two insurers run for one receipt.
const races = 1000

// TestTwoInsurersRaceForOneReceipt: a thousand receipts, and for each two insurers who hold
// the document and lock it at the same moment, in transactions of their own, through the
// server of a real node. Each time exactly one has it, the other hears AlreadyLocked, and
// the ledger says the same.
func TestTwoInsurersRaceForOneReceipt(t *testing.T) {
	n := races
	if testing.Short() {
		n = 50
	}
	dir := t.TempDir()
	w := newTown(record(t, dir), dir)
	unit, insurers := w.signer(rulestest.Code(31)), []client.Signer{w.signer(rulestest.Code(32)), w.signer(rulestest.Code(33))}
	for i, s := range append([]client.Signer{unit}, insurers...) {
		w.as(w.authority, &identityv1.RegisterOrg{Code: s.Account, Profile: profile(fmt.Sprintf("票据当事方%d", i)), Keys: rootKeys(s)})
	}
	key := fiscal.RangeKey{7}
	commitment := key.Commitment()
	w.as(w.authority, &ereceiptv1.AllotRange{
		Code: "11010126", First: "0000000001", Last: "0000009999", Unit: unit.Account, UntilMs: time.Now().AddDate(0, 0, 30).UnixMilli(), KeyCommitment: commitment[:],
	})
	locks := make([][2]*ereceiptv1.NewLock, n)
	const batch = 50
	for from := 0; from < n; from += batch {
		issueBatch(w, unit, insurers, key, locks[from:min(from+batch, n)], from)
	}

	wins := make([]int, n) // insurer that has it
	run := func(i int) error {
		codes, wg := [2]fault.Code{}, sync.WaitGroup{}
		for side, s := range insurers {
			wg.Go(func() {
				_, err := w.chain.Send(context.Background(), s, &ereceiptv1.LockReceipts{Locks: []*ereceiptv1.NewLock{locks[i][side]}})
				codes[side] = fault.CodeOf(err)
			})
		}
		wg.Wait()
		switch codes {
		case [2]fault.Code{fault.OK, fault.AlreadyLocked}:
			wins[i] = 0
		case [2]fault.Code{fault.AlreadyLocked, fault.OK}:
			wins[i] = 1
		default:
			return fmt.Errorf("race %d ended %v", i, codes)
		}
		return nil
	}
	began := time.Now()
	jobs, errs := make(chan int), make(chan error, n)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			for i := range jobs {
				if err := run(i); err != nil {
					errs <- err
				}
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	count := [2]int{}
	for i := range n {
		r := &ereceiptv1.EReceipt{}
		if !w.get("ereceipt/receipt/"+hex.EncodeToString(locks[i][0].Handle), r) || r.GetLock().GetOrg() != insurers[wins[i]].Account {
			t.Fatalf("race %d: the ledger says %v, insurer %d was told that it has it", i, r.GetLock(), wins[i])
		}
		count[wins[i]]++
	}
	w.neverShows("p0000000007", "p0000000031") // what payers are called before it is hashed
	t.Logf("%d races in %s: %d and %d won", n, time.Since(began).Round(time.Millisecond), count[0], count[1])
}

// issueBatch issues and supervises receipts and makes both insurers' locks of each.
func issueBatch(w *town, unit client.Signer, insurers []client.Signer, key fiscal.RangeKey, into [][2]*ereceiptv1.NewLock, from int) {
	w.Helper()
	closes, until := time.Now().AddDate(0, 0, 20).UnixMilli(), time.Now().AddDate(0, 0, 1).UnixMilli()
	all, both := &ereceiptv1.IssueReceipts{Range: "11010126-0000000001"}, &ereceiptv1.SuperviseReceipts{}
	for i := range into {
		number := fmt.Sprintf("%010d", from+i+1)
		s := key.Secret("11010126", number)
		handle, content, payer, check := s.Handle("11010126", number), sm.SM3([]byte(number)), s.Payer("p"+number), s.Check(number[4:])
		scaled, err := s.Amount(int64(1000 + i))
		w.ok(err)
		holding, err := s.Holding()
		w.ok(err)
		unitSig, err := unit.Key.Sign(fiscal.UnitStatement(content[:]))
		w.ok(err)
		bureauSig, err := w.authority.Key.Sign(fiscal.SuperviseStatement(content[:], unitSig))
		w.ok(err)
		all.Receipts = append(all.Receipts, &ereceiptv1.NewReceipt{
			Handle: handle[:], HoldingKey: holding.Public().Bytes(), ContentHash: content[:], PayerCommitment: payer[:], CheckCommitment: check[:],
			ScaledAmount: scaled, ClosesMs: closes, UnitKey: unit.Key.Public().ID(), UnitSignature: unitSig,
		})
		both.Receipts = append(both.Receipts, &ereceiptv1.Supervision{Handle: handle[:], Key: w.authority.Key.Public().ID(), Signature: bureauSig})
		for side, insurer := range insurers {
			claim := fiscal.Claim([32]byte{byte(side)}, number)
			sig, err := holding.Sign(fiscal.HoldStatement(chainID, insurer.Account, handle[:], claim[:], until))
			w.ok(err)
			into[i][side] = &ereceiptv1.NewLock{
				Handle: handle[:], ClaimCommitment: claim[:], UntilMs: until, PayerCommitment: payer[:], CheckCommitment: check[:], ScaledAmount: scaled, HoldingSignature: sig,
			}
		}
	}
	w.as(unit, all)
	w.as(w.authority, both)
}
