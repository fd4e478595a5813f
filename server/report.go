package server

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"mulian/client/report"
	"mulian/client/sentence"
	consolev1 "mulian/gen/mulian/console/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of a report; our own choice.
const (
	maxReportOrgs   = 1000
	maxReportMonths = 240
	reportFor       = 30 * time.Second // at most: a month is counted anew
)

type reported = consolev1.ReportFigure

const (
	requestsReceived    = consolev1.ReportFigure_REPORT_FIGURE_REQUESTS_RECEIVED
	requestsAccepted    = consolev1.ReportFigure_REPORT_FIGURE_REQUESTS_ACCEPTED
	requestsRefused     = consolev1.ReportFigure_REPORT_FIGURE_REQUESTS_REFUSED
	requestsSilent      = consolev1.ReportFigure_REPORT_FIGURE_REQUESTS_SILENT
	answersLate         = consolev1.ReportFigure_REPORT_FIGURE_ANSWERS_LATE
	answerMedian        = consolev1.ReportFigure_REPORT_FIGURE_ANSWER_MEDIAN_MS
	requestsUrged       = consolev1.ReportFigure_REPORT_FIGURE_REQUESTS_URGED
	requestsFiled       = consolev1.ReportFigure_REPORT_FIGURE_REQUESTS_FILED
	agreementsBegun     = consolev1.ReportFigure_REPORT_FIGURE_AGREEMENTS_BEGUN
	agreementsTaken     = consolev1.ReportFigure_REPORT_FIGURE_AGREEMENTS_TAKEN
	agreementsSuspended = consolev1.ReportFigure_REPORT_FIGURE_AGREEMENTS_SUSPENDED
	agreementsEnded     = consolev1.ReportFigure_REPORT_FIGURE_AGREEMENTS_ENDED
	deliveriesDone      = consolev1.ReportFigure_REPORT_FIGURE_DELIVERIES
	usesRecorded        = consolev1.ReportFigure_REPORT_FIGURE_USES
	entriesSubmitted    = consolev1.ReportFigure_REPORT_FIGURE_ENTRIES_SUBMITTED
	entriesLocked       = consolev1.ReportFigure_REPORT_FIGURE_ENTRIES_LOCKED
	entriesWithdrawn    = consolev1.ReportFigure_REPORT_FIGURE_ENTRIES_WITHDRAWN
	driftsFound         = consolev1.ReportFigure_REPORT_FIGURE_DRIFTS
	driftsSettled       = consolev1.ReportFigure_REPORT_FIGURE_DRIFTS_SETTLED
	objectionsReceived  = consolev1.ReportFigure_REPORT_FIGURE_OBJECTIONS_RECEIVED
	objectionsFiled     = consolev1.ReportFigure_REPORT_FIGURE_OBJECTIONS_FILED
	disputesRaised      = consolev1.ReportFigure_REPORT_FIGURE_DISPUTES
	violationsFound     = consolev1.ReportFigure_REPORT_FIGURE_VIOLATIONS
	correctionsAsked    = consolev1.ReportFigure_REPORT_FIGURE_CORRECTIONS
	votesCast           = consolev1.ReportFigure_REPORT_FIGURE_VOTES
)

// counted says which figures an event counts in: of whose the subject is, and of the other side.
func counted(m index.Monthly) (own, peer []reported) {
	switch m.Verb {
	case "share/file_request":
		if m.Note == "accepted" {
			return []reported{requestsReceived, requestsAccepted}, []reported{requestsFiled}
		}
		return []reported{requestsReceived}, []reported{requestsFiled}
	case "share/answer":
		if m.Note == "accepted" {
			return []reported{requestsAccepted}, nil
		}
		return []reported{requestsRefused}, nil
	case "share/silence":
		return []reported{requestsAccepted, requestsSilent, answersLate}, nil
	case "share/overdue":
		if m.Kind == index.Request {
			return []reported{answersLate}, nil
		}
	case "share/urge_request":
		return []reported{requestsUrged}, nil
	case "share/confirm_agreement":
		return []reported{agreementsBegun}, []reported{agreementsTaken}
	case "share/suspend_agreement":
		return []reported{agreementsSuspended}, nil
	case "share/end_agreement":
		return []reported{agreementsEnded}, nil
	case "share/expired":
		if m.Kind == index.Agreement {
			return []reported{agreementsEnded}, nil
		}
	case "share/complete_delivery":
		return []reported{deliveriesDone}, nil
	case "share/record_use":
		return []reported{usesRecorded}, nil
	case "catalogue/submit_entries":
		return []reported{entriesSubmitted}, nil
	case "catalogue/lock_entries":
		return []reported{entriesLocked}, nil
	case "catalogue/withdraw_entry":
		return []reported{entriesWithdrawn}, nil
	case "catalogue/report_drift":
		if m.Kind == index.Drift {
			return []reported{driftsFound}, nil
		}
	case "catalogue/settle_drift":
		return []reported{driftsSettled}, nil
	case "share/file_objection":
		return []reported{objectionsReceived}, []reported{objectionsFiled}
	case "share/raise_dispute":
		return []reported{disputesRaised}, []reported{disputesRaised}
	case "share/record_violation":
		return []reported{violationsFound}, nil
	case "share/file_correction":
		return []reported{correctionsAsked}, nil
	case "governance/propose", "governance/cast_vote": // who proposes has voted
		return []reported{votesCast}, nil
	}
	return nil, nil
}

