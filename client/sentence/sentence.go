// Package sentence renders what is signed, and what has happened, as one plain
// sentence for people, in Chinese or English. A signer reads the sentence that is
// made from the very bytes that he signs, not from the form that he filled in.
//
// It is not a translation layer of the program's messages; it knows only the
// messages and events of the ledger. It decides nothing.
package sentence

import (
	"fmt"
	"strings"
	"time"

	"mulian/client/sentence/internal/phrase"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// Language of the sentences.
type Language uint8

// The two languages of Mulian. The zero value is no language.
const (
	Chinese Language = 1
	English Language = 2
)

// Accept picks the language from an Accept-Language header, a locale ("zh_CN.UTF-8")
// or a flag; English if it names neither.
func Accept(text string) Language {
	for _, part := range strings.Split(strings.ToLower(text), ",") {
		part = strings.TrimSpace(part)
		switch {
		case strings.HasPrefix(part, "zh"):
			return Chinese
		case strings.HasPrefix(part, "en"), strings.HasPrefix(part, "c."), part == "c":
			return English
		}
	}
	return English
}

// Names says how a person knows an id: an organisation's name for its code. It
// returns "" for what it does not know; nil knows nothing.
type Names func(id string) string

// Body returns one sentence for each message of a transaction, in order, headed
// by who signs: what the signer of exactly these bytes does.
func Body(lang Language, body *txv1.Body, names Names) []string {
	who := show(names, body.GetAccount())
	until := time.UnixMilli(body.GetExpiresMs()).In(time.FixedZone("UTC+8", 8*3600)).Format("15:04:05")
	head := fmt.Sprintf("You sign as %s on chain %s (counts until %s):", who, body.GetChainId(), until)
	if lang == Chinese {
		head = fmt.Sprintf("你将以 %s 名义在链 %s 上签名（%s 前有效）：", who, body.GetChainId(), until)
	}
	out := []string{head}
	for i, m := range body.GetMessages() {
		out = append(out, fmt.Sprintf("%d. %s", i+1, Message(lang, m, names)))
	}
	return out
}

// Message returns the sentence of one message.
func Message(lang Language, m *txv1.Message, names Names) string {
	p := phrase.Of(m, func(id string) string { return show(names, id) })
	if lang == Chinese {
		return p.Chinese
	}
	return p.English
}

// Event returns the sentence of an event of the ledger's log, with ids.
func Event(lang Language, e *tracev1.Event) string { return EventNamed(lang, e, nil) }

// EventNamed is Event with names: names is asked with the state key of the subject
// ("catalogue/entry/<id>") and of the actor ("identity/account/<id>").
func EventNamed(lang Language, e *tracev1.Event, names Names) string {
	p := phrase.OfVerb(e.GetVerb())
	text, format, note := p.English, ", by %s", e.GetNote()
	if lang == Chinese {
		text, format, note = p.Chinese, "，操作者 %s", phrase.Note(note)
	}
	if len(e.GetObjects()) > 0 {
		text += " " + called(names, e.GetObjects()[0])
	}
	if n := len(e.GetObjects()); n > 1 && e.GetNote() != "" {
		text += " (" + note + ")"
	}
	if e.GetActor() != "" {
		text += fmt.Sprintf(format, called(names, "identity/account/"+e.GetActor()))
	}
	return text
}

// called is an object's name where it has one, else its id.
func called(names Names, key string) string {
	if names != nil {
		if n := names(key); n != "" {
			return n
		}
	}
	return subject(key)
}

// subject drops the table's name from a state key: what is left is the id.
func subject(key string) string {
	if parts := strings.SplitN(key, "/", 3); len(parts) == 3 {
		return parts[2]
	}
	return key
}

func show(names Names, id string) string {
	if names == nil {
		return id
	}
	if n := names(id); n != "" {
		return n + "（" + id + "）"
	}
	return id
}

// Verbs are those of all events of the ledger, in their order.
func Verbs() []string { return phrase.Verbs() }
