// Package client is the Go SDK of the chain: make, sign, send, wait, read, watch,
// and check what a server says. The gateway, the city and the command line speak
// to the chain through it and through nothing else.
//
// It is not a wallet (client/keyring keeps keys), and it trusts the server only
// for what it does not check: the plain reads are the server's word, those of a
// [Verified] are proved.
//
//	messages ──Sign──▶ envelope ──Submit──▶ committed | refused (fault) | unknown (Timeout)
//	                                                                    └─ Send asks again with the same envelope
//
// # Invariants
//
//  1. What was signed is what is sent: an envelope is never rebuilt for a retry,
//     so a message is carried out at most once.
//  2. Send returns nil error only for a transaction that is in a committed block.
package client

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/gen/mulian/catalogue/v1/cataloguev1connect"
	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/gen/mulian/credential/v1/credentialv1connect"
	"mulian/gen/mulian/ereceipt/v1/ereceiptv1connect"
	"mulian/gen/mulian/foreign/v1/foreignv1connect"
	"mulian/gen/mulian/governance/v1/governancev1connect"
	"mulian/gen/mulian/grant/v1/grantv1connect"
	"mulian/gen/mulian/identity/v1/identityv1connect"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	"mulian/gen/mulian/mandate/v1/mandatev1connect"
	"mulian/gen/mulian/recovery/v1/recoveryv1connect"
	"mulian/gen/mulian/safebox/v1/safeboxv1connect"
	"mulian/gen/mulian/share/v1/sharev1connect"
	"mulian/gen/mulian/trace/v1/tracev1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Client speaks to one server. It is safe for concurrent use; nothing happens on
// the network before the first call.
type Client struct {
	Ledger     ledgerv1connect.LedgerServiceClient
	Catalogue  cataloguev1connect.CatalogueServiceClient
	Grant      grantv1connect.GrantServiceClient
	Share      sharev1connect.ShareServiceClient
	Safebox    safeboxv1connect.SafeboxServiceClient
	Identity   identityv1connect.IdentityServiceClient
	Governance governancev1connect.GovernanceServiceClient
	Trace      tracev1connect.TraceServiceClient
	EReceipt   ereceiptv1connect.EReceiptServiceClient
	Foreign    foreignv1connect.ForeignServiceClient
	Recovery   recoveryv1connect.RecoveryServiceClient
	Mandate    mandatev1connect.MandateServiceClient
	Hook       consolev1connect.HookServiceClient
	Overview   consolev1connect.OverviewServiceClient
	Credential credentialv1connect.CredentialServiceClient

	// Clock says until when an envelope counts; nil: time.Now. It is set before the first
	// call, by a test.
	Clock func() time.Time

	url    string
	reader *reader

	mu      sync.Mutex // guards chainID
	chainID string
}

// dialTimeout bounds the making of one connection. Answers have the caller's
// context, or defaultTimeout in [Client.Send].
const dialTimeout = 3 * time.Second

// HTTPClient returns the HTTP client with which we reach servers and gateways:
// bounded connecting, many requests on one host, no proxy for loopback.
func HTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   dialTimeout,
		ExpectContinueTimeout: time.Second,
	}}
}

// New returns a client of the server at the base URL ("http://127.0.0.1:8080").
func New(url string) *Client { return NewWith(url, HTTPClient()) }

// NewWith is New with the HTTP client to use.
func NewWith(url string, h connect.HTTPClient) *Client {
	r := &reader{}
	opts := []connect.ClientOption{
		connect.WithReadMaxBytes(wire.MaxMessageBytes),
		connect.WithSendMaxBytes(wire.MaxMessageBytes),
		connect.WithInterceptors(r),
	}
	c := &Client{
		Ledger:     ledgerv1connect.NewLedgerServiceClient(h, url, opts...),
		Catalogue:  cataloguev1connect.NewCatalogueServiceClient(h, url, opts...),
		Grant:      grantv1connect.NewGrantServiceClient(h, url, opts...),
		Share:      sharev1connect.NewShareServiceClient(h, url, opts...),
		Safebox:    safeboxv1connect.NewSafeboxServiceClient(h, url, opts...),
		Identity:   identityv1connect.NewIdentityServiceClient(h, url, opts...),
		Governance: governancev1connect.NewGovernanceServiceClient(h, url, opts...),
		Trace:      tracev1connect.NewTraceServiceClient(h, url, opts...),
		EReceipt:   ereceiptv1connect.NewEReceiptServiceClient(h, url, opts...),
		Recovery:   recoveryv1connect.NewRecoveryServiceClient(h, url, opts...),
		Mandate:    mandatev1connect.NewMandateServiceClient(h, url, opts...),
		Hook:       consolev1connect.NewHookServiceClient(h, url, opts...),
		Overview:   consolev1connect.NewOverviewServiceClient(h, url, opts...),
		Foreign:    foreignv1connect.NewForeignServiceClient(h, url, opts...),
		Credential: credentialv1connect.NewCredentialServiceClient(h, url, opts...),
		url:        url, reader: r,
	}
	r.c = c
	return c
}

// URL returns the base URL of the server.
func (c *Client) URL() string { return c.url }

// Status asks the server how it is. Unreachable if nobody answers.
func (c *Client) Status(ctx context.Context) (*ledgerv1.GetStatusResponse, error) {
	res, err := c.Ledger.GetStatus(ctx, connect.NewRequest(&ledgerv1.GetStatusRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg, nil
}

func (c *Client) now() time.Time {
	if c.Clock == nil {
		return time.Now()
	}
	return c.Clock()
}

// ClockOff tells by how much our clock is ahead of the server's (behind it: negative), as
// far as that is certain; 0 if it need not be. The server's word for it is all there is:
// enough to say why something does not work, and for nothing else.
func (c *Client) ClockOff(ctx context.Context) (time.Duration, error) {
	began := c.now()
	res, err := c.Ledger.GetStatus(ctx, connect.NewRequest(&ledgerv1.GetStatusRequest{}))
	if err != nil {
		return 0, wire.Fault(err)
	}
	ended := c.now()
	theirs, err := http.ParseTime(res.Header().Get("Date")) // in whole seconds
	switch {
	case err != nil:
		return 0, fault.Newf(fault.NotFound, "the server does not tell its time")
	case theirs.Add(time.Second).Before(began):
		return began.Sub(theirs.Add(time.Second)), nil
	case theirs.After(ended):
		return ended.Sub(theirs), nil
	}
	return 0, nil
}

// ChainID returns the chain's id, asked once.
func (c *Client) ChainID(ctx context.Context) (string, error) {
	c.mu.Lock()
	id := c.chainID
	c.mu.Unlock()
	if id != "" {
		return id, nil
	}
	s, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.chainID = s.GetChainId()
	c.mu.Unlock()
	return s.GetChainId(), nil
}