// GetReport implements OverviewService.
func (o overviewAPI) GetReport(ctx context.Context, req *connect.Request[consolev1.GetReportRequest]) (*connect.Response[consolev1.GetReportResponse], error) {
	o.s.freshWithin(ctx, searchCatchUp)
	now, err := o.now(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	month, err := monthOf(req.Msg.GetMonth(), now)
	if err != nil {
		return nil, wire.Error(err)
	}
	next, _ := o.s.index.Next()
	all, err := o.s.reports.get(month, next, reportFor, func() (*consolev1.GetReportResponse, error) { return o.report(ctx, month, now) })
	if err != nil {
		return nil, wire.Error(err)
	}
	one := &consolev1.GetReportResponse{Month: all.Month, Height: all.Height, TimeMs: all.TimeMs, Running: all.Running, ChainId: all.ChainId, Titles: report.Titles(language("", req))}
	if req.Msg.GetOrg() == "" {
		one.Orgs, one.Sum, one.OrgsTotal = all.Orgs, all.Sum, all.OrgsTotal
	} else if i := slices.IndexFunc(all.Orgs, func(r *consolev1.OrgReport) bool { return r.Org == req.Msg.GetOrg() }); i >= 0 {
		one.Orgs, one.Sum, one.OrgsTotal = all.Orgs[i:i+1], all.Orgs[i].Counts, 1
	}
	return connect.NewResponse(one), nil
}

// ListReported implements OverviewService.
func (o overviewAPI) ListReported(ctx context.Context, req *connect.Request[consolev1.ListReportedRequest]) (*connect.Response[consolev1.ListReportedResponse], error) {
	m := req.Msg
	if err := checkText(m.GetOrg()); err != nil {
		return nil, wire.Error(err)
	}
	if _, ok := consolev1.ReportFigure_name[int32(m.GetFigure())]; !ok || m.GetFigure() == 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "figure: %d, 1 to %d are possible", m.GetFigure(), len(consolev1.ReportFigure_name)-1))
	}
	o.s.freshWithin(ctx, searchCatchUp)
	now, err := o.now(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	month, err := monthOf(m.GetMonth(), now)
	if err != nil {
		return nil, wire.Error(err)
	}
	steps, next, err := o.s.index.MonthEvents(ctx, month, func(c index.Monthly) bool { return counts(c, m.GetOrg(), m.GetFigure()) }, m.GetBelow(), int(m.GetLimit()))
	if err != nil {
		return nil, wire.Error(err)
	}
	out, lang, names := &consolev1.ListReportedResponse{Next: next}, language("", req), o.s.namesOf(ctx, steps)
	for _, st := range steps {
		out.Steps = append(out.Steps, &tracev1.TraceStep{Seq: st.Seq, Event: st.Event, Title: sentence.EventNamed(lang, st.Event, names)})
	}
	return respond(out, nil)
}

// counts tells whether events are in a figure of an organisation, or of all if org is empty. The
// median is of the answers that a person gave.
func counts(m index.Monthly, org string, f reported) bool {
	whose := func(code string) bool {
		code, _, _ = strings.Cut(code, "/")
		return code != "" && (org == "" || code == org)
	}
	if f == answerMedian {
		return m.Verb == "share/answer" && whose(m.Org)
	}
	own, peer := counted(m)
	return slices.Contains(own, f) && whose(m.Org) || slices.Contains(peer, f) && whose(m.Peer)
}

