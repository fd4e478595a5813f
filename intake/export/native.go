package export

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
)

// NativeName is what the first field of our own form says. A later form that an
// importer of this one would misread gets another name.
const NativeName = "mulian-catalogue-v1"

// native writes our own form:
//
//	{"format":"mulian-catalogue-v1","chain":"…","height":"7","at_ms":"…",
//	"entries":[
//	…],
//	"duties":[…],"systems":[…],"tables":[…]}
//
// Each object is the schema's message in JSON with the schema's field names, in the
// schema's order, on a line of its own; behind them stands the name of its organisation
// (provider_name, org_name). The same state gives the same bytes.
func (e *export) native() error {
	head, err := json.Marshal(struct {
		Format string `json:"format"`
		Chain  string `json:"chain"`
		Height string `json:"height"`
		AtMs   string `json:"at_ms"`
	}{NativeName, e.src.Chain, strconv.FormatInt(e.src.Height, 10), strconv.FormatInt(e.src.At.UnixMilli(), 10)})
	if err != nil {
		return err
	}
	e.out.Write(head[:len(head)-1])
	e.open("entries")
	first := true
	err = e.entries(func(m *cataloguev1.Entry) error {
		err := e.object(m, first, intake.ProviderName, m.GetProvider())
		first = false
		return err
	})
	if err != nil {
		return err
	}
	e.out.WriteString("\n]")
	if err := nativeList(e, "duties", e.src.Duties, &e.done.Duties, func(m *cataloguev1.Duty) []string { return []string{intake.OrgNameBeside, m.GetOrg()} }); err != nil {
		return err
	}
	if err := nativeList(e, "systems", e.src.Systems, &e.done.Systems, nil); err != nil {
		return err
	}
	if err := nativeList(e, "tables", e.src.Tables, &e.done.Tables, nil); err != nil {
		return err
	}
	_, err = e.out.WriteString("}\n")
	return err
}

func (e *export) open(name string) { e.out.WriteString(",\n\"" + name + "\":[") }

func nativeList[M proto.Message](e *export, name string, list iter.Seq2[M, error], n *int, beside func(M) []string) error {
	e.open(name)
	err := each(e.ctx, list, func(m M) error {
		if *n++; beside != nil {
			return e.object(m, *n == 1, beside(m)...)
		}
		return e.object(m, *n == 1)
	})
	if err != nil {
		return err
	}
	_, err = e.out.WriteString("\n]")
	return err
}

// object writes one message. protojson varies its blanks on purpose, so they are
// taken out. named is a key and the code of an organisation whose name stands under
// it, at the end of the object.
func (e *export) object(m proto.Message, first bool, named ...string) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return err
	}
	if len(named) == 2 {
		if name := e.org(named[1]).Name; name != named[1] {
			text, err := json.Marshal(name)
			if err != nil {
				return err
			}
			line.Truncate(line.Len() - 1)
			line.WriteString(`,"` + named[0] + `":` + string(text) + "}")
		}
	}
	if !first {
		e.out.WriteByte(',')
	}
	e.out.WriteByte('\n')
	_, err = e.out.Write(line.Bytes())
	return err
}
