// Small things that several of the operator's pages show.
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { amount, moment } from '@/chain/words'
import { PERIODS } from './figures'
import './operator.css'

/** useSpan writes how long something took: one unit and the next smaller one. */
export function useSpan(): (ms: bigint | number) => string {
  const { t } = useTranslation('operator')
  return (value) => {
    const s = Math.round(Number(value) / 1000)
    if (s < 1) return t('span.none')
    if (s < 60) return t('span.s', { s })
    if (s < 3600) return t('span.ms', { m: Math.floor(s / 60), s: s % 60 })
    if (s < 2 * 86400) return t('span.hm', { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) })
    return t('span.dh', { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) })
  }
}

/** Period chooses the days that figures are of. */
export function Period({ days, change }: { days: number; change: (days: string) => void }) {
  const { t } = useTranslation('operator')
  return (
    <span className="segs" role="group" aria-label={t('period.label')}>
      {PERIODS.map((p) => <button key={p} type="button" aria-pressed={Number(p) === days} onClick={() => change(p)}>{t(`period.d${p}`)}</button>)}
    </span>
  )
}

/** AsOf says of which block figures are. */
export function AsOf({ height, timeMs }: { height: bigint; timeMs: bigint }) {
  const { t } = useTranslation('operator')
  return <span className="second nowrap asof">{t('asOf')} <Link to={`/block/${height}`}>{t('height', { height: amount(height) })}</Link> · {moment(timeMs)}</span>
}

/** Figure is a number that opens the list which it counts. */
export function Figure({ label, to, search, tone, children, beside }: { label: string; to: string; search?: Record<string, string | number>; tone?: 'red'; children: ReactNode; beside?: string }) {
  return <Link to={to} search={search as never} className={tone ? `figure ${tone}` : 'figure'}><span>{label}</span><b>{children}</b>{beside && <span>{beside}</span>}</Link>
}

/** Seen is a card whose content is a picture or the table of the same numbers. */
export function Seen({ title, picture, table, end, wide, first = 'picture' }: { title: string; picture: ReactNode; table: ReactNode; end?: ReactNode; wide?: boolean; first?: 'picture' | 'table' }) {
  const { t } = useTranslation('operator')
  const [as, setAs] = useState<'picture' | 'table'>(first)
  return (
    <section className={wide ? 'card wide' : 'card'} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span className="end">{end}<span className="segs" role="group" aria-label={t('as.label')}>{(['picture', 'table'] as const).map((k) => <button key={k} type="button" aria-pressed={as === k} onClick={() => setAs(k)}>{t(`as.${k}`)}</button>)}</span></span>
      </header>
      {as === 'picture' ? <div className="body">{picture}</div> : table}
    </section>
  )
}
