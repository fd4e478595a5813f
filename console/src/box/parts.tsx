// The box's few parts.
import { useEffect, useState } from 'react'
import { useWords } from '../words-box'
import { Refusal, call } from './api'

/** useAsk reads something again whenever its keys change; what was there stays meanwhile. */
export function useAsk<T>(read: () => Promise<T>, keys: unknown[]): { data?: T; error?: unknown } {
  const [state, set] = useState<{ data?: T; error?: unknown }>({})
  useEffect(() => {
    let live = true
    read().then((data) => live && set({ data }), (error: unknown) => live && set((s) => ({ ...s, error })))
    return () => { live = false }
  }, keys)
  return state
}

const KEY_REVOKED = 12009 // internal/fault: the key was revoked, reported lost, or has ended

/** Trouble says what failed and what to do. */
export function Trouble({ error, again }: { error: unknown; again?: () => void }) {
  const { t } = useWords()
  const r = error instanceof Refusal ? error : undefined
  const code = Number(r?.code.replace('MUL-', '')) || 0
  const said = useAsk<{ title?: string; fix?: string }>(() => (code ? call('mulian.console.v1.ConsoleService/Explain', { code }) : Promise.resolve({})), [code])
  const message = error instanceof Error ? error.message : String(error)
  // A part of the page that cannot be loaded is a server that cannot be reached.
  const text = /dynamically imported module|Importing a module script/i.test(message) ? 'offline' : message
  const lost = code === KEY_REVOKED
  return (
    <div className="card trouble" role="alert">
      <strong>{lost ? t('trouble.lostKey') : said.data?.title ?? (text === 'offline' ? t('trouble.offline') : t('trouble.failed'))}</strong>
      <p>{lost ? t('trouble.lostKeyThen') : said.data?.fix ?? t('trouble.again')}</p>
      {again && <button type="button" className="button" onClick={again}>{t('again')}</button>}
      <small>{[r?.code, text !== 'offline' && text, r?.reference].filter(Boolean).join(' · ')}</small>
    </div>
  )
}

/** Stale says that what is shown is from before: the server could not be asked again. */
export function Stale() {
  const { t } = useWords()
  return <p className="amber" role="status">{t('trouble.stale')}</p>
}

export function Wait() {
  const { t } = useWords()
  return <p className="second" role="status">{t('wait')}</p>
}

const at = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' })
export const moment = (ms: string | number | undefined): string => (ms ? at.format(new Date(Number(ms))) : '—')
