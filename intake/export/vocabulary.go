package export

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// Authority tables of the Publications Office of the European Union, to which DCAT-AP
// binds these fields.
const authority = "http://publications.europa.eu/resource/authority/"

var frequencies = map[cataloguev1.UpdateCycle]string{
	cataloguev1.UpdateCycle_UPDATE_CYCLE_REALTIME:    authority + "frequency/UPDATE_CONT",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY:       authority + "frequency/DAILY",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_WEEKLY:      authority + "frequency/WEEKLY",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY:     authority + "frequency/MONTHLY",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_QUARTERLY:   authority + "frequency/QUARTERLY",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_HALF_YEARLY: authority + "frequency/ANNUAL_2",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_YEARLY:      authority + "frequency/ANNUAL",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_IRREGULAR:   authority + "frequency/IRREG",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_HISTORICAL:  authority + "frequency/NEVER",
}

// accessRights is about the public, so it comes from the open type and never from
// the share type: what departments share freely need not be public.
var accessRights = map[cataloguev1.OpenType]string{
	cataloguev1.OpenType_OPEN_TYPE_UNCONDITIONAL: authority + "access-right/PUBLIC",
	cataloguev1.OpenType_OPEN_TYPE_CONDITIONAL:   authority + "access-right/RESTRICTED",
	cataloguev1.OpenType_OPEN_TYPE_DENIED:        authority + "access-right/NON_PUBLIC",
}

var languages = map[string]string{
	"zh": authority + "language/ZHO", "en": authority + "language/ENG", "de": authority + "language/DEU", "fr": authority + "language/FRA",
	"ja": authority + "language/JPN", "ko": authority + "language/KOR", "ru": authority + "language/RUS", "es": authority + "language/SPA",
	"pt": authority + "language/POR", "bo": authority + "language/BOD", "ug": authority + "language/UIG", "mn": authority + "language/MON",
}

// fileTypes are the formats that portals name, by the name of the authority table.
var fileTypes = map[string]string{
	"csv": "CSV", "xls": "XLS", "xlsx": "XLSX", "ods": "ODS", "json": "JSON", "xml": "XML", "pdf": "PDF", "html": "HTML", "htm": "HTML", "txt": "TXT",
	"zip": "ZIP", "rar": "RAR", "7z": "7Z", "doc": "DOC", "docx": "DOCX", "rtf": "RTF", "geojson": "GEOJSON", "kml": "KML", "kmz": "KMZ", "shp": "SHP",
	"gml": "GML", "rss": "RSS", "rdf": "RDF", "jpeg": "JPEG", "jpg": "JPEG", "png": "PNG", "gif": "GIF", "tiff": "TIFF", "tif": "TIFF", "ppt": "PPT", "pptx": "PPTX", "mp4": "MPEG4", "mp3": "MP3",
}

func fileType(format string) string {
	if t := fileTypes[strings.ToLower(strings.TrimPrefix(format, "."))]; t != "" {
		return authority + "file-type/" + t
	}
	return ""
}

// mediaType is what both DCAT-AP and Project Open Data take for one.
var mediaType = regexp.MustCompile(`^[-\w]+/[-\w]+(\.[-\w]+)*([+][-\w]+)?$`)

// vocabularyNodes describe the concepts of the tables that this file refers to, so
// that a checker needs nothing from the network: their class and their table.
func vocabularyNodes() []node {
	var out []node
	add := func(table, class string, iris ...string) {
		slices.Sort(iris)
		for _, iri := range slices.Compact(iris) {
			name := iri[strings.LastIndexByte(iri, '/')+1:]
			out = append(out, node{"@id": iri, "@type": []string{class, "skos:Concept"}, "skos:prefLabel": name, "skos:inScheme": ref{authority + table}})
		}
		out = append(out, node{"@id": authority + table, "@type": "skos:ConceptScheme", "dct:title": tagged{table, "en"}})
	}
	var types []string
	for _, t := range fileTypes {
		types = append(types, authority+"file-type/"+t)
	}
	add("frequency", "dct:Frequency", slices.Collect(maps.Values(frequencies))...)
	add("access-right", "dct:RightsStatement", slices.Collect(maps.Values(accessRights))...)
	add("language", "dct:LinguisticSystem", slices.Collect(maps.Values(languages))...)
	add("file-type", "dct:MediaTypeOrExtent", types...)
	return out
}
