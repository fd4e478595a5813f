package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	"mulian/internal/fault"
)

// refusing answers every GetStatus with one error.
type refusing struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
	err error
}

func (r refusing) GetStatus(context.Context, *connect.Request[ledgerv1.GetStatusRequest]) (*connect.Response[ledgerv1.GetStatusResponse], error) {
	return nil, Error(r.err)
}

// call brings an error over a real connection in one protocol and back.
func call(t *testing.T, err error, opts ...connect.ClientOption) error {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(refusing{err: err}))
	s := httptest.NewServer(mux)
	defer s.Close()
	_, got := ledgerv1connect.NewLedgerServiceClient(s.Client(), s.URL, opts...).GetStatus(t.Context(), connect.NewRequest(&ledgerv1.GetStatusRequest{}))
	return Fault(got)
}

// TestEveryCodeSurvives: code, rule, element and text of each refusal arrive as they
// were, in each protocol.
func TestEveryCodeSurvives(t *testing.T) {
	for name, opts := range map[string][]connect.ClientOption{"connect": nil, "json": {connect.WithProtoJSON()}, "grpcweb": {connect.WithGRPCWeb()}} {
		for _, x := range fault.All() {
			sent := &fault.Fault{Code: x.Code, Rule: "share/answer", Item: 7, Text: "拒绝 " + x.TitleEn}
			got, ok := errors.AsType[*fault.Fault](call(t, sent, opts...))
			if !ok || got.Code != sent.Code || got.Rule != sent.Rule || got.Item != sent.Item || got.Text != sent.Text {
				t.Errorf("%s: sent %+v, got %+v", name, sent, got)
			}
		}
	}
}

// TestCauseStaysHere: a plain error becomes Internal, and what it says does not leave
// the process; nor does the cause of a fault.
func TestCauseStaysHere(t *testing.T) {
	const secret = "password=hunter2"
	for _, err := range []error{errors.New(secret), fmt.Errorf("read: %w", errors.New(secret)), &fault.Fault{Code: fault.Damaged, Text: "torn", Err: errors.New(secret)}} {
		got := call(t, err)
		if strings.Contains(fmt.Sprintf("%v %+v", got, errors.Unwrap(got)), "hunter2") {
			t.Errorf("%v left the process: %v", err, got)
		}
	}
	if got := call(t, errors.New(secret)); !fault.Is(got, fault.Internal) {
		t.Errorf("a plain error arrives as %v", fault.CodeOf(got))
	}
}

// TestConnectionErrors: what is no answer of ours is Unreachable, Timeout or Cancelled.
func TestConnectionErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	c := ledgerv1connect.NewLedgerServiceClient(http.DefaultClient, url)
	if _, err := c.GetStatus(t.Context(), connect.NewRequest(&ledgerv1.GetStatusRequest{})); !fault.Is(Fault(err), fault.Unreachable) {
		t.Errorf("nobody listens: %v", Fault(err))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.GetStatus(ended, connect.NewRequest(&ledgerv1.GetStatusRequest{})); !fault.Is(Fault(err), fault.Cancelled) {
		t.Errorf("stopped by the caller: %v", Fault(err))
	}
	if got := call(t, context.DeadlineExceeded); !fault.Is(got, fault.Timeout) {
		t.Errorf("a deadline on the other side: %v", got)
	}
	upstream := connect.NewError(connect.CodeDeadlineExceeded, errors.New("no answer"))
	if got := call(t, &fault.Fault{Code: fault.LogNotIncluded, Text: "not counted yet", Err: Fault(upstream)}); !fault.Is(got, fault.LogNotIncluded) {
		t.Errorf("a fault of ours because of another server's: %v", got)
	}
	if Error(nil) != nil || Fault(nil) != nil {
		t.Error("nil is an error")
	}
}
