package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/gateway/deliver"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/consent"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// opening is what a data user gives to the owner whom it asks, and to its own clerks: the
// values of which the ledger has salted hashes alone. Whoever has the file knows what the
// hashes are of, so it goes by a way of its own (a code on a counter's screen, a sealed letter).
type opening struct {
	Request string `json:"request,omitempty"`
	// Of a confidential use: the entry and its version.
	Entry     string `json:"entry,omitempty"`
	Version   uint64 `json:"version,omitempty"`
	EntrySalt string `json:"entry_salt,omitempty"` // salts in hex
	// The row scope, a condition on the entry's items: "区 == '东城'".
	Scope     string `json:"scope,omitempty"`
	ScopeSalt string `json:"scope_salt,omitempty"`
	// The contract or case.
	Business     string `json:"business,omitempty"`
	BusinessSalt string `json:"business_salt,omitempty"`
	// Of the match number; the number itself is on the data user's screen, not here.
	MatchSalt string `json:"match_salt,omitempty"`
}

// maxOpening bounds such a file.
const maxOpening = 64 << 10

func readOpening(path string) (*opening, error) {
	o := &opening{}
	if path == "" {
		return o, nil
	}
	raw, err := readBounded(path, maxOpening)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "--opening")
	}
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	return o, nil
}

// write writes the file for its owner alone; it replaces none.
func (o *opening) write(path string) error {
	raw, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return durable.CreateFile(path, append(raw, '\n'), 0o600)
}

// commit returns the commitment to a value under a new salt, and the salt.
func commit(value string) (sum []byte, salt string, err error) {
	s := make([]byte, consent.SaltBytes)
	rand.Read(s)
	sum, err = consent.Private(s, value)
	return sum, hex.EncodeToString(s), err
}

// opens checks that a value and its salt are what a commitment is of.
func opens(what, value, salt string, sum []byte) error {
	raw, err := hex.DecodeString(salt)
	if err == nil {
		var got []byte
		if got, err = consent.Private(raw, value); err == nil && bytes.Equal(got, sum) {
			return nil
		}
	}
	return &fault.Fault{Code: fault.VerificationFailed, Text: "the opening of the " + what + " is missing, or not the one that the ledger has a hash of", Err: err}
}

// check holds the opening against a request and its use, as the ledger has them.
func (o *opening) check(r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	if len(r.GetScopeCommitment()) > 0 {
		if err := opens("row scope", o.Scope, o.ScopeSalt, r.GetScopeCommitment()); err != nil {
			return err
		}
	}
	if o.Business != "" {
		if err := opens("business reference", o.Business, o.BusinessSalt, r.GetBusinessReference()); err != nil {
			return err
		}
	}
	if u.GetEntry() == "" {
		return opens("entry", deliver.EntryText(o.Entry, o.Version), o.EntrySalt, u.GetEntryCommitment())
	}
	return nil
}

// newMatch makes the two digits that a data user shows, and the commitment to them.
func newMatch() (number string, sum []byte, salt string, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(100))
	if err != nil {
		return "", nil, "", err
	}
	s := make([]byte, consent.SaltBytes)
	rand.Read(s)
	number = fmt.Sprintf("%02d", n)
	sum, err = consent.Match(s, number)
	return number, sum, hex.EncodeToString(s), err
}

// matchTries is how many wrong numbers close a request (spec/safebox.md 4.2).
const matchTries = 3

// match compares the number that the owner was shown with the request's before anything is
// signed. A wrong one counts in this home; the third declines the request with MISMATCH, which
// closes it and counts against the data user: the ledger cannot count what was refused.
func (a *app) match(cmd *cobra.Command, cl *client.Client, r *grantv1.DataRequest, y *answer) error {
	if len(r.GetMatchCommitment()) == 0 {
		return nil
	}
	salt, err := hex.DecodeString(y.matchSalt)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "--match-salt")
	}
	if y.match == "" {
		return fault.Newf(fault.MatchWrong, "%s", a.t("请求要求核对码：用 --match 输入数据使用方屏幕上的两位数字", "the request has a match number: give the two digits on the data user's screen with --match"))
	}
	tries := a.path("grants", r.GetId()+".tries")
	if sum, err := consent.Match(salt, y.match); err == nil && bytes.Equal(sum, r.GetMatchCommitment()) {
		return nil
	}
	n := 0
	if raw, err := os.ReadFile(tries); err == nil {
		n, _ = strconv.Atoi(strings.TrimSpace(string(raw))) // what cannot be read counts as none
	}
	n++
	if a.dryRun {
		return fault.Newf(fault.MatchWrong, "%.4q", y.match)
	}
	if err := durable.MkdirPrivate(filepath.Dir(tries)); err != nil {
		return err
	}
	if err := durable.ReplaceFile(tries, fmt.Appendf(nil, "%d\n", n), 0o600); err != nil {
		return err
	}
	if n < matchTries {
		return fault.Newf(fault.MatchWrong, a.t("%.4q 不是屏幕上的数字；还可再试 %d 次", "%.4q is not the number on the screen; %d more tries"), y.match, matchTries-n)
	}
	if _, err := a.act(cmd.Context(), cl, &grantv1.DeclineRequest{Request: r.GetId(), Cause: grantv1.DeclineCause_DECLINE_CAUSE_MISMATCH, Mandate: y.mandate}); err != nil {
		return err
	}
	return fault.Newf(fault.MatchWrong, "%s", a.t("三次都不对：已关闭该请求并报告监管方", "wrong three times: the request is closed, and reported to the supervisors"))
}
