package city

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// The story's facts: what the water bureau wants, and why.
const (
	landEntry     = "建设用地规划许可证"
	buildingEntry = "建设工程规划许可证"
	firmEntry     = "企业登记基本信息"
	waterDuty     = "节约用水和计划用水管理"
	purpose       = "核对新建项目的规划许可，编制供水与节水计划"
	basis         = "《北京市节水条例》；政务数据共享条例第二十条"
	appSystem     = "水务综合管理平台"
)

// story is one telling: what its steps hand to each other.
type story struct {
	*City
	report    *Report
	entries   []*cataloguev1.Entry // both permits, as they stand on the ledger
	request   string
	agreement *sharev1.Agreement
	rows      int64
	builder   string // credit code of one permit's builder
}

// Tell tells the story once and returns what it came to. A city that has told it
// before tells it again with a new request. Whatever the error, the city stands.
func (c *City) Tell(ctx context.Context) (*Report, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(c.failed, func() { stop(c.Err()) })()
	s := &story{City: c, report: &Report{Home: c.opts.Home, StartSeconds: seconds(c.ready)}}
	began := time.Now()
	c.tell.say("%s", c.tell.t("\n故事：水务局需要两类规划许可。按法定时限最长 40 个工作日；现在：\n",
		"\nThe story: the water bureau needs two kinds of planning permits.\nBy law that may take 40 working days. Now:\n"))
	for i, step := range []struct {
		name string
		do   func(context.Context) (int64, []string, error)
	}{
		{"import", s.importCatalogue},
		{"lock", s.lockPermits},
		{"request", s.fileRequest},
		{"answer", s.answerRequest},
		{"confirm", s.confirmAgreement},
		{"deliver", s.deliverPermits},
		{"compare", s.comparePermits},
		{"use", s.recordUse},
		{"query", s.queryFirm},
		{"trace", s.traceAgreement},
		{"verify", s.verifyAgreement},
	} {
		at := time.Now()
		c.tell.doing("%s", c.tell.title(step.name))
		height, lines, err := s.take(ctx, step.do)
		if err != nil {
			c.tell.wipe()
			return s.report, fmt.Errorf("%s: %w", step.name, err)
		}
		took := time.Since(at)
		s.report.Steps = append(s.report.Steps, Step{Name: step.name, Seconds: seconds(took), Height: height})
		c.tell.step(i+1, step.name, height, took, lines)
	}
	s.report.StorySeconds = seconds(time.Since(began))
	c.told = s.agreement.Id
	if err := s.count(ctx); err != nil {
		return s.report, err
	}
	s.report.OK = true
	c.tell.say(c.tell.t("\n%s 行到了水务局自己的数据库，与原库逐行相同。\n启动 %.1f 秒，故事 %.1f 秒。",
		"\n%s rows are in the water bureau's own database, equal row by row.\nStart %.1f s, story %.1f s."),
		thousands(s.rows), s.report.StartSeconds, s.report.StorySeconds)
	return s.report, nil
}

// stepWait bounds one step: a hundred times what the longest one takes.
const stepWait = 5 * time.Minute

// take takes one step. If it ends because a part of the city has failed, that is the error.
func (s *story) take(ctx context.Context, do func(context.Context) (int64, []string, error)) (int64, []string, error) {
	bound, cancel := context.WithTimeout(ctx, stepWait)
	defer cancel()
	height, lines, err := do(bound)
	if failed := s.Err(); err != nil && failed != nil {
		err = failed
	}
	return height, lines, err
}

// seconds rounds to milliseconds.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// count asks the ledger how large the city is.
func (s *story) count(ctx context.Context) error {
	res, err := s.chain.Catalogue.Count(ctx, connect.NewRequest(&cataloguev1.CountRequest{}))
	if err != nil {
		return wire.Fault(err)
	}
	s.report.Rows, s.report.Departments, s.report.Entries = s.rows, res.Msg.GetOrganisations(), res.Msg.GetEntries()
	return nil
}

// send signs as a department's officer and returns the receipt.
func (c *City) send(ctx context.Context, d *content.Department, messages ...proto.Message) (*client.Receipt, error) {
	signer, err := c.officer(d)
	if err != nil {
		return nil, err
	}
	return c.chain.Send(ctx, signer, messages...)
}

// get reads an object that has to be there.
func (c *City) get(ctx context.Context, key string, m proto.Message) error {
	found, err := c.chain.Get(ctx, key, m)
	if err == nil && !found {
		err = fault.Newf(fault.NotFound, "the ledger has no %s", key)
	}
	return err
}

func (s *story) lockPermits(ctx context.Context) (int64, []string, error) {
	ids := []string{planning.Entry(landEntry).Id, planning.Entry(buildingEntry).Id}
	r, err := s.send(ctx, planning, &cataloguev1.LockEntries{Entries: ids, CounterSigners: []string{staffing.Code, authority.Code}})
	if err != nil {
		return 0, nil, err
	}
	for _, id := range ids {
		e := &cataloguev1.Entry{}
		if err := s.get(ctx, "catalogue/entry/"+id, e); err != nil {
			return 0, nil, err
		}
		s.entries = append(s.entries, e)
	}
	return r.Height, []string{fmt.Sprintf(s.tell.t("《%s》《%s》内容和库表结构锁定；%s、%s 会签才能改", "%s and %s: content and structure are locked;\n%s and %s counter-sign any change"),
		s.tell.short(landEntry), s.tell.short(buildingEntry), s.tell.department(staffing), s.tell.department(authority))}, nil
}

