package sentence_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
)

// unshown are texts of a message that its sentence leaves out, and why that
// deceives nobody.
var unshown = map[string]string{
	"identity.v1.RegisterUnit.local_id": "the name says it; the id is the answer",
	"identity.v1.RegisterUnit.parent":   "where it hangs changes no right",
	"identity.v1.RegisterGateway.name":  "the local id is what agreements name",
	"share.v1.FileRequest.gateway":      "the own gateway, which the consumer runs himself",
	"share.v1.RecordUse.effect":         "a remark",
	"catalogue.v1.SettleDrift.note":     "a remark",
	"catalogue.v1.ReviewEntries.reason": "of a publication there is none",
	"catalogue.v1.CounterSign.reason":   "of an agreement there is none",
	"catalogue.v1.SuspendEntry.cause":   "of a resumption there is none",
	"share.v1.Answer.reason":            "of an acceptance there is none",
	"share.v1.DecideExtension.reason":   "of an approval there is none",
	"grant.v1.GiveGrant.language":       "it is that of the text, whose hash is shown",
	"grant.v1.GiveGrant.match_number":   "the owner has typed it himself",
}

// TestEveryActHasItsSentence fills each message of the union by its descriptor: its
// sentence is known in both languages and shows the texts that were filled in. A
// message that is added to the schema is found here.
func TestEveryActHasItsSentence(t *testing.T) {
	strange := [2]string{sentence.Message(sentence.Chinese, &txv1.Message{}, nil), sentence.Message(sentence.English, &txv1.Message{}, nil)}
	if !strings.Contains(strange[1], "do not sign") {
		t.Fatalf("an unknown act reads %q", strange[1])
	}
	kinds := (&txv1.Message{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	used := map[string]bool{}
	for i := range kinds.Len() {
		f := kinds.Get(i)
		m := &txv1.Message{}
		inner := m.ProtoReflect().Mutable(f).Message()
		n := 0
		fill(inner, &n, 0)
		zh, en := sentence.Message(sentence.Chinese, m, nil), sentence.Message(sentence.English, m, nil)
		if zh == strange[0] || en == strange[1] || zh == en {
			t.Errorf("%s has no sentence: %q, %q", f.Name(), zh, en)
			continue
		}
		if bad := strings.Contains(zh+en, "%!"); bad {
			t.Errorf("%s: a broken sentence: %q, %q", f.Name(), zh, en)
		}
		for _, text := range texts(inner) {
			if _, ok := unshown[text.name]; ok {
				used[text.name] = true
				continue
			}
			if !strings.Contains(zh, text.value) || !strings.Contains(en, text.value) {
				t.Errorf("%s: %s (%q) is signed and not shown:\n  %s\n  %s", f.Name(), text.name, text.value, zh, en)
			}
		}
	}
	for name := range unshown {
		if !used[name] {
			t.Errorf("%s is excused and needs no excuse", name)
		}
	}
}

type text struct{ name, value string }

// texts are the message's own texts: single ones, and the first of a list.
func texts(m protoreflect.Message) (out []text) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.StringKind || !m.Has(f) {
			continue
		}
		v := m.Get(f)
		name := strings.TrimPrefix(string(f.FullName()), "mulian.")
		if f.IsList() {
			out = append(out, text{name, v.List().Get(0).String()})
		} else {
			out = append(out, text{name, v.String()})
		}
	}
	return out
}

// fill gives every field a value of its own, so that one shown in another's place
// is seen. Unions take their first case.
func fill(m protoreflect.Message, n *int, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if depth > 6 || f.ContainingOneof() != nil && m.WhichOneof(f.ContainingOneof()) != nil {
			continue
		}
		switch {
		case f.IsMap():
		case f.IsList() && f.Message() != nil:
			fill(m.Mutable(f).List().AppendMutable().Message(), n, depth+1)
		case f.IsList():
			m.Mutable(f).List().Append(value(f, n))
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), n, depth+1)
		default:
			m.Set(f, value(f, n))
		}
	}
}

func value(f protoreflect.FieldDescriptor, n *int) protoreflect.Value {
	*n++
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("⟨text %d⟩", *n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(fmt.Sprintf("bytes %d", *n)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(1000 + *n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(1000 + *n))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(1000 + *n))
	}
	return protoreflect.ValueOfInt64(int64(1000 + *n))
}

