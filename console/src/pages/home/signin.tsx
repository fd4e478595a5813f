// Signing in at the organisation's identity provider: the way there, and what the page says when
// the browser comes back. The page that begins keeps a secret in this tab, and the server takes
// the answer from no other; there is no cookie, and nothing of a login is kept.
import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService, type FinishSignInResponse } from '@/gen/mulian/console/v1/query_pb'
import { hex, random, sha256, unhex } from '@/chain/bytes'
import { refusal, rpc } from '@/chain/rpc'
import { Bones, Trouble } from '@/parts/states'
import { usePasskeys } from '@/shell/take'
import { useWho } from '@/shell/who'
import { OneSeat } from './seat'

const SECRET = 'mulian.signin'

/** useGo returns the way to the provider, and what kept us from it. */
function useGo() {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const go = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const secret = random(32)
      const { url } = await rpc(ConsoleService).beginSignIn({ browser: await sha256(secret) })
      sessionStorage.setItem(SECRET, hex(secret))
      location.assign(url)
    } catch (err) {
      setError(err)
      setBusy(false)
    }
  }
  return { go: () => void go(), busy, error }
}

/** SignInCard offers the provider on the page of seats. */
export function SignInCard() {
  const { t } = useTranslation('home')
  const { here } = useWho()
  const { go, busy, error } = useGo()
  const name = here.signIn
  return (
    <section className="card seat" aria-label={t('signIn.title', { name })}>
      <h2>{t('signIn.title', { name })}</h2>
      <p className="second">{t('signIn.text', { name })}</p>
      <p className="actions"><Button type="primary" loading={busy} onClick={go} data-testid="sign-in">{t('signIn.go')}</Button></p>
      {error !== undefined && <Refused error={error} />}
    </section>
  )
}

// What the server's codes mean here.
const whys: Record<string, string> = { 'MUL-12002': 'over', 'MUL-19002': 'down', 'MUL-19003': 'down', 'MUL-12003': 'unknown', 'MUL-12001': 'doubt', 'MUL-12010': 'busy' }

function Refused({ error }: { error: unknown }) {
  const r = refusal(error)
  const why = whys[r.code]
  return why ? <Why why={why} detail={[r.code, r.text, r.reference].filter(Boolean).join(' · ')} /> : <Trouble error={error} />
}

function Why({ why, code, detail }: { why: string; code?: string; detail?: string }) {
  const { t } = useTranslation('home')
  const { t: shell } = useTranslation('shell')
  const { here } = useWho()
  return (
    <div role="alert" data-why={why}>
      <h2>{t(`signIn.why.${why}`, { name: here.signIn, code })}</h2>
      <p>{t(`signIn.why.${why}Text`, { name: here.signIn })}</p>
      {detail && <details><summary className="second">{shell('details')}</summary><code>{detail}</code></details>}
    </div>
  )
}

/** back is what the provider has sent the browser back with; it is taken out of the address. */
function back() {
  const q = new URLSearchParams(location.search)
  const one = (k: string) => q.get(k) ?? ''
  history.replaceState(history.state, '', location.pathname) // no code in what the browser remembers
  const secret = sessionStorage.getItem(SECRET) ?? ''
  sessionStorage.removeItem(SECRET)
  return { state: one('state'), code: one('code'), iss: one('iss'), error: one('error'), secret }
}

export default function Returned() {
  const { t } = useTranslation('home')
  const { here } = useWho()
  const [came] = useState(back)
  const { go, busy, error } = useGo()
  const answer = useQuery({
    queryKey: ['signin', came.state], enabled: came.state !== '' && came.error === '', staleTime: Infinity, gcTime: 0, retry: false, refetchOnWindowFocus: false, refetchOnReconnect: false,
    queryFn: () => rpc(ConsoleService).finishSignIn({ state: came.state, code: came.code, iss: came.iss, secret: unhex(came.secret) }),
  })
  const name = here.signIn
  const code = /^[a-z_]{1,40}$/.test(came.error) ? came.error : '?' // anybody can write an address
  const done = (answer.data?.seats.length ?? 0) > 0
  return (
    <>
      <div className="titles"><h1>{done ? t('signIn.back') : t('signIn.title', { name })}</h1></div>
      {came.error ? <div className="card body"><Why why={came.error === 'access_denied' ? 'denied' : 'other'} code={code} /></div>
        : !came.state ? <div className="card body"><Why why="over" /></div>
          : answer.data ? <Answer answer={answer.data} />
            : answer.isError ? <div className="card body"><Refused error={answer.error} /></div>
              : <div className="card"><p className="second body" role="status">{t('signIn.wait', { name })}</p><Bones rows={3} /></div>}
      {error !== undefined && <div className="card body"><Refused error={error} /></div>}
      {!done && !answer.isFetching && <p className="actions"><Button type="primary" loading={busy} onClick={go} data-testid="sign-in">{t('signIn.again')}</Button></p>}
      <p className="second">{t('signIn.out', { name })}</p>
    </>
  )
}

function Answer({ answer }: { answer: FinishSignInResponse }) {
  const { t } = useTranslation('home')
  const { here } = useWho()
  const passkeys = usePasskeys() ?? false
  if (answer.seats.length === 0) {
    return (
      <div className="card body" role="alert" data-why="none">
        <h2>{t('signIn.none', { name: here.signIn })}</h2>
        <p>{t('signIn.noneText')}</p>
        <p><code>{`- {who: ${JSON.stringify(answer.who)}, post: …, name: …, role: steward}`}</code> <span className="second">{answer.claim}</span></p>
      </div>
    )
  }
  return (
    <ul className="seats" aria-label={t('signIn.choose')}>
      {answer.seats.map((s) => <li key={s.id} className="card seat"><OneSeat seat={s} token={answer.ticket} passkeys={passkeys} /></li>)}
    </ul>
  )
}
