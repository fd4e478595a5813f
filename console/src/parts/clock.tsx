// Clock pill: how long something has left. Green over 30 minutes, amber below, red overdue;
// always an icon and words. Statutory clocks run in days: amber on the last one.
import { CheckCircleFilled, ClockCircleFilled, ExclamationCircleFilled } from '@ant-design/icons'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { exact, lasting } from '@/chain/words'
import { now } from '@/chain/live'

const AMBER_MS = 30 * 60_000
const DAY_MS = 86_400_000

/** useTick makes a part look at the clock again. */
export function useTick(everyMs: number): number {
  const [at, set] = useState(now)
  useEffect(() => {
    const timer = setInterval(() => set(now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return at
}

export function Clock({ dueMs, stopped, totalMs }: { dueMs?: bigint | number; stopped?: boolean; totalMs?: number }) {
  const { t } = useTranslation('shell')
  const at = useTick(10_000)
  if (stopped) return <span className="pill grey"><ClockCircleFilled />{t('clock.stopped')}</span>
  if (!dueMs) return null
  const left = Number(dueMs) - at
  const l = lasting(Math.abs(left))
  const text = t(`clock.${l.unit}`, { n: l.n, rest: l.rest ?? 0 })
  const amber = (totalMs ?? 0) > 2 * DAY_MS ? DAY_MS : AMBER_MS
  const [kind, Icon, words] = left < 0
    ? (['red', ExclamationCircleFilled, t('clock.over', { text })] as const)
    : left <= amber ? (['amber', ClockCircleFilled, t('clock.left', { text })] as const) : (['green', CheckCircleFilled, t('clock.left', { text })] as const)
  return <span className={`pill ${kind}`} title={exact(dueMs)}><Icon />{words}</span>
}
