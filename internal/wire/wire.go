// Package wire carries faults over Connect: [Error] on the answering side,
// [Fault] on the asking side. The code, rule and text survive; a cause inside
// the answering process does not leave it.
//
// It is not a transport and knows no service.
package wire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"syscall"

	"connectrpc.com/connect"

	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
)

// MaxMessageBytes bounds one message in either direction: a block of 2 MiB with
// its envelope, or a page of a delivery. Our own choice.
const MaxMessageBytes = 8 << 20

// Error turns err into the error of a Connect handler. A plain error becomes
// Internal: its text stays here, the caller gets a reference that stands in the
// log beside it. It returns nil for nil.
func Error(err error) error {
	if err == nil {
		return nil
	}
	if ce, ok := errors.AsType[*connect.Error](err); ok {
		if f, ours := errors.AsType[*fault.Fault](err); !ours || !errors.Is(f, ce) {
			return err
		} // else a fault of ours that says why, by what another server answered: the fault counts
	}
	code := fault.CodeOf(err)
	ref := &txv1.Refusal{Code: uint32(code), Reference: Reference()}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		ref.Rule, ref.Item, ref.Text = f.Rule, f.Item, f.Text
	} else if code == fault.Internal {
		ref.Text = "an error of our own; nothing was changed"
	} else {
		ref.Text = code.String()
	}
	out := connect.NewError(status(code), errors.New(ref.GetText()))
	if d, err := connect.NewErrorDetail(ref); err == nil {
		out.AddDetail(d)
	}
	out.Meta().Set("Mulian-Reference", ref.GetReference())
	out.Meta().Set("Mulian-Code", code.String())
	return out
}

// Refusal is what an error of [Error] tells the other side, for a message that carries
// several answers.
func Refusal(err error) *txv1.Refusal {
	f := &fault.Fault{Code: fault.CodeOf(Fault(err)), Text: fault.CodeOf(Fault(err)).String()}
	if x, ok := errors.AsType[*fault.Fault](Fault(err)); ok {
		f = x
	}
	r := &txv1.Refusal{Code: uint32(f.Code), Rule: f.Rule, Item: f.Item, Text: f.Text}
	if ce, ok := errors.AsType[*connect.Error](err); ok {
		r.Reference = ce.Meta().Get("Mulian-Reference")
	}
	return r
}

// Refused is the fault that a refusal carries.
func Refused(r *txv1.Refusal) error {
	return &fault.Fault{Code: fault.Code(r.GetCode()), Rule: r.GetRule(), Item: r.GetItem(), Text: r.GetText()}
}

// Fault turns an error of a Connect call back into a *fault.Fault. What has no
// detail of ours is Unreachable, Timeout, Cancelled or Internal by its nature.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Fault](err); ok {
		return err
	}
	ce, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return local(err)
	}
	for _, d := range ce.Details() {
		m, err := d.Value()
		if err != nil {
			continue
		}
		if r, ok := m.(*txv1.Refusal); ok {
			return &fault.Fault{Code: fault.Code(r.GetCode()), Rule: r.GetRule(), Item: r.GetItem(), Text: r.GetText()}
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		// Connect calls a message that was cut by a broken connection an invalid one.
		return local(err)
	}
	switch ce.Code() {
	case connect.CodeCanceled:
		return &fault.Fault{Code: fault.Cancelled, Text: "stopped", Err: err}
	case connect.CodeDeadlineExceeded:
		return &fault.Fault{Code: fault.Timeout, Text: "no answer in time; the outcome is unknown", Err: err}
	case connect.CodeUnavailable, connect.CodeAborted:
		return local(err)
	case connect.CodeInvalidArgument, connect.CodeResourceExhausted, connect.CodeOutOfRange:
		return &fault.Fault{Code: fault.Malformed, Text: ce.Message(), Err: err}
	case connect.CodeNotFound, connect.CodeUnimplemented:
		return &fault.Fault{Code: fault.NotFound, Text: ce.Message(), Err: err}
	case connect.CodePermissionDenied, connect.CodeUnauthenticated:
		return &fault.Fault{Code: fault.Forbidden, Text: ce.Message(), Err: err}
	}
	return &fault.Fault{Code: fault.Internal, Text: ce.Message(), Err: err}
}

// local judges an error of our own side of the connection.
func local(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return &fault.Fault{Code: fault.Cancelled, Text: "stopped", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &fault.Fault{Code: fault.Timeout, Text: "no answer in time; the outcome is unknown", Err: err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &fault.Fault{Code: fault.Unreachable, Text: "nobody listens there", Err: err}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return &fault.Fault{Code: fault.Unreachable, Text: "no connection", Err: err}
	}
	return &fault.Fault{Code: fault.Unreachable, Text: "the connection broke", Err: err}
}

// status is the closest of Connect's codes: for foreign clients and proxies,
// which know only those (and the HTTP status that follows from them).
func status(c fault.Code) connect.Code {
	switch c {
	case fault.NotFound:
		return connect.CodeNotFound
	case fault.AlreadyExists, fault.DuplicateName, fault.Replayed, fault.Idempotency:
		return connect.CodeAlreadyExists
	case fault.BadAuthorisation, fault.KeyRevoked, fault.OriginUnknown, fault.RpIdUnknown, fault.UvMissing, fault.KeyBackupChanged, fault.StepUpBad:
		return connect.CodeUnauthenticated
	case fault.Forbidden, fault.NotWhitelisted, fault.Suspended, fault.LevelTooLow, fault.CloneSuspected, fault.AccountFrozen:
		return connect.CodePermissionDenied
	case fault.Busy, fault.DailyLimit, fault.TotalLimit, fault.GrantedLimit:
		return connect.CodeResourceExhausted
	case fault.Unreachable, fault.SourceUnreachable, fault.StaleHeight:
		return connect.CodeUnavailable
	case fault.Timeout:
		return connect.CodeDeadlineExceeded
	case fault.Cancelled:
		return connect.CodeCanceled
	case fault.Internal, fault.Damaged, fault.DiskFull:
		return connect.CodeInternal
	}
	if c >= 13000 && c < 15000 {
		return connect.CodeFailedPrecondition
	}
	return connect.CodeInvalidArgument
}

// Reference makes a number that both sides of a refusal can see: 8 characters.
func Reference() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}
