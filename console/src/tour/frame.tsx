// The tour's strip in the console's frame.
import { useRouter, useRouterState } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePulse } from '@/chain/live'
import { pathOf } from '@/chain/paths'
import { refusal } from '@/chain/rpc'
import { areas } from '@/pages/all'
import { useTake } from '@/shell/take'
import { useWho } from '@/shell/who'
import { Strip } from './strip'

/** there tells whether the console has a page for a route. */
export const there = (route: string): boolean => areas.some((a) => a.pages.some((p) => p.path === route))

export default function Frame() {
  const { t } = useTranslation('tour')
  const { all, signer } = useWho()
  const { history } = useRouter()
  const take = useTake()
  const path = useRouterState({ select: (s) => s.location.href })
  const { height } = usePulse()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  const sit = async (role: string) => {
    if (role === 'citizen') return
    setBusy(true)
    setError(undefined)
    try { await take(role) } catch (err) {
      setError(err instanceof DOMException ? err.message : refusal(err).text)
      throw err
    } finally { setBusy(false) }
  }
  return (
    <Strip
      t={(k, h) => t(k, h ?? {})} there={there} role={signer?.role} accounts={(role) => all.filter((s) => (s.role === role)).map((s) => s.account)}
      path={path} height={Number(height)} go={(to) => (to.startsWith('/box') ? location.assign(to) : history.push(to))}
      sit={(s) => sit(s.role)} pathOf={pathOf} busy={busy} note={error && <span role="alert"> {t('failed', { why: error })}</span>}
    />
  )
}
