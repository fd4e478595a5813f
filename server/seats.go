package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"connectrpc.com/connect"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Seats gives accounts to keys that people have made in their browsers. Only a process that
// holds an organisation's ROOT key can: the demo city, or a member with a setup link.
type Seats interface {
	// Demo reports whether seats are free for whoever comes: nothing here counts.
	Demo() bool
	// List returns what is offered, with a setup link's token or without.
	List(ctx context.Context, token string) ([]*consolev1.Seat, error)
	// Take puts the key on the ledger. NotFound: no such seat; Forbidden: the token does not
	// hold any more; what the ledger refuses. The same keys again get the same account.
	Take(ctx context.Context, m *consolev1.TakeSeatRequest) (*consolev1.TakeSeatResponse, error)
}

// MachineKeys is what [Seats] can do besides where nothing counts: give a post a key for its
// programs, and take it back.
type MachineKeys interface {
	// PutMachineKey signs AddKey or RevokeKey as the post's organisation. Forbidden: no post of
	// a seat.
	PutMachineKey(ctx context.Context, m *consolev1.PutMachineKeyRequest) (*consolev1.PutMachineKeyResponse, error)
}

// Offer lets people take seats from now on; nil ends it.
func (s *Server) Offer(seats Seats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seats = seats
}

func (s *Server) offered() Seats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seats
}

// ListSeats implements ConsoleService.
func (c consoleAPI) ListSeats(ctx context.Context, req *connect.Request[consolev1.ListSeatsRequest]) (*connect.Response[consolev1.ListSeatsResponse], error) {
	if err := checkText(req.Msg.GetToken()); err != nil {
		return nil, wire.Error(err)
	}
	out := &consolev1.ListSeatsResponse{}
	seats := c.s.offered()
	if seats == nil {
		return respond(out, nil)
	}
	var err error
	out.Seats, err = seats.List(ctx, req.Msg.GetToken())
	return respond(out, err)
}

// SeatKeys are the keys of who takes a seat: the officer's, and the browser's own if it brought
// one, by which the pages say who reads and which signs nothing that an officer has to. Missing
// without the first.
func SeatKeys(m *consolev1.TakeSeatRequest, label string) ([]*identityv1.Key, error) {
	k := m.GetKey()
	if k == nil {
		return nil, fault.Newf(fault.Missing, "a seat is taken by bringing a key")
	}
	out := []*identityv1.Key{{
		Id: k.GetId(), Algorithm: k.GetAlgorithm(), PublicKey: k.GetPublicKey(), Passkey: k.GetPasskey(), Level: identityv1.KeyLevel_KEY_LEVEL_OFFICER, Label: label,
	}}
	if d := m.GetDevice(); d != nil {
		out = append(out, &identityv1.Key{Id: d.GetId(), Algorithm: d.GetAlgorithm(), PublicKey: d.GetPublicKey(), Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE, Label: "device"})
	}
	return out, nil
}

// SeatOf names the post of who brings these keys to a seat: the same keys have the same name, so
// that who did not get the answer asks again and is told of the post that he has.
func SeatOf(seat []byte, keys []*identityv1.Key) string {
	sum := sha256.New()
	sum.Write(seat)
	for _, k := range keys {
		fmt.Fprintf(sum, "%q %q ", k.GetId(), k.GetPublicKey())
	}
	return "web-" + hex.EncodeToString(sum.Sum(nil)[:4])
}

// Taken answers who asks again for what he has: the account, at today's height.
func Taken(ctx context.Context, chain *client.Client, account string) (*consolev1.TakeSeatResponse, error) {
	st, err := chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	return &consolev1.TakeSeatResponse{Account: account, Height: st.GetHeight()}, nil
}

// TakeSeat implements ConsoleService.
func (c consoleAPI) TakeSeat(ctx context.Context, req *connect.Request[consolev1.TakeSeatRequest]) (*connect.Response[consolev1.TakeSeatResponse], error) {
	m := req.Msg
	if err := checkText(m.GetSeat(), m.GetToken(), m.GetAccount()); err != nil {
		return nil, wire.Error(err)
	}
	if x := c.s.signingIn(); x != nil && x.Holds(m.GetToken()) {
		return respond(x.Take(ctx, m))
	}
	seats := c.s.offered()
	if seats == nil {
		return nil, wire.Error(fault.Newf(fault.NotFound, "this server has no seats to give: ask the administrator of your organisation for a setup link"))
	}
	return respond(seats.Take(ctx, m))
}

// PutMachineKey implements ConsoleService.
func (c consoleAPI) PutMachineKey(ctx context.Context, req *connect.Request[consolev1.PutMachineKeyRequest]) (*connect.Response[consolev1.PutMachineKeyResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAccount(), m.GetKey().GetId(), m.GetKey().GetLabel()); err != nil {
		return nil, wire.Error(err)
	}
	keys, ok := c.s.offered().(MachineKeys)
	if !ok {
		return nil, wire.Error(fault.Newf(fault.Forbidden, "this server holds no ROOT key: who holds that of your organisation signs AddKey for the post"))
	}
	return respond(keys.PutMachineKey(ctx, m))
}

// guarded are the calls that use a ROOT key of this process, or lead to one that does.
var guarded = map[string]bool{
	consolev1connect.ConsoleServiceTakeSeatProcedure: true, consolev1connect.ConsoleServicePutMachineKeyProcedure: true,
	consolev1connect.ConsoleServiceBeginSignInProcedure: true, consolev1connect.ConsoleServiceFinishSignInProcedure: true,
}

// ownPage refuses a call that does not come from a page of this server: another site's page
// in the same browser may reach a loopback address, too, and a name may be made to lead here.
func (s *Server) ownPage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if guarded[r.URL.Path] && !s.fromOwnPage(r) {
			_ = connect.NewErrorWriter().Write(w, r, wire.Error(fault.Newf(fault.Forbidden, "seats are given only on a page of this server, opened by its own name")))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) fromOwnPage(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || origin.Host == "" || !strings.EqualFold(origin.Host, r.Host) {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	seats := s.offered()
	if seats == nil || !seats.Demo() {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
