// The operator's home: five figures, each of which opens its list; where data flows; what
// waits for somebody. Everything is of one height.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'
import { amount } from '@/chain/words'
import { Bones, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { Concerns } from './concerns'
import { days, getOverview } from './figures'
import { AsOf, Figure, Period, Seen, useSpan } from './parts'

const Streams = lazy(() => import('./flows'))
const StreamTable = lazy(() => import('./flows').then((m) => ({ default: m.StreamTable })))
const HeatMap = lazy(() => import('./flows').then((m) => ({ default: m.HeatMap })))
const HeatTable = lazy(() => import('./flows').then((m) => ({ default: m.HeatTable })))

export default function Overview() {
  const { t } = useTranslation('operator')
  const span = useSpan()
  const navigate = useNavigate()
  const [address, change] = useAddress({ days: '1' })
  const n = days(address.days)
  const query = useQuery(getOverview(n))
  const period = { days: n }
  return (
    <>
      <div className="titles"><h1>{t('overview.title')}</h1><span className="end">{query.data && <AsOf height={query.data.height} timeMs={query.data.timeMs} />}<Period days={n} change={(d) => change({ days: d })} /></span></div>
      <Loaded query={query} rows={8}>
        {(d) => (
          <>
            <div className="figures five">
              <Figure label={t('figure.departments')} to="/members">{amount(d.departments)}</Figure>
              <Figure label={t('figure.entries')} to="/catalogue" search={{ tab: 'all', kind: 'entry' }}>{amount(d.entries)}</Figure>
              <Figure label={t(`figure.shared${n}`)} to="/shared" search={period} beside={d.refused > 0n ? t('figure.refused', { n: amount(d.refused) }) : undefined}>{amount(d.shared)}</Figure>
              <Figure label={t('figure.median')} to="/requests" search={{ box: 'started', ...period }} beside={t('figure.of', { n: amount(d.started) })}>{d.started > 0n ? span(d.medianMs) : '—'}</Figure>
              <Figure label={t('figure.drifts')} to="/drift" tone={d.openDrifts > 0n ? 'red' : undefined}>{amount(d.openDrifts)}</Figure>
            </div>
            <div className="board">
              <Seen
                title={t('flow.title')}
                picture={<Suspense fallback={<Bones />}><Streams streams={d.streams} height={340} /></Suspense>}
                table={<Suspense fallback={<Bones />}><StreamTable streams={d.streams} /></Suspense>}
              />
              <section className="card" aria-label={t('concern.title')}>
                <header><h2>{t('concern.title')}</h2><span className="end second">{Number(d.concernsTotal) > d.concerns.length ? t('concern.some', { n: d.concerns.length, total: amount(d.concernsTotal) }) : t('concern.all', { n: d.concerns.length })}</span></header>
                <Concerns concerns={d.concerns} />
              </section>
              <Seen
                wide title={t('heat.title')} end={d.hoursOthers > 0n ? <span className="second">{t('heat.others', { n: amount(d.hoursOthers) })}</span> : undefined}
                picture={<Suspense fallback={<Bones />}><HeatMap hours={d.hours} onPick={(org) => void navigate({ to: '/shared', search: { ...period, provider: org } as never })} /></Suspense>}
                table={<Suspense fallback={<Bones />}><HeatTable hours={d.hours} /></Suspense>}
              />
            </div>
          </>
        )}
      </Loaded>
    </>
  )
}