// TestTheSheetIsMadeFromTheBytes: what the signer reads is decoded from what he
// signs; one byte that says something else gives another sheet.
func TestTheSheetIsMadeFromTheBytes(t *testing.T) {
	body := &txv1.Body{ChainId: "beijing-1", Account: "ORG", ExpiresMs: 1_767_225_600_000, Salt: []byte("12345678"), Messages: []*txv1.Message{
		{Kind: &txv1.Message_Answer{Answer: &sharev1.Answer{Request: "0123456789abcdef", Accept: true}}},
		{Kind: &txv1.Message_RevokeKey{RevokeKey: &identityv1.RevokeKey{Account: "ORG", Key: "k1", Cause: "lost"}}},
	}}
	raw, err := canon.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	read := &txv1.Body{}
	if err := proto.Unmarshal(raw, read); err != nil {
		t.Fatal(err)
	}
	names := func(id string) string { return map[string]string{"ORG": "水务局"}[id] }
	got := strings.Join(sentence.Body(sentence.English, read, names), "\n")
	want := "You sign as 水务局（ORG） on chain beijing-1 (counts until 08:00:00):\n" +
		"1. accept request 0123456789abcdef as it is and sign the agreement\n" +
		"2. revoke for good of 水务局（ORG） the key k1, because: lost"
	if got != want {
		t.Errorf("the sheet reads\n%s\nwant\n%s", got, want)
	}
	read.Messages[0].GetAnswer().Accept = false
	if again := strings.Join(sentence.Body(sentence.English, read, names), "\n"); again == got {
		t.Error("acceptance and refusal read alike")
	}
}

var lifePairs = []struct{ a, b *txv1.Message }{
	{
		&txv1.Message{Kind: &txv1.Message_EndAgreement{EndAgreement: &sharev1.EndAgreement{Agreement: "g"}}},
		&txv1.Message{Kind: &txv1.Message_EndAgreement{EndAgreement: &sharev1.EndAgreement{Agreement: "g", EndsMs: 1_767_225_600_000}}},
	},
	{
		&txv1.Message{Kind: &txv1.Message_SettleViolation{SettleViolation: &sharev1.SettleViolation{Agreement: "g", Accept: true}}},
		&txv1.Message{Kind: &txv1.Message_SettleViolation{SettleViolation: &sharev1.SettleViolation{Agreement: "g"}}},
	},
	{
		&txv1.Message{Kind: &txv1.Message_AnswerCorrection{AnswerCorrection: &sharev1.AnswerCorrection{Correction: "c", Answer: 3}}},
		&txv1.Message{Kind: &txv1.Message_AnswerCorrection{AnswerCorrection: &sharev1.AnswerCorrection{Correction: "c", Answer: 4}}},
	},
	{
		&txv1.Message{Kind: &txv1.Message_CloseObjection{CloseObjection: &sharev1.CloseObjection{Objection: "o", Solved: true}}},
		&txv1.Message{Kind: &txv1.Message_CloseObjection{CloseObjection: &sharev1.CloseObjection{Objection: "o"}}},
	},
	{
		&txv1.Message{Kind: &txv1.Message_DecideDispute{DecideDispute: &sharev1.DecideDispute{Dispute: "d", Upheld: true}}},
		&txv1.Message{Kind: &txv1.Message_DecideDispute{DecideDispute: &sharev1.DecideDispute{Dispute: "d"}}},
	},
	{
		&txv1.Message{Kind: &txv1.Message_SettleDispute{SettleDispute: &sharev1.SettleDispute{Dispute: "d", Withdraw: true}}},
		&txv1.Message{Kind: &txv1.Message_SettleDispute{SettleDispute: &sharev1.SettleDispute{Dispute: "d"}}},
	},
}

