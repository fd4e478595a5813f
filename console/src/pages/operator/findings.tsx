// What an auditor looks at first: rules of thumb over what is on the ledger, each with its
// threshold and what it found. A finding is a reason to look, and proves nothing yet.
import { toJsonString } from '@bufbuild/protobuf'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Concern, ConcernKind as K, type FindingRule, ListFindingsResponseSchema, OverviewService } from '@/gen/mulian/console/v1/overview_pb'
import { pathOfTrace } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount } from '@/chain/words'
import { save } from '@/check/check'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { Concerns } from './concerns'
import { AsOf } from './parts'

const figures = (r: FindingRule) => ({ least: amount(r.least), times: amount(r.times), days: r.days, hours: r.hours })
const traced = (c: Concern) => (c.object.startsWith('share/') || c.object.startsWith('catalogue/') ? pathOfTrace(c.object) : '')

export default function Findings() {
  const { t } = useTranslation('operator')
  const [address, change] = useAddress({ rule: '' })
  const query = useQuery({ queryKey: ['findings'], refetchInterval: 30_000, queryFn: () => rpc(OverviewService).listFindings({}) })
  return (
    <>
      <div className="titles">
        <h1>{t('finding.title')}</h1>
        <span className="end">{query.data && <AsOf height={query.data.height} timeMs={query.data.timeMs} />}
          {query.data && <Button data-testid="export" onClick={() => save(`mulian-findings-${query.data.height}.json`, new TextEncoder().encode(toJsonString(ListFindingsResponseSchema, query.data, { prettySpaces: 2 })), 'application/json')}>{t('finding.export')}</Button>}
        </span>
      </div>
      <p className="second inline">{t('finding.text')} <Link to="/verify">{t('finding.verify')}</Link></p>
      <Loaded query={query} rows={8}>
        {(d) => {
          const list = address.rule ? d.findings.filter((c) => K[c.kind] === address.rule) : d.findings
          const total = d.rules.filter((r) => !address.rule || K[r.kind] === address.rule).reduce((n, r) => n + r.total, 0n)
          return (
            <div className="board findings">
              <section className="card" aria-label={t('finding.list')}>
                <header>
                  <h2>{address.rule ? t(`rule.${address.rule}`) : t('finding.list')}</h2>
                  <span className="end second">{Number(total) > list.length ? t('concern.some', { n: list.length, total: amount(total) }) : t('concern.all', { n: list.length })}
                    {address.rule && <Button size="small" onClick={() => change({ rule: '' })}>{t('finding.all')}</Button>}
                  </span>
                </header>
                {list.length > 0 ? <Concerns concerns={list} trace={traced} /> : <Empty text={t('finding.empty')} />}
              </section>
              <section className="card" aria-label={t('finding.rules')}>
                <header><h2>{t('finding.rules')}</h2></header>
                <ul className="rules">
                  {d.rules.map((r) => (
                    <li key={r.kind}>
                      <button type="button" className="plain" aria-pressed={K[r.kind] === address.rule} aria-label={`${t(`rule.${K[r.kind]}`)}, ${t('concern.all', { n: amount(r.total) })}`} onClick={() => change({ rule: K[r.kind] === address.rule ? '' : K[r.kind] })}>{t(`rule.${K[r.kind]}`)}</button>
                      <b className={r.total > 0n ? 'some' : undefined} aria-hidden="true">{amount(r.total)}</b>
                      <small>{t(`threshold.${K[r.kind]}`, figures(r))}</small>
                    </li>
                  ))}
                </ul>
              </section>
            </div>
          )
        }}
      </Loaded>
    </>
  )
}