// terms are what the water bureau asks for.
func (s *story) terms() *sharev1.Terms {
	t := &sharev1.Terms{
		Purpose: purpose, Duty: dutyOf(water, waterDuty), Matter: "年度供水节水计划编制", LegalBasis: basis, AppSystem: appSystem,
		ScopeOfUse: "仅水务局内部使用，不转交第三方", Method: cataloguev1.Method_METHOD_BATCH, Days: 365, DataLifeDays: 365,
	}
	for _, e := range s.entries {
		t.Parts = append(t.Parts, &sharev1.Part{Entry: e.Id, Items: itemCodes(e)})
	}
	return t
}

func itemCodes(e *cataloguev1.Entry) (codes []string) {
	for _, it := range e.GetItems() {
		codes = append(codes, it.GetCode())
	}
	return codes
}

func dutyOf(d *content.Department, title string) string {
	for _, x := range d.Duties {
		if x.Title == title {
			return x.Id
		}
	}
	panic("city: " + d.Short + " has no duty " + title)
}

func (s *story) fileRequest(ctx context.Context) (int64, []string, error) {
	r, err := s.send(ctx, water, &sharev1.FileRequest{Terms: s.terms(), Gateway: gatewayOf(water)})
	if err == nil {
		s.request = r.IDs[0]
	} else if fault.Is(err, fault.AlreadyExists) {
		// An earlier telling ended between request and answer: this one goes on with it.
		err = s.findRequest(ctx)
	}
	if err != nil {
		return 0, nil, err
	}
	height, err := s.height(ctx, r)
	return height, []string{
		fmt.Sprintf(s.tell.t("水务局，职责“%s”\n用途：%s", "the water bureau, for its duty of %s,\nto %s"), s.tell.short(waterDuty), s.tell.short(purpose)),
		fmt.Sprintf(s.tell.t("申请 %s；法定答复期 10 个工作日开始计时", "request %s; the clock of 10 working days runs"), s.request),
	}, err
}

// findRequest looks for the own request that is not decided.
func (s *story) findRequest(ctx context.Context) error {
	err := s.chain.List(ctx, "share/request/", func(_ string, value []byte) bool {
		var r sharev1.Request
		if proto.Unmarshal(value, &r) == nil && r.Requester == water.Code && r.Provider == planning.Code && r.State == sharev1.RequestState_REQUEST_STATE_RECEIVED {
			s.request = r.Id
		}
		return s.request == ""
	})
	if err == nil && s.request == "" {
		err = fault.Newf(fault.NotFound, "the ledger says that the same is asked already, and has no such request")
	}
	return err
}

// height is that of a receipt, or the latest one if there is none.
func (c *City) height(ctx context.Context, r *client.Receipt) (int64, error) {
	if r != nil {
		return r.Height, nil
	}
	st, err := c.chain.Status(ctx)
	return st.GetHeight(), err
}

func (s *story) answerRequest(ctx context.Context) (int64, []string, error) {
	r, err := s.send(ctx, planning, &sharev1.Answer{Request: s.request, Accept: true})
	if err != nil {
		return 0, nil, err
	}
	s.agreement = &sharev1.Agreement{}
	if err := s.get(ctx, "share/agreement/"+r.IDs[0], s.agreement); err != nil {
		return 0, nil, err
	}
	return r.Height, []string{fmt.Sprintf(s.tell.t("规划自然资源委同意，签署协议 %s，期限 %d 天", "the planning commission agrees and signs %s, for %d days"), s.agreement.Id, s.agreement.GetTerms().GetDays())}, nil
}

func (s *story) confirmAgreement(ctx context.Context) (int64, []string, error) {
	r, err := s.send(ctx, water, &sharev1.ConfirmAgreement{Agreement: s.agreement.Id, Version: s.agreement.Version})
	if err != nil {
		return 0, nil, err
	}
	return r.Height, []string{s.tell.t("水务局签署；法定交付期 20 个工作日开始计时", "the water bureau signs; the clock of 20 working days to deliver runs")}, nil
}

func (s *story) recordUse(ctx context.Context) (int64, []string, error) {
	r, err := s.gateways[water.Short].Use(ctx, s.agreement.Id, "SW-2025-0417", uint64(s.rows), "核对在建项目用水需求")
	if err != nil {
		return 0, nil, err
	}
	return r.Height, []string{s.tell.t("水务局登记一次使用：办件 SW-2025-0417，用途与协议一致", "the water bureau records one use: case SW-2025-0417, as agreed")}, nil
}