// monthOf reads "2026-11", empty the month of a moment: Malformed, OutOfRange.
func monthOf(text string, nowMs int64) (int32, error) {
	latest := index.MonthOf(nowMs)
	if text == "" {
		return latest, nil
	}
	at, err := time.Parse("2006-01", text)
	if err != nil {
		return 0, fault.Newf(fault.Malformed, "month: %.20q is no month like %s", text, monthText(latest))
	}
	month := int32(12*at.Year()) + int32(at.Month()) - 1
	if month > latest || month <= latest-maxReportMonths {
		return 0, fault.Newf(fault.OutOfRange, "month: %s, %s to %s are possible", text, monthText(latest-maxReportMonths+1), monthText(latest))
	}
	return month, nil
}

func monthText(month int32) string { return fmt.Sprintf("%04d-%02d", month/12, month%12+1) }

func (o overviewAPI) report(ctx context.Context, month int32, now int64) (*consolev1.GetReportResponse, error) {
	x := o.s.index
	out := &consolev1.GetReportResponse{Month: monthText(month), TimeMs: now, Running: month == index.MonthOf(now)}
	_, out.Height = x.Next()
	st, err := o.s.chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	out.ChainId = st.GetChainId()
	orgs, sum := map[string]map[reported]int64{}, map[reported]int64{}
	add := func(org string, figures []reported, n int64) {
		if org, _, _ = strings.Cut(org, "/"); org == "" || len(figures) == 0 {
			return
		}
		if orgs[org] == nil {
			orgs[org] = map[reported]int64{}
		}
		for _, f := range figures {
			orgs[org][f] += n
			sum[f] += n
		}
	}
	if err := x.Month(ctx, month, func(m index.Monthly) {
		own, peer := counted(m)
		add(m.Org, own, m.N)
		add(m.Peer, peer, m.N)
	}); err != nil {
		return nil, err
	}
	times, err := x.AnswerTimes(ctx, month)
	if err != nil {
		return nil, err
	}
	var all []int64
	for org, ms := range times {
		all = append(all, ms...)
		if orgs[org] != nil {
			orgs[org][answerMedian] = median(ms)
		}
	}
	if len(all) > 0 {
		slices.Sort(all)
		sum[answerMedian] = median(all)
	}
	for org, counts := range orgs {
		out.Orgs = append(out.Orgs, &consolev1.OrgReport{Org: org, Counts: countsOf(counts)})
	}
	slices.SortFunc(out.Orgs, func(a, b *consolev1.OrgReport) int { return cmp.Compare(a.Org, b.Org) })
	out.OrgsTotal = int64(len(out.Orgs))
	out.Orgs = out.Orgs[:min(len(out.Orgs), maxReportOrgs)]
	var keys []string
	for _, r := range out.Orgs {
		keys = append(keys, index.Account+r.Org)
	}
	names := o.s.names(ctx, keys...)
	for i, r := range out.Orgs {
		r.Name = names(keys[i])
	}
	out.Sum = countsOf(sum)
	return out, nil
}

// median of what is ascending; of an even number the lower one.
func median(ms []int64) int64 { return ms[(len(ms)-1)/2] }

func countsOf(counts map[reported]int64) []*consolev1.ReportCount {
	var out []*consolev1.ReportCount
	for f, n := range counts {
		if n != 0 {
			out = append(out, &consolev1.ReportCount{Figure: f, N: n})
		}
	}
	slices.SortFunc(out, func(a, b *consolev1.ReportCount) int { return cmp.Compare(a.Figure, b.Figure) })
	return out
}

// workbook answers GET /api/report/2026-11.xlsx?org=CODE&lang=zh: the report of a month as a file.
func (s *Server) workbook(w http.ResponseWriter, r *http.Request) {
	month, ok := strings.CutSuffix(r.PathValue("month"), ".xlsx")
	if !ok {
		http.Error(w, "404 /api/report/YYYY-MM.xlsx", http.StatusNotFound)
		return
	}
	q := r.URL.Query()
	got, err := overviewAPI{s}.GetReport(r.Context(), connect.NewRequest(&consolev1.GetReportRequest{Month: month, Org: q.Get("org")}))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var file bytes.Buffer
	if err := report.Workbook(&file, sentence.Accept(cmp.Or(q.Get("lang"), r.Header.Get("Accept-Language"))), got.Msg); err != nil {
		s.log.Error("workbook of a report", "month", month, "err", err)
		http.Error(w, "500 the workbook cannot be written", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	h.Set("Content-Disposition", `attachment; filename="mulian-report-`+got.Msg.GetMonth()+`.xlsx"`)
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(file.Bytes()) // whoever has gone away needs no file
}