// TestAnswersAndOppositesDiffer: each flag that turns an act into its opposite shows.
func TestAnswersAndOppositesDiffer(t *testing.T) {
	pairs := []struct{ a, b *txv1.Message }{
		{
			&txv1.Message{Kind: &txv1.Message_ReviewEntries{ReviewEntries: &cataloguev1.ReviewEntries{Entries: []string{"e"}, Publish: true}}},
			&txv1.Message{Kind: &txv1.Message_ReviewEntries{ReviewEntries: &cataloguev1.ReviewEntries{Entries: []string{"e"}}}},
		},
		{
			&txv1.Message{Kind: &txv1.Message_CounterSign{CounterSign: &cataloguev1.CounterSign{Entry: "e"}}},
			&txv1.Message{Kind: &txv1.Message_CounterSign{CounterSign: &cataloguev1.CounterSign{Entry: "e", Refuse: true}}},
		},
		{
			&txv1.Message{Kind: &txv1.Message_SuspendEntry{SuspendEntry: &cataloguev1.SuspendEntry{Entry: "e"}}},
			&txv1.Message{Kind: &txv1.Message_SuspendEntry{SuspendEntry: &cataloguev1.SuspendEntry{Entry: "e", Resume: true}}},
		},
		{
			&txv1.Message{Kind: &txv1.Message_DecideExtension{DecideExtension: &sharev1.DecideExtension{Request: "r", Approve: true}}},
			&txv1.Message{Kind: &txv1.Message_DecideExtension{DecideExtension: &sharev1.DecideExtension{Request: "r"}}},
		},
		{
			&txv1.Message{Kind: &txv1.Message_Answer{Answer: &sharev1.Answer{Request: "r", Accept: true}}},
			&txv1.Message{Kind: &txv1.Message_Answer{Answer: &sharev1.Answer{Request: "r", Accept: true, Terms: &sharev1.Terms{Purpose: "p"}}}},
		},
	}
	file := func(t *sharev1.Terms) *txv1.Message {
		return &txv1.Message{Kind: &txv1.Message_FileRequest{FileRequest: &sharev1.FileRequest{Terms: t}}}
	}
	for _, t := range []*sharev1.Terms{
		{RowScope: "a == 1"},
		{RowScope: "a == 2"},
		{Predicates: []*sharev1.Predicate{{Name: "p", Condition: "a == 1"}}},
		{Predicates: []*sharev1.Predicate{{Name: "p", Condition: "a == 2"}}},
		{Masks: []*sharev1.Mask{{Item: "a", Kind: sharev1.MaskKind_MASK_KIND_HASH}}},
		{Windows: []*sharev1.Window{{Days: 1}}},
	} {
		pairs = append(pairs, struct{ a, b *txv1.Message }{file(t), file(&sharev1.Terms{})})
	}
	pairs = append(pairs, lifePairs...)
	for _, p := range pairs {
		for _, lang := range []sentence.Language{sentence.Chinese, sentence.English} {
			if a, b := sentence.Message(lang, p.a, nil), sentence.Message(lang, p.b, nil); a == b {
				t.Errorf("two acts read alike: %s", a)
			}
		}
	}
}

func TestAccept(t *testing.T) {
	for text, want := range map[string]sentence.Language{
		"zh": sentence.Chinese, "zh-CN,zh;q=0.9,en;q=0.8": sentence.Chinese, "zh_TW.UTF-8": sentence.Chinese, "fr, zh": sentence.Chinese,
		"": sentence.English, "en": sentence.English, "C.UTF-8": sentence.English, "C": sentence.English, "fr": sentence.English, "en-GB,zh": sentence.English,
		strings.Repeat("x,", 100_000): sentence.English,
	} {
		if got := sentence.Accept(text); got != want {
			t.Errorf("%.30q is %d", text, got)
		}
	}
}

// TestEventsReadWell holds the form of a line of the log in both languages.
func TestEventsReadWell(t *testing.T) {
	e := &tracev1.Event{Verb: "share/answer", Actor: "ORG", Note: "accepted", Objects: []string{"share/request/r1", "share/agreement/g1"}}
	for lang, want := range map[sentence.Language]string{sentence.English: "answered the request r1 (accepted), by ORG", sentence.Chinese: "答复申请 r1 (已接受)，操作者 ORG"} {
		if got := sentence.Event(lang, e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := sentence.Event(sentence.English, &tracev1.Event{Verb: "new/verb"}); got != "new/verb" {
		t.Errorf("an unknown verb reads %q", got)
	}
}
