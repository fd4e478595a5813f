package dsp

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"mulian/internal/fault"
)

// Context is the JSON-LD context of every message. It is known here and never loaded.
const Context = "https://w3id.org/dspace/2025/1/context.jsonld"

// Version of the protocol.
const Version = "2025-1"

// Format is the only format of our distributions.
const Format = "HttpData-PULL"

// httpEndpoint is the endpoint type of a data address that is read with HTTP.
const httpEndpoint = "https://w3id.org/idsa/v4.1/HTTP"

// States of negotiations and transfers.
const (
	Requested  = "REQUESTED"
	Offered    = "OFFERED"
	Accepted   = "ACCEPTED"
	Agreed     = "AGREED"
	Verified   = "VERIFIED"
	Finalized  = "FINALIZED"
	Started    = "STARTED"
	Suspended  = "SUSPENDED"
	Completed  = "COMPLETED"
	Terminated = "TERMINATED"
)

// Message is any message of the protocol in its compacted form. Which fields stand in
// it is a matter of its type.
type Message struct {
	Context         []string        `json:"@context,omitempty"`
	Type            string          `json:"@type"`
	ProviderPid     *string         `json:"providerPid,omitempty"`
	ConsumerPid     *string         `json:"consumerPid,omitempty"`
	CallbackAddress string          `json:"callbackAddress,omitempty"`
	Offer           *Policy         `json:"offer,omitempty"`
	Agreement       *Policy         `json:"agreement,omitempty"`
	AgreementID     string          `json:"agreementId,omitempty"`
	Format          string          `json:"format,omitempty"`
	DataAddress     *DataAddress    `json:"dataAddress,omitempty"`
	EventType       string          `json:"eventType,omitempty"`
	State           string          `json:"state,omitempty"`
	Code            string          `json:"code,omitempty"`
	Reason          []any           `json:"reason,omitempty"`
	Dataset         json.RawMessage `json:"dataset,omitempty"`
	Filter          json.RawMessage `json:"filter,omitempty"`
}

// Policy is an ODRL offer or agreement.
type Policy struct {
	ID          string `json:"@id"`
	Type        string `json:"@type,omitempty"`
	Target      string `json:"target,omitempty"`
	Assigner    string `json:"assigner,omitempty"`
	Assignee    string `json:"assignee,omitempty"`
	Timestamp   string `json:"timestamp,omitempty"`
	Profile     any    `json:"profile,omitempty"`
	Permission  []Rule `json:"permission,omitempty"`
	Prohibition []Rule `json:"prohibition,omitempty"`
	Obligation  []Rule `json:"obligation,omitempty"`
}

// Rule is an ODRL rule. Constraints are compared, never evaluated: what holds is
// decided by the agreement on the ledger.
type Rule struct {
	Action     string           `json:"action"`
	Constraint []map[string]any `json:"constraint,omitempty"`
}

// DataAddress is where the data of a transfer is read.
type DataAddress struct {
	Type         string             `json:"@type"`
	EndpointType string             `json:"endpointType"`
	Endpoint     string             `json:"endpoint,omitempty"`
	Properties   []EndpointProperty `json:"endpointProperties,omitempty"`
}

// EndpointProperty is one thing to know about an endpoint.
type EndpointProperty struct {
	Type  string `json:"@type"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

func property(name, value string) EndpointProperty {
	return EndpointProperty{Type: "EndpointProperty", Name: name, Value: value}
}

// Read reads one message of the given type. Other contexts beside the protocol's are
// not loaded: its terms are protected, so that they cannot mean something else, and
// further terms are not for us. TooLong; Malformed for what is not the compacted form.
func Read(r io.Reader, kind string) (*Message, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the message cannot be read")
	}
	if len(raw) > maxBody {
		return nil, fault.Newf(fault.TooLong, "a message of more than %d bytes", maxBody)
	}
	if err := shallow(raw); err != nil {
		return nil, err
	}
	var head struct {
		Context json.RawMessage `json:"@context"`
		Type    json.RawMessage `json:"@type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fault.Newf(fault.Malformed, "the message is no JSON object")
	}
	var contexts []string
	if json.Unmarshal(head.Context, &contexts) != nil || len(contexts) == 0 || len(contexts) > maxContext || contexts[0] != Context {
		return nil, fault.Newf(fault.Malformed, "@context has to be a list of addresses that begins with %s: only the compacted form is understood, and no context is loaded", Context)
	}
	var named string
	if json.Unmarshal(head.Type, &named) != nil || named != kind {
		return nil, fault.Newf(fault.Malformed, "@type is %.60s, a %s was expected", head.Type, kind)
	}
	m := &Message{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fault.Newf(fault.Malformed, "the %s is not in the form of the protocol's schema: %v", kind, err)
	}
	return m, m.check()
}

