// Package opmon writes access records as X-Road's operational monitoring names them, so
// that who evaluates such data has nothing to write.
//
// It is not a monitoring daemon: a record says what the provider's gateway logged, and
// nothing of the asker's side, of the network or of the database. What we do not know is
// left out and never guessed.
//
//	ours                                  theirs
//	outcome completed, failed, refused    one record; granted: none, its end follows
//	at_ms                                 requestInTs, monitoringDataTs (in seconds)
//	chain                                 clientXRoadInstance, serviceXRoadInstance
//	asker: organisation, gateway          clientMemberCode, clientSubsystemCode
//	gateway: organisation, gateway        serviceMemberCode, serviceSubsystemCode
//	entry, entry_version                  serviceCode, serviceVersion
//	request_id                            messageId, xRequestId
//	agreement#number                      messageIssue
//	bytes                                 responseSize
//	completed; code                       succeeded; faultCode, faultString
//
// Left out: securityServerInternalIp and addresses (they help an attacker), member
// classes (our organisations have none), the three other times, the user (a gateway has
// no persons), sizes of requests and attachments.
//
// # Invariants
//
//  1. A record says nothing that the access record does not.
//  2. No value of the data and no pseudonym of a person is in it.
//
// Sources: X-Road: Operational Monitoring Protocol (PR-OPMON) 1.0 to 1.7, annex B, JSON
// schema of the payload of query responses, and the example in annex C (xRequestId); spec
// sharing, access trace.
package opmon

import (
	"fmt"
	"strings"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Record is one record of operational data. Its JSON keys are X-Road's.
type Record struct {
	MonitoringDataTs       int64  `json:"monitoringDataTs"` // seconds
	SecurityServerType     string `json:"securityServerType"`
	RequestInTs            int64  `json:"requestInTs"` // milliseconds
	ClientXRoadInstance    string `json:"clientXRoadInstance"`
	ClientMemberCode       string `json:"clientMemberCode"`
	ClientSubsystemCode    string `json:"clientSubsystemCode"`
	ServiceXRoadInstance   string `json:"serviceXRoadInstance"`
	ServiceMemberCode      string `json:"serviceMemberCode"`
	ServiceSubsystemCode   string `json:"serviceSubsystemCode"`
	ServiceCode            string `json:"serviceCode,omitempty"`
	ServiceVersion         string `json:"serviceVersion,omitempty"`
	MessageID              string `json:"messageId"`
	XRequestID             string `json:"xRequestId"`
	MessageIssue           string `json:"messageIssue,omitempty"`
	MessageProtocolVersion string `json:"messageProtocolVersion"`
	ResponseSize           uint64 `json:"responseSize,omitempty"`
	Succeeded              bool   `json:"succeeded"`
	FaultCode              string `json:"faultCode,omitempty"`
	FaultString            string `json:"faultString,omitempty"`
}

// Protocol names our messages where X-Road names its own.
const Protocol = "mulian-gateway-v1"

// Of returns the record of an access on a chain; false for one that says only that it
// began, or opens an earlier one. One that is secret by an order has its times and sides.
func Of(chain string, r *tracev1.AccessRecord) (Record, bool) {
	switch r.GetOutcome() {
	case tracev1.Outcome_OUTCOME_GRANTED, tracev1.Outcome_OUTCOME_OPENED, tracev1.Outcome_OUTCOME_UNSPECIFIED:
		return Record{}, false
	}
	out := Record{
		MonitoringDataTs: r.GetAtMs() / 1000, SecurityServerType: "Producer", RequestInTs: r.GetAtMs(),
		ClientXRoadInstance: chain, ServiceXRoadInstance: chain, ServiceCode: r.GetEntry(),
		MessageID: r.GetRequestId(), XRequestID: r.GetRequestId(), MessageProtocolVersion: Protocol,
		ResponseSize: r.GetBytes(), Succeeded: r.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED,
	}
	out.ClientMemberCode, out.ClientSubsystemCode = parts(r.GetAsker())
	out.ServiceMemberCode, out.ServiceSubsystemCode = parts(r.GetGateway())
	if v := r.GetEntryVersion(); v > 0 {
		out.ServiceVersion = fmt.Sprintf("v%d", v)
	}
	if r.GetAgreement() != "" {
		out.MessageIssue = fmt.Sprintf("%s#%d", r.GetAgreement(), r.GetSeq())
	}
	if !out.Succeeded {
		out.FaultCode = fmt.Sprint(r.GetCode())
		out.FaultString = fault.Code(r.GetCode()).String()
	}
	return out, true
}

// parts are the organisation and the own name of a gateway: ORG/g/NAME.
func parts(account string) (org, name string) {
	org, rest, _ := strings.Cut(account, "/")
	return org, strings.TrimPrefix(rest, "g/")
}
