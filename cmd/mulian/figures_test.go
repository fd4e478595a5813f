package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/testscript"
)

// figures wants that every metric of the dashboards and alerts is shown by a running member
// and gateway: figures ACCOUNT. Panels say what they show in both languages and in which
// unit; alerts what it is, what it means, what to do, and where that stands at length.
func figures(ts *testscript.TestScript, _ bool, args []string) {
	node := strings.TrimSpace(ts.ReadFile("home/" + urlFile))
	door, err := readGateway(ts.MkAbs("home/gateways/" + strings.ReplaceAll(args[0], "/", "~") + "/" + gatewayFile))
	ts.Check(err)
	url := "http://" + door.Listen
	// A call of nobody: so that there are a call and a refusal.
	if res, err := http.Post(url+"/mulian.gateway.v1.GatewayService/Query", "application/json", strings.NewReader("{}")); err == nil {
		res.Body.Close()
	}
	c := &checked{metrics: scraped(ts, node) + scraped(ts, url)}
	checkDashboards(ts, c)
	checkAlerts(ts, c)
	if len(c.findings) > 0 {
		ts.Fatalf("%s", strings.Join(c.findings, "\n"))
	}
}

// checked collects what is wrong.
type checked struct {
	metrics  string
	findings []string
}

func (c *checked) wrong(format string, args ...any) {
	c.findings = append(c.findings, fmt.Sprintf(format, args...))
}

// scraped is what a server shows under /metrics.
func scraped(ts *testscript.TestScript, url string) string {
	res, err := http.Get(url + "/metrics")
	if err != nil {
		ts.Check(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %d %v", url, res.StatusCode, err)
	}
	return string(text)
}

var (
	metricName = regexp.MustCompile(`\b(?:mulian|process)_[a-z0-9_]+`)
	// elsewhere: only databases with a feed have these; feeds_test looks at them.
	elsewhere = []string{"mulian_gateway_feed_kept_bytes", "mulian_gateway_feed_limit_bytes"}
	bilingual = regexp.MustCompile(`\p{Han}.* / [A-Za-z]`)
)

// checkExpression wants that a query reads metrics that are there, and closes what it opens.
func checkExpression(c *checked, where, expr string) {
	names := metricName.FindAllString(expr, -1)
	if len(names) == 0 && !strings.HasPrefix(expr, "up{") {
		c.wrong("%s: %q reads nothing of ours", where, expr)
	}
	for _, name := range names {
		if !slices.Contains(elsewhere, name) && !regexp.MustCompile(`(?m)^`+name+`[{ ]`).MatchString(c.metrics) {
			c.wrong("%s reads %s, which nobody shows", where, name)
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			c.wrong("%s: %q: %s do not match", where, expr, pair)
		}
	}
	if strings.Count(expr, `"`)%2 != 0 {
		c.wrong("%s: %q: an open quotation mark", where, expr)
	}
}

func checkDashboards(ts *testscript.TestScript, c *checked) {
	files, err := filepath.Glob("../../deploy/grafana/*.json")
	if err != nil || len(files) != 2 {
		ts.Fatalf("dashboards: %v, %v", files, err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			ts.Check(err)
		}
		var d struct {
			UID, Title string
			Panels     []struct {
				ID          int
				Type, Title string
				GridPos     struct{ H, W, X, Y int }
				FieldConfig struct {
					Defaults struct {
						Unit       string
						Thresholds struct{ Steps []struct{ Color string } }
					}
				}
				Targets []struct{ Expr, LegendFormat, RefID string }
			}
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			ts.Fatalf("%s: %v", path, err)
		}
		if d.UID == "" || len(d.Panels) < 15 {
			c.wrong("%s: uid %q, %d panels", path, d.UID, len(d.Panels))
		}
		ids := map[int]bool{}
		for i, p := range d.Panels {
			where := filepath.Base(path) + " " + p.Title
			if ids[p.ID] {
				c.wrong("%s: id %d stands twice", where, p.ID)
			}
			ids[p.ID] = true
			if !bilingual.MatchString(p.Title) && p.Title != "fsync p99" {
				c.wrong("%s: the title is not in both languages", where)
			}
			for _, other := range d.Panels[:i] {
				a, b := p.GridPos, other.GridPos
				if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
					c.wrong("%s lies over %s", where, other.Title)
				}
			}
			if p.Type == "row" {
				continue
			}
			if p.FieldConfig.Defaults.Unit == "" || len(p.FieldConfig.Defaults.Thresholds.Steps) == 0 || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
				c.wrong("%s: no unit, no threshold, no query, or too wide", where)
			}
			for _, q := range p.Targets {
				checkExpression(c, where, q.Expr)
			}
		}
	}
}

func checkAlerts(ts *testscript.TestScript, c *checked) {
	raw, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		ts.Check(err)
	}
	var file struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		ts.Check(err)
	}
	runbook, err := os.ReadFile("../../docs/runbooks/alerts.md")
	if err != nil {
		ts.Check(err)
	}
	count := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			count++
			checkExpression(c, r.Alert, r.Expr)
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				c.wrong("%s: severity %q", r.Alert, s)
			}
			for _, key := range []string{"summary", "effect", "todo"} {
				if r.Annotations[key] == "" || !regexp.MustCompile(`\p{Han}`).MatchString(r.Annotations[key+"_zh"]) {
					c.wrong("%s: %s is not said in both languages", r.Alert, key)
				}
			}
			if r.Annotations["runbook_url"] != "docs/runbooks/alerts.md#"+strings.ToLower(r.Alert) || !strings.Contains(string(runbook), "\n## "+r.Alert+"\n") || !strings.Contains(string(runbook), "`"+r.Expr+"`") {
				c.wrong("%s: the runbook %q does not have it", r.Alert, r.Annotations["runbook_url"])
			}
		}
	}
	if count < 15 {
		c.wrong("only %d alerts", count)
	}
}
