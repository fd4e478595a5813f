// /dev/calls: how often this node was called, what it refused and how long it took, since it
// was started: the figures of /metrics.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { amount, exact } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { type Figures, figures, type Line } from './figures'

const EVERY_MS = 5000

export default function Calls() {
  const { t } = useTranslation('dev')
  const query = useQuery({
    queryKey: ['metrics'], refetchInterval: EVERY_MS,
    queryFn: async () => {
      const res = await fetch('/metrics')
      if (!res.ok) throw new Error(`metrics: ${res.status}`)
      return figures(await res.text())
    },
  })
  return (
    <>
      <div className="titles"><h1>{t('figures')}</h1><span className="end"><a href="/metrics">/metrics</a></span></div>
      <p className="second">{t('figuresText')}</p>
      <Loaded query={query}>{(f) => <Table f={f} />}</Loaded>
    </>
  )
}

function Table({ f }: { f: Figures }) {
  const { t } = useTranslation('dev')
  const navigate = useNavigate()
  const columns: Column<Line>[] = [
    { id: 'call', title: t('call'), card: 'title', sort: (a, b) => a.method.localeCompare(b.method), show: (l) => <span className="two">{l.method.split('/').at(-1)}<small className="mono">{l.method.split('/').at(-2)}</small></span> },
    { id: 'n', title: t('made'), number: true, sort: (a, b) => a.calls - b.calls, show: (l) => t('nTimes', { n: amount(l.calls) }) },
    { id: 'refused', title: t('refusals'), number: true, sort: (a, b) => a.refused - b.refused, show: (l) => (l.refused === 0 ? '0' : <span className="pill square red">{l.codes.map(([code, n]) => `${code} × ${amount(n)}`).join('、')}</span>) },
    { id: 'mean', title: t('mean'), number: true, card: 'end', sort: (a, b) => a.meanMs - b.meanMs, show: (l) => `${l.meanMs < 10 ? l.meanMs.toFixed(1) : amount(Math.round(l.meanMs))} ms` },
  ]
  return (
    <section className="card" aria-label={t('figures')}>
      <header><h2>{t('since', { at: exact(f.startMs) })}</h2><span className="end second">{t('allCalls', { n: amount(f.calls), refused: amount(f.refused) })}</span></header>
      <DataTable
        whole caption={t('figures')} columns={columns} rows={f.lines} rowId={(l) => l.method} empty={<Empty text={t('noFigures')} />}
        onOpen={(l) => void navigate({ to: '/dev/api', search: { call: l.method.startsWith('/') ? l.method : `/${l.method}` } as never })}
      />
    </section>
  )
}
