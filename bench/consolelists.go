package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"connectrpc.com/connect"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// consoleWords are searched for: common, rare, of another kind, and without a hit.
var consoleWords = []string{"台账", "受理", "测试局07 台账", "建设工程规划许可证", "permit", "第012345号", "办结日期", "没有这种目录"}

// only takes a call's error alone.
func only[M any](_ *connect.Response[M], err error) error { return err }

func req[M any](m *M) *connect.Request[M] { return connect.NewRequest(m) }

// lists are what pages ask, with what is needed to ask for their depth.
func (s *settlement) lists(ctx context.Context) ([]listed, error) {
	h := client.HTTPClient()
	console, overview := consolev1connect.NewConsoleServiceClient(h, s.member.URL()), consolev1connect.NewOverviewServiceClient(h, s.member.URL())
	cat, sh := s.chain.Catalogue, s.chain.Share
	entries, err := cursors(func(after string) (string, error) {
		r, err := cat.ListEntries(ctx, req(&cataloguev1.ListEntriesRequest{After: after, Limit: 500}))
		return next(r, err)
	})
	if err != nil {
		return nil, err
	}
	var agreements []string
	deals, err := cursors(func(after string) (string, error) {
		r, err := sh.ListAgreements(ctx, req(&sharev1.ListAgreementsRequest{After: after, Limit: 500}))
		if err == nil {
			for _, a := range r.Msg.GetAgreements() {
				agreements = append(agreements, a.GetId())
			}
		}
		return next(r, err)
	})
	if err != nil {
		return nil, err
	}
	requests, err := cursors(func(after string) (string, error) {
		r, err := sh.ListRequests(ctx, req(&sharev1.ListRequestsRequest{After: after, Limit: 500}))
		return next(r, err)
	})
	if err != nil {
		return nil, err
	}
	deliveries, err := cursors(func(after string) (string, error) {
		r, err := console.ListDeliveries(ctx, req(&consolev1.ListDeliveriesRequest{After: after, Limit: 500}))
		return next(r, err)
	})
	if err != nil {
		return nil, err
	}
	orgs, err := s.chain.Identity.ListAccounts(ctx, req(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, Limit: 500}))
	if err != nil {
		return nil, err
	}
	st, err := s.chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	org := func(r *rand.Rand) string {
		return orgs.Msg.GetAccounts()[r.IntN(len(orgs.Msg.GetAccounts()))].GetId()
	}
	user := func(r *rand.Rand) string { return s.users[r.IntN(len(s.users))].Account }
	word := func(r *rand.Rand) string { return pick(r, consoleWords) }
	height := func(r *rand.Rand) int64 { return 2 + r.Int64N(max(st.GetHeight()-1, 1)) }
	shared := func(r *rand.Rand) string { return fmt.Sprintf("%s:permit%02d", s.provider.Account, r.IntN(shared)) }
	standing := []cataloguev1.EntryState{cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, cataloguev1.EntryState_ENTRY_STATE_UPDATING}
	waiting := []sharev1.RequestState{sharev1.RequestState_REQUEST_STATE_RECEIVED}
	decided := []sharev1.RequestState{sharev1.RequestState_REQUEST_STATE_ACCEPTED, sharev1.RequestState_REQUEST_STATE_REFUSED, sharev1.RequestState_REQUEST_STATE_WITHDRAWN}
	a := func(name string, ways ...func(ctx context.Context, r *rand.Rand) error) listed {
		return listed{name, true, func(ctx context.Context, r *rand.Rand) error { return ways[r.IntN(len(ways))](ctx, r) }}
	}
	apart := func(name string, ways ...func(ctx context.Context, r *rand.Rand) error) listed {
		l := a(name, ways...)
		l.pages = false
		return l
	}
	entry := func(make func(r *rand.Rand) *cataloguev1.ListEntriesRequest) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, r *rand.Rand) error { return only(cat.ListEntries(ctx, req(make(r)))) }
	}
	request := func(make func(r *rand.Rand) *sharev1.ListRequestsRequest) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, r *rand.Rand) error { return only(sh.ListRequests(ctx, req(make(r)))) }
	}
	event := func(make func(r *rand.Rand) *consolev1.ListEventsRequest) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, r *rand.Rand) error { return only(console.ListEvents(ctx, req(make(r)))) }
	}
	block := func(make func(r *rand.Rand) *consolev1.ListBlocksRequest) func(context.Context, *rand.Rand) error {
		return func(ctx context.Context, r *rand.Rand) error { return only(console.ListBlocks(ctx, req(make(r)))) }
	}
	return []listed{
		a("catalogue",
			entry(func(*rand.Rand) *cataloguev1.ListEntriesRequest { return &cataloguev1.ListEntriesRequest{} }),
			entry(func(r *rand.Rand) *cataloguev1.ListEntriesRequest {
				return &cataloguev1.ListEntriesRequest{After: pick(r, entries)}
			}),
			entry(func(r *rand.Rand) *cataloguev1.ListEntriesRequest {
				return &cataloguev1.ListEntriesRequest{Provider: org(r), States: standing}
			}),
			entry(func(r *rand.Rand) *cataloguev1.ListEntriesRequest {
				return &cataloguev1.ListEntriesRequest{ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, After: pick(r, entries)}
			}),
			entry(func(r *rand.Rand) *cataloguev1.ListEntriesRequest {
				return &cataloguev1.ListEntriesRequest{Provider: org(r), Limit: 500}
			})),
		// No page asks so: they search. The command line's list does.
		apart("text",
			entry(func(r *rand.Rand) *cataloguev1.ListEntriesRequest {
				return &cataloguev1.ListEntriesRequest{Text: word(r)}
			}),
			entry(func(r *rand.Rand) *cataloguev1.ListEntriesRequest {
				return &cataloguev1.ListEntriesRequest{Text: word(r), Provider: org(r)}
			})),
		a("search",
			func(ctx context.Context, r *rand.Rand) error {
				return only(cat.Search(ctx, req(&cataloguev1.SearchRequest{Text: word(r), WithFacets: true})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(cat.Search(ctx, req(&cataloguev1.SearchRequest{WithFacets: true, Orgs: []string{org(r)}})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(cat.Search(ctx, req(&cataloguev1.SearchRequest{WithFacets: true})))
			}),
		a("find", func(ctx context.Context, r *rand.Rand) error {
			return only(console.Find(ctx, req(&consolev1.FindRequest{Text: word(r)})))
		}),
		a("count", func(ctx context.Context, _ *rand.Rand) error {
			return only(cat.Count(ctx, req(&cataloguev1.CountRequest{})))
		}),
		a("duties",
			func(ctx context.Context, _ *rand.Rand) error {
				return only(cat.ListDuties(ctx, req(&cataloguev1.ListDutiesRequest{})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(cat.ListDuties(ctx, req(&cataloguev1.ListDutiesRequest{Org: org(r), Limit: 500})))
			},
			func(ctx context.Context, _ *rand.Rand) error {
				return only(cat.ListDuties(ctx, req(&cataloguev1.ListDutiesRequest{Text: "职责"})))
			}),
		a("tables", func(ctx context.Context, r *rand.Rand) error {
			return only(cat.ListTables(ctx, req(&cataloguev1.ListTablesRequest{Org: org(r)})))
		}),
		a("sources", func(ctx context.Context, _ *rand.Rand) error {
			return only(console.ListSources(ctx, req(&consolev1.ListSourcesRequest{})))
		}),
		a("drifts",
			func(ctx context.Context, _ *rand.Rand) error {
				return only(cat.ListDrifts(ctx, req(&cataloguev1.ListDriftsRequest{OpenOnly: true})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(cat.ListDrifts(ctx, req(&cataloguev1.ListDriftsRequest{Org: org(r)})))
			}),
		a("requests",
			request(func(*rand.Rand) *sharev1.ListRequestsRequest { return &sharev1.ListRequestsRequest{} }),
			request(func(r *rand.Rand) *sharev1.ListRequestsRequest {
				return &sharev1.ListRequestsRequest{After: pick(r, requests)}
			}),
			request(func(*rand.Rand) *sharev1.ListRequestsRequest {
				return &sharev1.ListRequestsRequest{Provider: s.provider.Account, States: waiting, Limit: 200}
			}),
			request(func(*rand.Rand) *sharev1.ListRequestsRequest {
				return &sharev1.ListRequestsRequest{Provider: s.provider.Account, States: decided, Limit: 200}
			}),
			request(func(r *rand.Rand) *sharev1.ListRequestsRequest {
				return &sharev1.ListRequestsRequest{Requester: user(r), Limit: 200}
			}),
			request(func(r *rand.Rand) *sharev1.ListRequestsRequest {
				return &sharev1.ListRequestsRequest{Entry: shared(r)}
			})),
		a("agreements",
			func(ctx context.Context, r *rand.Rand) error {
				return only(sh.ListAgreements(ctx, req(&sharev1.ListAgreementsRequest{After: pick(r, deals)})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(sh.ListAgreements(ctx, req(&sharev1.ListAgreementsRequest{Consumer: user(r), Limit: 200})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(sh.ListAgreements(ctx, req(&sharev1.ListAgreementsRequest{Entry: shared(r), Limit: 200})))
			}),
		a("agreement", func(ctx context.Context, r *rand.Rand) error { // with its deliveries and uses
			return only(sh.GetAgreement(ctx, req(&sharev1.GetAgreementRequest{Id: pick(r, agreements)})))
		}),
		a("deliveries",
			func(ctx context.Context, r *rand.Rand) error {
				return only(console.ListDeliveries(ctx, req(&consolev1.ListDeliveriesRequest{After: pick(r, deliveries)})))
			},
			func(ctx context.Context, _ *rand.Rand) error {
				return only(console.ListDeliveries(ctx, req(&consolev1.ListDeliveriesRequest{Org: s.provider.Account, States: []sharev1.DeliveryState{sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED}})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(console.ListDeliveries(ctx, req(&consolev1.ListDeliveriesRequest{Entry: shared(r)})))
			}),
		a("trace",
			func(ctx context.Context, r *rand.Rand) error {
				return only(s.chain.Trace.Trace(ctx, req(&tracev1.TraceRequest{Object: pick(r, agreements), Limit: 100})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(s.chain.Trace.Trace(ctx, req(&tracev1.TraceRequest{Object: "catalogue/entry/" + shared(r), Limit: 100})))
			},
			func(ctx context.Context, r *rand.Rand) error {
				return only(s.chain.Trace.Trace(ctx, req(&tracev1.TraceRequest{Object: "catalogue/entry/" + shared(r), Direct: true, Limit: 200})))
			}),
		a("events",
			event(func(*rand.Rand) *consolev1.ListEventsRequest { return &consolev1.ListEventsRequest{} }),
			event(func(r *rand.Rand) *consolev1.ListEventsRequest {
				return &consolev1.ListEventsRequest{Below: 1 + r.Int64N(st.GetEvents())}
			}),
			event(func(r *rand.Rand) *consolev1.ListEventsRequest { return &consolev1.ListEventsRequest{Actor: org(r)} }),
			event(func(r *rand.Rand) *consolev1.ListEventsRequest {
				return &consolev1.ListEventsRequest{Object: "catalogue/entry/" + shared(r)}
			}),
			event(func(r *rand.Rand) *consolev1.ListEventsRequest {
				return &consolev1.ListEventsRequest{Actor: user(r), Below: 1 + r.Int64N(st.GetEvents())}
			})),
		a("heads", func(ctx context.Context, _ *rand.Rand) error {
			return only(s.chain.Trace.ListHeads(ctx, req(&tracev1.ListHeadsRequest{})))
		}),
		a("blocks",
			block(func(*rand.Rand) *consolev1.ListBlocksRequest { return &consolev1.ListBlocksRequest{} }),
			block(func(*rand.Rand) *consolev1.ListBlocksRequest {
				return &consolev1.ListBlocksRequest{Filled: true, Quiet: true, Limit: 50, Objects: true}
			}),
			block(func(r *rand.Rand) *consolev1.ListBlocksRequest {
				return &consolev1.ListBlocksRequest{Below: height(r)}
			}),
			block(func(r *rand.Rand) *consolev1.ListBlocksRequest {
				return &consolev1.ListBlocksRequest{Account: org(r), Filled: true}
			})),
		a("overview",
			func(ctx context.Context, _ *rand.Rand) error {
				return only(overview.GetOverview(ctx, req(&consolev1.GetOverviewRequest{Days: 1})))
			},
			func(ctx context.Context, _ *rand.Rand) error {
				return only(overview.GetOverview(ctx, req(&consolev1.GetOverviewRequest{Days: 31})))
			}),
		a("map", func(ctx context.Context, _ *rand.Rand) error {
			return only(overview.GetCoverage(ctx, req(&consolev1.GetCoverageRequest{})))
		}),
		a("covered", func(ctx context.Context, r *rand.Rand) error {
			return only(overview.ListCovered(ctx, req(&consolev1.ListCoveredRequest{Org: org(r)})))
		}),
		a("shares", func(ctx context.Context, r *rand.Rand) error {
			return only(overview.ListShares(ctx, req(&consolev1.ListSharesRequest{Days: 1 + uint32(r.IntN(31))})))
		}),
		a("starts", func(ctx context.Context, _ *rand.Rand) error {
			return only(overview.ListStarts(ctx, req(&consolev1.ListStartsRequest{Days: 31})))
		}),
		a("votes", func(ctx context.Context, _ *rand.Rand) error {
			return only(overview.ListVotes(ctx, req(&consolev1.ListVotesRequest{})))
		}),
		a("signers", func(ctx context.Context, _ *rand.Rand) error {
			return only(overview.ListSigners(ctx, req(&consolev1.ListSignersRequest{})))
		}),
		a("members", func(ctx context.Context, _ *rand.Rand) error {
			return only(s.chain.Governance.GetConsortium(ctx, req(&governancev1.GetConsortiumRequest{})))
		}),
		a("accounts",
			func(ctx context.Context, _ *rand.Rand) error {
				return only(s.chain.Identity.ListAccounts(ctx, req(&identityv1.ListAccountsRequest{})))
			},
			func(ctx context.Context, _ *rand.Rand) error {
				return only(s.chain.Identity.ListAccounts(ctx, req(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_GATEWAY})))
			}),
		a("standings", func(ctx context.Context, _ *rand.Rand) error {
			return only(sh.ListStandings(ctx, req(&sharev1.ListStandingsRequest{})))
		}),
		a("status", func(ctx context.Context, _ *rand.Rand) error {
			return only(s.chain.Ledger.GetStatus(ctx, req(&ledgerv1.GetStatusRequest{})))
		}),
	}, nil
}

// next is the cursor of an answer.
func next[M any, P interface {
	*M
	GetNext() string
}](r *connect.Response[M], err error) (string, error) {
	if err != nil {
		return "", err
	}
	return P(r.Msg).GetNext(), nil
}

// cursors are those of all pages of a list, the empty one of the first with them.
func cursors(page func(after string) (string, error)) ([]string, error) {
	all := []string{""}
	for {
		cursor, err := page(all[len(all)-1])
		if err != nil {
			return nil, err
		}
		if cursor == "" {
			return all, nil
		}
		all = append(all, cursor)
	}
}

func pick(r *rand.Rand, all []string) string { return all[r.IntN(len(all))] }
