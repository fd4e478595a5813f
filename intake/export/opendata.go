package export

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// The shapes of Project Open Data v1.1, in the order of its documentation.
type (
	podDataset struct {
		Type         string       `json:"@type"`
		Identifier   string       `json:"identifier"`
		Title        string       `json:"title"`
		Description  string       `json:"description"`
		Keyword      []string     `json:"keyword"`
		Modified     string       `json:"modified"`
		Publisher    podPublisher `json:"publisher"`
		ContactPoint podContact   `json:"contactPoint"`
		AccessLevel  string       `json:"accessLevel"`
		Rights       string       `json:"rights,omitempty"`
		BureauCode   []string     `json:"bureauCode"`
		ProgramCode  []string     `json:"programCode"`
		Periodicity  string       `json:"accrualPeriodicity,omitempty"`
		Issued       string       `json:"issued,omitempty"`
		LandingPage  string       `json:"landingPage,omitempty"`
		Language     []string     `json:"language,omitempty"`
		License      string       `json:"license,omitempty"`
		Spatial      string       `json:"spatial,omitempty"`
		Theme        []string     `json:"theme,omitempty"`
		Distribution []podFile    `json:"distribution,omitempty"`
	}
	podPublisher struct {
		Type string `json:"@type"`
		Name string `json:"name"`
	}
	podContact struct {
		Type  string `json:"@type"`
		Name  string `json:"fn"`
		Email string `json:"hasEmail"`
	}
	podFile struct {
		Type        string `json:"@type"`
		Title       string `json:"title,omitempty"`
		AccessURL   string `json:"accessURL,omitempty"`
		DownloadURL string `json:"downloadURL,omitempty"`
		Format      string `json:"format,omitempty"`
		MediaType   string `json:"mediaType,omitempty"`
	}
)

// podContactEmail stands where v1.1 wants an address and a catalogue of departments
// has none: ".invalid" is reserved for that (RFC 2606).
const podContactEmail = "mailto:nobody@mulian.invalid"

// podCycles are ISO 8601 repeating intervals, as v1.1 asks for.
var podCycles = map[cataloguev1.UpdateCycle]string{
	cataloguev1.UpdateCycle_UPDATE_CYCLE_REALTIME: "R/PT1S", cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY: "R/P1D", cataloguev1.UpdateCycle_UPDATE_CYCLE_WEEKLY: "R/P1W",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY: "R/P1M", cataloguev1.UpdateCycle_UPDATE_CYCLE_QUARTERLY: "R/P3M", cataloguev1.UpdateCycle_UPDATE_CYCLE_HALF_YEARLY: "R/P6M",
	cataloguev1.UpdateCycle_UPDATE_CYCLE_YEARLY: "R/P1Y", cataloguev1.UpdateCycle_UPDATE_CYCLE_IRREGULAR: "irregular",
}

var podLevels = map[cataloguev1.OpenType]string{
	cataloguev1.OpenType_OPEN_TYPE_UNCONDITIONAL: "public", cataloguev1.OpenType_OPEN_TYPE_CONDITIONAL: "restricted public", cataloguev1.OpenType_OPEN_TYPE_DENIED: "non-public",
}

// openData writes data.json.
func (e *export) openData() error {
	e.out.WriteString(`{"@context":"https://project-open-data.cio.gov/v1.1/schema/catalog.jsonld","@type":"dcat:Catalog",` +
		`"conformsTo":"https://project-open-data.cio.gov/v1.1/schema","describedBy":"https://project-open-data.cio.gov/v1.1/schema/catalog.json","dataset":[`)
	first := true
	err := e.entries(func(m *cataloguev1.Entry) error {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(e.pod(m)); err != nil {
			return err
		}
		if !first {
			e.out.WriteByte(',')
		}
		first = false
		e.out.WriteByte('\n')
		_, err := e.out.Write(bytes.TrimRight(line.Bytes(), "\n"))
		return err
	})
	if err != nil {
		return err
	}
	_, err = e.out.WriteString("\n]}\n")
	return err
}

// pod is one entry. What v1.1 requires and a Chinese catalogue does not have is
// filled as its documentation tells those who are no federal agency: bureau and
// program 000; keywords from the category or the name; modified from the ledger; an
// access level of "non-public" where no open type is stated, for nobody may take
// silence for a permission.
func (e *export) pod(m *cataloguev1.Entry) podDataset {
	d := podDataset{
		Type: "dcat:Dataset", Identifier: m.GetId(), Title: m.GetName(), Description: first(m.GetAbstract(), m.GetName()), Keyword: m.GetKeywords(),
		Modified: m.GetModified(), Publisher: podPublisher{"org:Organization", e.org(m.GetProvider()).Name},
		ContactPoint: podContact{"vcard:Contact", e.org(m.GetProvider()).Name, podContactEmail},
		AccessLevel:  first(podLevels[m.GetOpenType()], "non-public"), Rights: cut(m.GetOpenCondition(), 255),
		BureauCode: []string{"000:00"}, ProgramCode: []string{"000:000"},
		Periodicity: podCycles[m.GetUpdateCycle()], Issued: m.GetIssued(), Language: m.GetLanguages(), Spatial: m.GetCoverageRegion(),
	}
	if len(d.Keyword) == 0 {
		d.Keyword = []string{first(m.GetCategory(), m.GetName())}
	}
	if d.Modified == "" {
		d.Modified = time.UnixMilli(m.GetUpdatedMs()).UTC().Format(time.RFC3339)
	}
	if iri(m.GetLandingPage()) {
		d.LandingPage = m.GetLandingPage()
	}
	if iri(m.GetLicence()) {
		d.License = m.GetLicence()
	}
	if c := m.GetCategory(); c != "" {
		d.Theme = []string{c}
	}
	for _, r := range m.GetResources() {
		if f, ok := podFileOf(r); ok {
			d.Distribution = append(d.Distribution, f)
		}
	}
	return d
}

// podFileOf is one file or interface. v1.1 wants the media type of a download; a file
// without one is told by its page.
func podFileOf(r *cataloguev1.Resource) (podFile, bool) {
	f := podFile{Type: "dcat:Distribution", Title: r.GetTitle(), Format: r.GetFormat()}
	if !iri(r.GetUrl()) {
		return f, false
	}
	switch {
	case r.GetApi():
		f.AccessURL, f.Format = r.GetUrl(), "API"
	case mediaType.MatchString(r.GetMediaType()):
		f.DownloadURL, f.MediaType = r.GetUrl(), r.GetMediaType()
	default:
		f.AccessURL = r.GetUrl()
	}
	return f, true
}

func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n])
}
