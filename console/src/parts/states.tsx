// What a page says when it has nothing to show yet, nothing at all, or a failure.
import { useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query'
import { Button } from 'antd'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { asksForPass, confirmPass } from '@/chain/pass'
import { missing, readingAs, refusal, rpc } from '@/chain/rpc'

/** Bones stand for rows that are on their way; nothing for the first 200 ms. */
export function Bones({ rows = 6 }: { rows?: number }) {
  const { t } = useTranslation('shell')
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200)
    return () => clearTimeout(timer)
  }, [])
  if (!late) return <div className="bones" aria-hidden />
  return <div className="bones" role="status" aria-label={t('loading')}>{Array.from({ length: rows }, (_, i) => <i key={i} />)}</div>
}

/** Empty says what will appear here, and offers the one action that fills it. */
export function Empty({ text, action }: { text: string; action?: ReactNode }) {
  return <div className="state"><p className="second">{text}</p>{action}</div>
}

/** Trouble says what failed, whether anything was lost, what to do, and the reference for the telephone. */
export function Trouble({ error, retry, lost }: { error: unknown; retry?: () => void; lost?: string }) {
  const { t } = useTranslation('shell')
  const [alone] = useState(() => !document.querySelector('h1'))
  const r = refusal(error)
  const number = Number(r.code.replace('MUL-', '')) || 0
  const words = useQuery({
    queryKey: ['explain', number], enabled: number > 0 && !r.offline, staleTime: Infinity,
    queryFn: () => rpc(ConsoleService).explain({ code: number }),
  })
  const gone = missing(error) && !!document.querySelector('.find input')
  if (r.parties) return <OnlyParties />
  const Title = gone && alone ? 'h1' : 'h2' // of what is not there, this is the page
  return (
    <div className="state" role="alert">
      <Title>{r.offline ? t('trouble.offline') : words.data?.title || t('trouble.failed')}</Title>
      <p>{gone ? t('trouble.gone') : <>{lost ?? t('trouble.nothingLost')} {words.data?.fix}</>}</p>
      <p className="actions">
        {gone && <><Button type="primary" onClick={() => document.querySelector<HTMLInputElement>('.find input')?.select()}>{t('trouble.find')}</Button><Button href="/trace">{t('trouble.recent')}</Button></>}
        {retry && !gone && <Button type="primary" onClick={retry}>{t('again')}</Button>}
        {r.reference && <Button onClick={() => void navigator.clipboard.writeText(`${r.code} ${r.reference} ${r.text}`)}>{t('trouble.copy')}</Button>}
      </p>
      <details><summary className="second">{t('details')}</summary><code>{[r.code, r.text, r.reference].filter(Boolean).join(' · ')}</code></details>
    </div>
  )
}

/** OnlyParties says that who asks is no party of what he has asked for, who would be, and what he can do. */
function OnlyParties() {
  const { t } = useTranslation('shell')
  const client = useQueryClient()
  const [why, setWhy] = useState('')
  const s = readingAs()
  const confirm = (): void => {
    setWhy('')
    confirmPass(s!).then(() => client.resetQueries({ predicate: (q) => q.state.status === 'error' }), (err) => setWhy(String(err)))
  }
  return (
    <div className="state" data-state="parties">
      <h2>{t('parties.title')}</h2>
      <p>{t('parties.text')} {s ? t('parties.you', { who: [s.orgName, t(`roles.${s.role}`)].filter(Boolean).join(' · ') }) : t('parties.nobody')}</p>
      <p className="actions">
        {s && asksForPass(s) && <Button type="primary" onClick={confirm}>{t('parties.confirm')}</Button>}
        <Button href="/seats">{t('parties.seats')}</Button>
      </p>
      {why && <p className="note red" role="alert">{t('sign.device', { why })}</p>}
    </div>
  )
}

/** Loaded shows bones, trouble or the content of a query. Old content stays while it is asked again. */
export function Loaded<T>({ query, rows, children }: { query: UseQueryResult<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.isError) return <Trouble error={query.error} retry={() => void query.refetch()} />
  return <Bones rows={rows} />
}
