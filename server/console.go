package server

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/index"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/internal/wire"
)

// Bounds of what a page may ask; our own choice.
const (
	maxNames    = 500
	maxFindText = 200
	maxHits     = 20
	defaultHits = 8
)

// consoleAPI answers what the pages need beside the nouns' lists.
type consoleAPI struct{ s *Server }

// language is the one that is asked for, else that of the browser.
func language(asked string, req connect.AnyRequest) sentence.Language {
	return sentence.Accept(cmp.Or(asked, req.Header().Get("Accept-Language")))
}

// people shows ids, without the table in which they stand, by their names.
func (s *Server) people(ctx context.Context) sentence.Names {
	names := s.names(ctx)
	return func(id string) string {
		for _, table := range []string{index.Account, index.Entry, index.Duty} {
			if n := names(table + id); n != "" {
				return n
			}
		}
		return ""
	}
}

// GetConsole implements ConsoleService.
func (c consoleAPI) GetConsole(ctx context.Context, _ *connect.Request[consolev1.GetConsoleRequest]) (*connect.Response[consolev1.GetConsoleResponse], error) {
	st, err := c.s.status(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	p, _, err := index.Get[governancev1.Parameters](ctx, c.s.index, index.Parameters)
	seats, signIn := c.s.offered(), ""
	if x := c.s.signingIn(); x != nil {
		signIn = x.Title()
	}
	return respond(&consolev1.GetConsoleResponse{
		ChainId: st.GetChainId(), GenesisHash: st.GetGenesisHash(), Version: c.s.opts.Version, Build: c.s.pages.build, Demo: seats != nil && seats.Demo(),
		RpIds: standard.PasskeyRPIDs(p, st.GetChainId()), NowMs: c.s.opts.Now().UnixMilli(), Height: st.GetHeight(), TimeMs: st.GetTimeMs(),
		SignIn: signIn,
	}, err)
}

// ReadBody implements ConsoleService: what is said is made of the bytes alone.
func (c consoleAPI) ReadBody(ctx context.Context, req *connect.Request[consolev1.ReadBodyRequest]) (*connect.Response[consolev1.ReadBodyResponse], error) {
	raw := req.Msg.GetBody()
	if len(raw) == 0 || len(raw) > maxEnvelope {
		return nil, wire.Error(fault.Newf(fault.Malformed, "a body of %d bytes, 1 to %d are possible", len(raw), maxEnvelope))
	}
	body := &txv1.Body{}
	if err := canon.Check(raw, body); err != nil {
		return nil, wire.Error(fault.Wrap(fault.Malformed, err, "these bytes are no transaction"))
	}
	id := client.ID(raw)
	return respond(&consolev1.ReadBodyResponse{Lines: sentence.Body(language(req.Msg.GetLanguage(), req), body, c.s.people(ctx)), TxId: id[:]}, nil)
}

// ListNames implements ConsoleService.
func (c consoleAPI) ListNames(ctx context.Context, req *connect.Request[consolev1.ListNamesRequest]) (*connect.Response[consolev1.ListNamesResponse], error) {
	keys := req.Msg.GetKeys()
	if len(keys) > maxNames {
		return nil, wire.Error(fault.Newf(fault.TooLong, "%d keys, at most %d", len(keys), maxNames))
	}
	if err := checkText(keys...); err != nil {
		return nil, wire.Error(err)
	}
	names, out := c.s.names(ctx, keys...), &consolev1.ListNamesResponse{}
	for _, key := range keys {
		out.Names = append(out.Names, names(key))
	}
	return respond(out, nil)
}

// Explain implements ConsoleService.
func (c consoleAPI) Explain(_ context.Context, req *connect.Request[consolev1.ExplainRequest]) (*connect.Response[consolev1.ExplainResponse], error) {
	code := fault.Code(req.Msg.GetCode())
	t, ok := fault.Explain(code)
	if !ok {
		return nil, wire.Error(fault.Newf(fault.NotFound, "there is no code %d", req.Msg.GetCode()))
	}
	out := &consolev1.ExplainResponse{Code: code.String(), Title: t.TitleEn, Fix: t.FixEn}
	if language(req.Msg.GetLanguage(), req) == sentence.Chinese {
		out.Title, out.Fix = t.TitleZh, t.FixZh
	}
	return respond(out, nil)
}

// Find implements ConsoleService: ids lead to their object, words to duties, entries and
// organisations.
func (c consoleAPI) Find(ctx context.Context, req *connect.Request[consolev1.FindRequest]) (*connect.Response[consolev1.FindResponse], error) {
	text := strings.TrimSpace(req.Msg.GetText())
	if n := utf8.RuneCountInString(text); n > maxFindText {
		return nil, wire.Error(fault.Newf(fault.TooLong, "a search text of %d characters, at most %d", n, maxFindText))
	}
	out, limit := &consolev1.FindResponse{}, int(min(cmp.Or(req.Msg.GetLimit(), defaultHits), maxHits))
	if text == "" {
		return respond(out, nil)
	}
	c.s.freshWithin(ctx, searchCatchUp)
	names := c.s.names(ctx)
	add := func(key, name string) {
		if len(out.Hits) < limit && !slices.ContainsFunc(out.Hits, func(h *consolev1.Hit) bool { return h.Key == key }) {
			out.Hits = append(out.Hits, &consolev1.Hit{Key: key, Name: name})
		}
	}
	for _, key := range c.direct(ctx, text) {
		add(key, names(key))
	}
	accounts, _, _, err := index.List[identityv1.Account](ctx, c.s.index, index.Filter{Kind: index.Account, Text: text, Class: int32(identityv1.AccountKind_ACCOUNT_KIND_ORG), Limit: uint32(limit)})
	if err != nil {
		return nil, wire.Error(err)
	}
	for _, a := range accounts {
		add(index.Account+a.GetId(), a.GetProfile().GetName())
	}
	found, err := c.s.index.Search(ctx, &cataloguev1.SearchRequest{Text: text, Limit: uint32(limit)})
	if err != nil {
		return nil, wire.Error(err)
	}
	for _, h := range found.GetHits() {
		add(h.GetKey(), h.GetTitle())
	}
	return respond(out, nil)
}

// direct are the objects that have exactly this id: a height, a transaction, whatever
// stands in the index under it.
func (c consoleAPI) direct(ctx context.Context, text string) (keys []string) {
	if height, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64); err == nil && height > 0 && len(text) <= 15 {
		if st, err := c.s.chain.Status(ctx); err == nil && height <= st.GetHeight() {
			keys = append(keys, "block/"+strconv.FormatInt(height, 10))
		}
	}
	id := strings.ToLower(strings.TrimPrefix(text, "0x"))
	if raw, err := hex.DecodeString(id); err == nil && len(raw) == txIDSize {
		if _, err := c.s.chain.Tx(ctx, raw); err == nil {
			keys = append(keys, "tx/"+id)
		}
	}
	ids := []string{text}
	for _, table := range []string{index.DataRequest, index.Grant, index.IntendedUse, index.Evidence, index.Credential} {
		ids = append(ids, table+id)
	}
	if found, err := c.s.index.ResolveAll(ctx, ids...); err == nil {
		keys = append(keys, found...)
	}
	return keys
}
