// The big screen: the overview at 16:9 without a frame, always dark, nothing to scroll. Every
// figure leads to the page that a desk has.
import { CompressOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useLayoutEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { amount, exact } from '@/chain/words'
import { usePulse } from '@/chain/live'
import { useTick } from '@/parts/clock'
import { Bones, Loaded } from '@/parts/states'
import { typing, useAddress } from '@/parts/table'
import { useShade } from '@/shell/shade'
import { useWho } from '@/shell/who'
import { Concerns } from './concerns'
import { days, getOverview } from './figures'
import { Figure, Period, useSpan } from './parts'

const Streams = lazy(() => import('./flows'))
const HeatMap = lazy(() => import('./flows').then((m) => ({ default: m.HeatMap })))

/** useDark wears the dark theme while the page is open, whatever was chosen. */
function useDark(): void {
  const { shade } = useShade()
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = 'dark'
    return () => { document.documentElement.dataset.theme = shade }
  })
}

export default function Screen() {
  const { t } = useTranslation('operator')
  const { t: shell } = useTranslation('shell')
  const span = useSpan()
  const navigate = useNavigate()
  const { here } = useWho()
  const { connected, height } = usePulse()
  const at = useTick(1000)
  const [address, change] = useAddress({ days: '1' })
  const n = days(address.days)
  const query = useQuery(getOverview(n))
  const period = { days: n }
  useDark()
  useEffect(() => {
    const leave = (e: KeyboardEvent) => { if (e.key === 'Escape' && !typing(e)) void navigate({ to: '/overview' }) }
    addEventListener('keydown', leave)
    return () => removeEventListener('keydown', leave)
  }, [navigate])
  return (
    <div className="screen">
      <header>
        <h1>{t('screen.title')}</h1>
        {here.demo && <span className="pill amber">{shell('demo.mark')} · {shell('demo.text')}</span>}
        {!connected && <span className="pill amber" role="status">{shell('bar.stale', { height: amount(height) })}</span>}
        <span className="end">
          <Period days={n} change={(d) => change({ days: d })} />
          <time>{exact(at)}</time>
          {query.data && <Link to={`/block/${query.data.height}`}>{t('asOf')} {t('height', { height: amount(query.data.height) })}</Link>}
          <Link to="/overview" aria-label={t('screen.leave')}><CompressOutlined /></Link>
        </span>
      </header>
      <Loaded query={query}>
        {(d) => (
          <>
            <div className="figures five">
              <Figure label={t('figure.departments')} to="/members">{amount(d.departments)}</Figure>
              <Figure label={t('figure.entries')} to="/catalogue" search={{ tab: 'all', kind: 'entry' }}>{amount(d.entries)}</Figure>
              <Figure label={t(`figure.shared${n}`)} to="/shared" search={period}>{amount(d.shared)}</Figure>
              <Figure label={t('figure.median')} to="/requests" search={{ box: 'started', ...period }}>{d.started > 0n ? span(d.medianMs) : '—'}</Figure>
              <Figure label={t('figure.drifts')} to="/drift" tone={d.openDrifts > 0n ? 'red' : undefined}>{amount(d.openDrifts)}</Figure>
            </div>
            <section className="card flow" aria-label={t('flow.title')}><header><h2>{t('flow.title')}</h2></header><div className="body"><Suspense fallback={<Bones />}><Streams streams={d.streams} height="100%" /></Suspense></div></section>
            <section className="card wait" aria-label={t('concern.title')}>
              <header><h2>{t('concern.title')}</h2><span className="end"><Link to="/overview">{t('screen.all', { n: amount(d.concernsTotal) })}</Link></span></header>
              <Concerns concerns={d.concerns} most={5} />
            </section>
            <section className="card heat" aria-label={t('heat.title')}><header><h2>{t('heat.title')}</h2></header><div className="body"><Suspense fallback={<Bones />}><HeatMap hours={d.hours.slice(0, 12)} height="100%" onPick={(org) => void navigate({ to: '/shared', search: { ...period, provider: org } as never })} /></Suspense></div></section>
          </>
        )}
      </Loaded>
    </div>
  )
}
