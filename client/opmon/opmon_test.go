package opmon

import (
	"encoding/json"
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
	// Annex B of PR-OPMON: text of at most 255 characters unless it says otherwise,
	// integers that are not negative.
	theirs := map[string]string{}
	for kind, names := range map[string][]string{
		"text": {
			"securityServerInternalIp", "securityServerType", "clientXRoadInstance", "clientMemberClass", "clientMemberCode", "clientSubsystemCode",
			"serviceXRoadInstance", "serviceMemberClass", "serviceMemberCode", "serviceSubsystemCode", "serviceCode", "serviceVersion", "representedPartyClass",
			"representedPartyCode", "messageId", "messageUserId", "messageIssue", "messageProtocolVersion", "clientSecurityServerAddress",
			"serviceSecurityServerAddress", "faultCode", "faultString", "serviceType", "xRequestId", "xRoadVersion",
		},
		"integer": {
			"monitoringDataTs", "requestInTs", "requestOutTs", "responseInTs", "responseOutTs", "requestMimeSize", "requestAttachmentCount", "responseMimeSize",
			"responseAttachmentCount", "requestSize", "responseSize", "statusCode",
		},
		"boolean": {"succeeded"},
	} {
		for _, name := range names {
			theirs[name] = kind
		}
	}
	for k, v := range keys {
		fits := false
		switch x := v.(type) {
		case string:
			fits = theirs[k] == "text" && len([]rune(x)) <= 255
		case float64:
			fits = theirs[k] == "integer" && x >= 0 && x == float64(int64(x))
		case bool:
			fits = theirs[k] == "boolean"
		}
		if !fits {
			t.Errorf("%s = %v does not fit X-Road's schema (%q)", k, v, theirs[k])
		}
	}
	if got.SecurityServerType != "Producer" { // one of Client, Producer
		t.Errorf("type %s", got.SecurityServerType)
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
