package intake

import (
	"mulian/intake/sheet"
)

// A data contract (ODCS 3.x) says of one table what an entry says. Our own (see
// intake/export) have what ODCS has no property for in customProperties; together
// they are the entry as it was. Of a foreign one, what an entry has a place for is
// read like any other record.

// The names of our custom properties, as intake/export writes them.
const (
	customEntry = "mulianEntry"
	customItem  = "mulianItem"
)

// contractTypes are our logical types for those of ODCS; "number" may be two of ours.
var contractTypes = map[string]string{
	"string": "text", "integer": "integer", "boolean": "boolean", "date": "date", "timestamp": "timestamp", "object": "json", "number": "decimal",
}

// contractStates are the states that an entry of ours has in a contract of a status;
// of those in force nothing is to be known.
var contractStates = map[string]string{"proposed": "ENTRY_STATE_SUBMITTED", "draft": "ENTRY_STATE_RETURNED", "retired": "ENTRY_STATE_WITHDRAWN"}

func keyed(fields []sheet.Field, name string) sheet.Field {
	for _, f := range fields {
		if f.Name == name {
			return f
		}
	}
	return sheet.Field{}
}

// isContract reports whether an object is a data contract.
func isContract(fields []sheet.Field) bool {
	return keyed(fields, "kind").Text == "DataContract" && keyed(fields, "apiVersion").Text != "" && keyed(fields, "id").Text != ""
}

// custom is the value of a custom property; nil if there is none.
func custom(fields []sheet.Field, name string) []sheet.Field {
	for _, p := range keyed(fields, "customProperties").Parts {
		if keyed(p.Parts, "property").Text == name {
			return keyed(p.Parts, "value").Parts
		}
	}
	return nil
}

// fromContract turns a contract into an object that the import reads: of our own form
// if the contract is ours, else with the headers of any other.
func fromContract(fields []sheet.Field) []sheet.Field {
	names := map[string]string{"id": "id", "name": "name", "domain": "category", "tags": "keywords", "description": "abstract"}
	rest := custom(fields, customEntry)
	_, _, ours := ownID(keyed(fields, "id").Text)
	if ours = ours && keyed(rest, "provider").Text != ""; !ours {
		names = map[string]string{"id": "identifier", "name": "title", "domain": "category", "tags": "keywords", "description": "abstract"}
	}
	out := append([]sheet.Field(nil), rest...)
	for _, f := range fields {
		to := names[f.Name]
		switch {
		case f.Name == "description":
			f = keyed(f.Parts, "purpose")
		case f.Name == "team" && !ours:
			f, to = keyed(f.Parts, "name"), "owner"
		case f.Name == "team":
			f, to = keyed(f.Parts, "name"), ProviderName
		case f.Name == "status" && ours:
			f, to = sheet.Field{Text: contractStates[f.Text]}, "state"
		}
		if to != "" && (f.Text != "" || len(f.Parts) > 0) {
			f.Name = to
			out = append(out, f)
		}
	}
	if objects := keyed(fields, "schema").Parts; len(objects) > 0 {
		items := sheet.Field{Name: "items"}
		for _, p := range keyed(objects[0].Parts, "properties").Parts {
			items.Parts = append(items.Parts, sheet.Field{Parts: fromProperty(p.Parts, ours)})
		}
		if len(items.Parts) > 0 {
			out = append(out, items)
		}
	}
	return out
}

// fromProperty turns a property into an item.
func fromProperty(p []sheet.Field, ours bool) []sheet.Field {
	rest := custom(p, customItem)
	out := append([]sheet.Field(nil), rest...)
	add := func(name, text string) {
		if text != "" && keyed(rest, name).Text == "" {
			out = append(out, sheet.Field{Name: name, Text: text})
		}
	}
	code, name := keyed(p, "name").Text, keyed(p, "businessName").Text
	if name == "" {
		name = code
	}
	add("code", code)
	add("name", name)
	if ours {
		add("column", keyed(p, "physicalName").Text)
		add("primary_key", keyed(p, "primaryKey").Text)
	} else {
		add("technicalName", keyed(p, "physicalName").Text)
	}
	add("type", contractTypes[keyed(p, "logicalType").Text])
	add("length", keyed(keyed(p, "logicalTypeOptions").Parts, "maxLength").Text)
	return out
}
