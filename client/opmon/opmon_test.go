package opmon

import (
	"encoding/json"
	"slices"
	"testing"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// TestNames: the keys are those of X-Road's schema, and nothing that we do not know stands
// in a record.
func TestNames(t *testing.T) {
	r := &tracev1.AccessRecord{
		Gateway: "11110000MULN00002P/g/main", Agreement: "00112233445566aa", Seq: 7, Outcome: tracev1.Outcome_OUTCOME_COMPLETED,
		RequestId: "r-1", Asker: "11110000MULN00003T/g/tap", Entry: "11110000MULN00002P:permit", EntryVersion: 3, Bytes: 900, AtMs: 1_790_000_000_123,
		Subject: []byte("pseudonym"), Rows: 4,
	}
	got, ok := Of("city", r)
	raw, err := json.Marshal(got)
	if err != nil || !ok {
		t.Fatal(err, ok)
	}
	keys := map[string]any{}
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatal(err)
	}
	// X-Road 7, query_operational_data_response.json.
	theirs := []string{
		"monitoringDataTs", "securityServerInternalIp", "securityServerType", "requestInTs", "requestOutTs", "responseInTs", "responseOutTs",
		"clientXRoadInstance", "clientMemberClass", "clientMemberCode", "clientSubsystemCode", "serviceXRoadInstance", "serviceMemberClass", "serviceMemberCode",
		"serviceSubsystemCode", "serviceCode", "serviceVersion", "representedPartyClass", "representedPartyCode", "messageId", "messageUserId", "messageIssue",
		"messageProtocolVersion", "clientSecurityServerAddress", "serviceSecurityServerAddress", "requestSize", "requestMimeSize", "requestAttachmentCount",
		"responseSize", "responseMimeSize", "responseAttachmentCount", "succeeded", "faultCode", "faultString", "xRequestId", "serviceType", "statusCode",
	}
	for k := range keys {
		if !slices.Contains(theirs, k) {
			t.Errorf("%s is no name of X-Road's", k)
		}
	}
	if got.ClientMemberCode != "11110000MULN00003T" || got.ClientSubsystemCode != "tap" || got.ServiceSubsystemCode != "main" || got.MessageIssue != "00112233445566aa#7" ||
		got.MonitoringDataTs != 1_790_000_000 || got.ServiceVersion != "v3" || !got.Succeeded || got.FaultCode != "" {
		t.Errorf("%+v", got)
	}
	r.Outcome, r.Code = tracev1.Outcome_OUTCOME_REFUSED, uint32(fault.FieldNotGranted)
	if got, ok = Of("city", r); !ok || got.Succeeded || got.FaultCode != "13016" || got.FaultString == "" {
		t.Errorf("%+v", got)
	}
	r.Outcome = tracev1.Outcome_OUTCOME_GRANTED
	if _, ok = Of("city", r); ok {
		t.Error("an access that only began has a record")
	}
}