// shallow refuses what is nested deeper than any message.
func shallow(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	for depth := 0; ; {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fault.Newf(fault.Malformed, "the message is no JSON: %v", err)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return fault.Newf(fault.Malformed, "the message is nested deeper than %d", maxDepth)
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// needed lists the fields that the schema of a message requires beside context and type.
var needed = map[string]func(*Message) bool{
	"ContractRequestMessage": func(m *Message) bool {
		return m.ConsumerPid != nil && m.Offer != nil && (m.CallbackAddress != "") != (m.ProviderPid != nil)
	},
	"ContractOfferMessage": func(m *Message) bool {
		return m.ProviderPid != nil && m.Offer != nil && (m.CallbackAddress != "") != (m.ConsumerPid != nil)
	},
	"ContractAgreementMessage":              func(m *Message) bool { return m.pids() && m.Agreement != nil },
	"ContractAgreementVerificationMessage":  (*Message).pids,
	"ContractNegotiationEventMessage":       func(m *Message) bool { return m.pids() && m.EventType != "" },
	"ContractNegotiationTerminationMessage": (*Message).pids,
	"ContractNegotiation":                   func(m *Message) bool { return m.pids() && m.State != "" },
	"ContractNegotiationError":              (*Message).pids,
	"TransferRequestMessage": func(m *Message) bool {
		return m.ConsumerPid != nil && m.AgreementID != "" && m.Format != "" && m.CallbackAddress != ""
	},
	"TransferStartMessage":       (*Message).pids,
	"TransferSuspensionMessage":  (*Message).pids,
	"TransferCompletionMessage":  (*Message).pids,
	"TransferTerminationMessage": (*Message).pids,
	"TransferProcess":            func(m *Message) bool { return m.pids() && m.State != "" },
	"TransferError":              (*Message).pids,
	"CatalogRequestMessage":      func(*Message) bool { return true },
	"CatalogError":               func(*Message) bool { return true },
	"DatasetRequestMessage":      func(m *Message) bool { return len(m.Dataset) != 0 },
}

func (m *Message) pids() bool { return m.ProviderPid != nil && m.ConsumerPid != nil }

func (m *Message) check() error {
	if has := needed[m.Type]; has == nil || !has(m) {
		return fault.Newf(fault.Missing, "the %s lacks a required field, or has two that exclude each other", m.Type)
	}
	for _, s := range []*string{m.ProviderPid, m.ConsumerPid, &m.CallbackAddress, &m.AgreementID, &m.Format, &m.EventType, &m.Code} {
		if s != nil && len(*s) > maxText {
			return fault.Newf(fault.TooLong, "a field of the %s has %d bytes", m.Type, len(*s))
		}
	}
	if m.ConsumerPid != nil && *m.ConsumerPid == "" {
		return fault.Newf(fault.Empty, "consumerPid is empty")
	}
	if m.ConsumerPid != nil && !plain(*m.ConsumerPid) {
		return fault.Newf(fault.Malformed, "consumerPid: a URN, a UUID or an address, without steps to other places (..) and without characters that cannot be seen")
	}
	if len(m.Reason) > maxReasons {
		return fault.Newf(fault.TooLong, "%d reasons", len(m.Reason))
	}
	return nil
}

// plain tells whether a pid of the connector may stand in an address below its own. Its
// slashes are escaped there, but not every server leaves them so.
func plain(pid string) bool {
	for part := range strings.FieldsFuncSeq(pid, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return false
		}
	}
	return utf8.ValidString(pid) && !strings.ContainsFunc(pid, func(r rune) bool { return !unicode.IsGraphic(r) || r == ' ' })
}

// reason is what a connector gave as reasons, as one line for the ledger.
func (m *Message) reason() string {
	b, err := json.Marshal(m.Reason)
	if err != nil || len(m.Reason) == 0 {
		return "terminated by the connector"
	}
	line := "terminated by the connector: " + m.Code + " " + string(b)
	return string([]rune(line)[:min(len([]rune(line)), 200)])
}

// message makes one of ours.
func message(kind, provider, consumer string) *Message {
	return &Message{Context: []string{Context}, Type: kind, ProviderPid: &provider, ConsumerPid: &consumer}
}

// refusal is an error message: the fault's number, its name and its text.
func refusal(kind, provider, consumer string, err error) *Message {
	m := message(kind, provider, consumer)
	if kind == "CatalogError" {
		m.ProviderPid, m.ConsumerPid = nil, nil
	}
	m.Code, m.Reason = reasons(err)
	return m
}
