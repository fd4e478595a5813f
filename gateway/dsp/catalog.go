package dsp

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	rpc "connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// Prefixes of our ids in the data space. What follows is the id on the ledger.
const (
	entryURN     = "urn:mulian:entry:"
	offerURN     = "urn:mulian:offer:"
	agreementURN = "urn:mulian:agreement:"
	orgURN       = "urn:mulian:org:"
)

// Dataset is a dcat:Dataset: one entry of the catalogue, with its offer.
type Dataset struct {
	Context      []string       `json:"@context,omitempty"`
	ID           string         `json:"@id"`
	Type         string         `json:"@type"`
	Title        string         `json:"dct:title,omitempty"`
	Description  string         `json:"dct:description,omitempty"`
	Keywords     []string       `json:"dcat:keyword,omitempty"`
	HasPolicy    []Policy       `json:"hasPolicy"`
	Distribution []Distribution `json:"distribution"`
}

// Distribution is how a dataset is given.
type Distribution struct {
	Type          string `json:"@type"`
	Format        string `json:"format"`
	AccessService string `json:"accessService"`
}

// Catalog is a dcat:Catalog: one page of the entries of this gateway's organisation.
type Catalog struct {
	Context       []string   `json:"@context"`
	ID            string     `json:"@id"`
	Type          string     `json:"@type"`
	ParticipantID string     `json:"participantId"`
	Service       []Endpoint `json:"service"`
	Dataset       []Dataset  `json:"dataset,omitempty"`
}

// Endpoint is where the protocol is spoken: a dcat:DataService.
type Endpoint struct {
	ID          string `json:"@id"`
	Type        string `json:"@type"`
	EndpointURL string `json:"endpointURL"`
}

// offered tells whether an entry is in the catalogue of the data space: published,
// shared, with a table, given by query.
func offered(e *cataloguev1.Entry) bool {
	switch e.GetState() {
	case cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, cataloguev1.EntryState_ENTRY_STATE_UPDATING, cataloguev1.EntryState_ENTRY_STATE_DRIFTED:
	default:
		return false
	}
	return e.GetShareType() != cataloguev1.ShareType_SHARE_TYPE_DENIED && e.GetTable() != "" &&
		slices.Contains(e.GetMethods(), cataloguev1.Method_METHOD_QUERY) && len(given(e)) > 0
}

// given are the codes of the items that can be asked for.
func given(e *cataloguev1.Entry) (codes []string) {
	for _, it := range e.GetItems() {
		if it.GetColumn() != "" && it.GetShareType() != cataloguev1.ShareType_SHARE_TYPE_DENIED && it.GetState() != cataloguev1.ItemState_ITEM_STATE_FROZEN {
			codes = append(codes, it.GetCode())
		}
	}
	return codes
}

// permission is what an offer and an agreement say. The agreement on the ledger says
// more; this much can be said in ODRL's own words.
func permission(e *cataloguev1.Entry) []Rule {
	use := Rule{Action: "use"}
	if p := e.GetConditions().GetPurposes(); len(p) > 0 {
		use.Constraint = []map[string]any{{"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": p}}
	}
	return []Rule{use}
}

func (f *Facade) dataset(e *cataloguev1.Entry) Dataset {
	return Dataset{
		ID: urn(entryURN, e.GetId()), Type: "Dataset", Title: e.GetName(), Description: e.GetAbstract(), Keywords: e.GetKeywords(),
		HasPolicy:    []Policy{{ID: urn(offerURN, e.GetId()), Type: "Offer", Permission: permission(e)}},
		Distribution: []Distribution{{Type: "Distribution", Format: Format, AccessService: f.service().ID}},
	}
}

func (f *Facade) service() Endpoint {
	return Endpoint{ID: orgURN + f.opts.Org + ":dsp", Type: "DataService", EndpointURL: f.base + "/dsp"}
}

// urn makes an id of ours; the id on the ledger may have any characters.
func urn(prefix, id string) string { return prefix + url.PathEscape(id) }

// fromURN reads it back.
func fromURN(prefix, id string) (string, bool) {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) > maxText {
		return "", false
	}
	rest, err := url.PathUnescape(rest)
	return rest, err == nil && rest != ""
}

// filter reads the texts to look for: the protocol leaves filters to the provider,
// and ours are words.
func filter(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return "", nil
	}
	var words []string
	if err := json.Unmarshal(raw, &words); err != nil || len(words) > maxFilter {
		return "", fault.Newf(fault.Malformed, "filter: at most %d texts to look for are understood", maxFilter)
	}
	text := strings.Join(words, " ")
	if len(text) > maxText {
		return "", fault.Newf(fault.TooLong, "filter: %d bytes", len(text))
	}
	return text, nil
}

func (f *Facade) catalog(w http.ResponseWriter, r *http.Request, _ *participant) error {
	m, err := Read(r.Body, "CatalogRequestMessage")
	if err != nil {
		return err
	}
	text, err := filter(m.Filter)
	if err != nil {
		return err
	}
	after := r.URL.Query().Get("after")
	if len(after) > maxText {
		return fault.Newf(fault.TooLong, "after: %d bytes", len(after))
	}
	res, err := f.opts.Chain.Catalogue.ListEntries(r.Context(), rpc.NewRequest(&cataloguev1.ListEntriesRequest{
		Provider: f.opts.Org, Text: text, After: after, Limit: pageSize,
	}))
	if err != nil {
		return answered(err)
	}
	c := &Catalog{
		Context: []string{Context}, ID: orgURN + f.opts.Org + ":catalog", Type: "Catalog", ParticipantID: f.participantID,
		Service: []Endpoint{f.service()},
	}
	for _, e := range res.Msg.GetEntries() {
		if offered(e) && e.GetProvider() == f.opts.Org {
			c.Dataset = append(c.Dataset, f.dataset(e))
		}
	}
	if next := res.Msg.GetNext(); next != "" {
		w.Header().Set("Link", "<"+f.base+"/dsp/catalog/request?after="+url.QueryEscape(next)+`>; rel="next"`)
	}
	return write(w, http.StatusOK, c)
}

func (f *Facade) oneDataset(w http.ResponseWriter, r *http.Request, _ *participant) error {
	e, err := f.entry(r.Context(), entryURN, r.PathValue("id"))
	if err != nil {
		return err
	}
	d := f.dataset(e)
	d.Context = []string{Context}
	return write(w, http.StatusOK, d)
}

// entry reads, with proof, the entry that an id of ours means. NotFound if it is not
// offered: who may not have it cannot tell it from one that does not exist.
func (f *Facade) entry(ctx context.Context, prefix, id string) (*cataloguev1.Entry, error) {
	name, ok := fromURN(prefix, id)
	e := &cataloguev1.Entry{}
	if ok {
		found, _, err := f.opts.Proved.Get(ctx, "catalogue/entry/"+name, e)
		if err != nil {
			return nil, err
		}
		ok = found && offered(e) && e.GetProvider() == f.opts.Org
	}
	if !ok {
		return nil, fault.Newf(fault.NotFound, "%.200q is not in this catalogue", id)
	}
	return e, nil
}