// queryFirm shows the other way: no officer answers, the ledger does, by the
// provider's standing order; and only one record is given.
func (s *story) queryFirm(ctx context.Context) (int64, []string, error) {
	provider := content.Find("市场监管局")
	right, r, err := s.rightTo(ctx, water, waterDuty, provider, firmEntry, "核验许可证载明的建设单位")
	if err != nil {
		return 0, nil, err
	}
	began := time.Now()
	res, err := s.gateways[water.Short].Query(ctx, right.agreement, right.entry.Id, []string{"credit_code", "name", "status"}, 1, &gatewayv1.KeyValue{Item: "credit_code", Value: s.builder})
	if err != nil {
		return 0, nil, err
	}
	took := time.Since(began)
	if len(res.Rows) != 1 {
		return 0, nil, fault.Newf(fault.NotFound, "the register has %d firms with the code %s", len(res.Rows), s.builder)
	}
	row := res.Rows[0]
	height, err := s.height(ctx, r)
	return height, []string{
		fmt.Sprintf(s.tell.t("《%s》：市场监管局的自动授权规则当块答复", "%s: answered in the same block, by its standing order"), s.tell.short(firmEntry)),
		fmt.Sprintf(s.tell.t("一张许可证的建设单位：%s，%s\n只给 3 项，%d 毫秒；收据双方签名", "the builder on one permit: %s, %s\n3 items and no more, %d ms; the receipt is signed by both"),
			row[1].Text, row[2].Text, took.Milliseconds()),
	}, err
}

// chain is the way from a duty to a use, by the verbs of the ledger's events.
var chain = []string{
	"catalogue/put_duties", "catalogue/submit_entries", "catalogue/lock_entries", "share/file_request", "share/answer",
	"share/confirm_agreement", "share/start_delivery", "share/complete_delivery", "share/confirm_delivery", "share/record_use",
}

// traceAgreement reads everything that the agreement hangs on, once the index has
// taken all that has happened. One line for each kind of act; the command shows all.
func (s *story) traceAgreement(ctx context.Context) (int64, []string, error) {
	if err := s.indexed(ctx); err != nil {
		return 0, nil, err
	}
	res, err := s.chain.Trace.Trace(ctx, connect.NewRequest(&tracev1.TraceRequest{Object: "share/agreement/" + s.agreement.Id, Limit: 500}))
	if err != nil {
		return 0, nil, wire.Fault(err)
	}
	ours := s.objectsOfStory()
	first, height := map[string]*tracev1.Event{}, int64(0)
	for _, step := range res.Msg.GetSteps() {
		e := step.GetEvent()
		height = max(height, e.GetHeight())
		if first[e.GetVerb()] == nil && slices.ContainsFunc(e.GetObjects(), func(key string) bool { return ours[key] }) {
			first[e.GetVerb()] = e
		}
	}
	var lines []string
	for _, verb := range chain {
		e := first[verb]
		if e == nil {
			return 0, nil, fault.Newf(fault.Internal, "the trace of agreement %s has no %s", s.agreement.Id, verb)
		}
		lines = append(lines, s.tell.event(e))
	}
	return height, append(lines, fmt.Sprintf(s.tell.t("共 %d 步，全部：mulian trace %s", "%d steps in all: mulian trace %s"), len(res.Msg.GetSteps()), s.agreement.Id)), nil
}

// objectsOfStory are the state keys of what the story is about.
func (s *story) objectsOfStory() map[string]bool {
	ours := map[string]bool{"share/agreement/" + s.agreement.Id: true, "share/request/" + s.request: true}
	for _, e := range s.entries {
		ours["catalogue/entry/"+e.Id] = true
		for _, id := range e.Duties {
			ours["catalogue/duty/"+id] = true
		}
	}
	return ours
}

// indexed waits until the index has taken every event that there is now.
func (c *City) indexed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		st, err := c.chain.Status(ctx)
		if err != nil || st.GetIndexed() >= st.GetEvents() {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.Newf(fault.Timeout, "the index is %d events behind", st.GetEvents()-st.GetIndexed())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// verifyAgreement reads the agreement as a stranger would: from a server that he
// does not trust, with proof up to the genesis.
func (s *story) verifyAgreement(ctx context.Context) (int64, []string, error) {
	g := &sharev1.Agreement{}
	found, at, err := s.chain.Verify(s.genesis).Get(ctx, "share/agreement/"+s.agreement.Id, g)
	switch {
	case err != nil:
		return 0, nil, err
	case !found || g.State != sharev1.AgreementState_AGREEMENT_STATE_ACTIVE || g.Consumer != water.Code || g.Provider != planning.Code:
		return 0, nil, errors.New("the proved agreement is not the one that was signed")
	}
	lines, err := s.proveDelivery(ctx)
	return at.Height, append([]string{
		fmt.Sprintf(s.tell.t("协议 %s 有效，附存在证明；区块头由验证节点签名", "agreement %s is active; header signed by the validators"), g.Id),
	}, lines...), err
}

// Next are commands to try beside the running city, without the program's name.
func (c *City) Next() []string {
	lines := []string{
		"status",
		"catalogue list --search 许可",
		"catalogue show " + planning.Entry(buildingEntry).Id,
		"share list",
	}
	if c.told != "" {
		lines = append(lines, "trace "+c.told, "share show "+c.told)
	}
	return append(lines, "explain 13018")
}
