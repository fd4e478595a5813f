// The safe box on a phone: who wants what, what is given, who has looked. Keys stay here.
import { createContext, lazy, type ReactNode, Suspense, useCallback, useContext, useEffect, useState, useSyncExternalStore } from 'react'
import { choose, chosen, signers, type Signer } from '@/chain/keys'
import { clock } from '@/chain/pass'
import { askIn, type Here, here as askHere, readAs } from './api'
import { speakBox, useWords } from '../words-box'
import { Ask } from './ask'
import { Bringing } from './bringing'
import { Cert, Certs } from './certs'
import { GrantPage, Grants } from './grants'
import { Home } from './home'
import { Seen } from './seen'
import { Me } from './me'
import { Welcome } from './welcome'
import { Trouble, Wait } from './parts'
import { type Acting, ActingBar, forgetProofs, keptActing, keepActing } from './acting'

/** BoxState: signer signs; owner is whose box is shown, the signer's own or that of whom he acts for. */
export interface BoxState { at: Here; signer: Signer; owner: string; acting?: Acting; act: (a?: Acting) => void; refresh: () => void; stamp: number }
const Context = createContext<BoxState | undefined>(undefined)
/** useBox is the chain, who signs, and whose box is shown. */
export const useBox = (): BoxState => useContext(Context)!

const moved = new Set<() => void>()
addEventListener('popstate', () => moved.forEach((f) => f()))
/** go opens another page of the box. */
export function go(path: string): void {
  history.pushState(null, '', path)
  scrollTo(0, 0)
  moved.forEach((f) => f())
}
const usePath = () => useSyncExternalStore((f) => { moved.add(f); return () => { moved.delete(f) } }, () => location.pathname + location.hash).split('#')[0]!

export function To({ to, className, here, children }: { to: string; className?: string; here?: boolean; children: ReactNode }) {
  return <a href={to} className={className} aria-current={here ? 'page' : undefined} onClick={(e) => { if (!e.ctrlKey && !e.metaKey) { e.preventDefault(); go(to) } }}>{children}</a>
}

// What needs the box's cryptography or a camera comes when it is asked for.
const Mine = lazy(() => import('./mine'))
const Asset = lazy(() => import('./asset'))
const Scan = lazy(() => import('./scan'))
const Case = lazy(() => import('./case'))
const Give = lazy(() => import('./hand'))
const Device = lazy(() => import('./device'))
const Join = lazy(() => import('./join'))

const OTHERS = true // also of somebody for whom the signer acts
/** pages of the box: a pattern and what it shows. Others are added here, one line each. */
const pages: [RegExp, (id: string) => ReactNode, boolean?][] = [
  [/^\/box\/?$/, () => <Home />, OTHERS],
  [/^\/box\/ask\/([0-9a-f]{32})$/, (id) => <Ask key={id} id={id} />, OTHERS],
  [/^\/box\/case\/([0-9a-f]{64})$/, (reference) => <Case key={reference} reference={reference} />, OTHERS],
  [/^\/box\/seen$/, () => <Seen />, OTHERS],
  [/^\/box\/me$/, () => <Me />],
  [/^\/box\/device$/, () => <Device />],
  [/^\/box\/grants(\/over)?$/, (over) => <Grants key={over} over={!!over} />, OTHERS],
  [/^\/box\/grant\/([0-9a-f]{32})$/, (id) => <GrantPage key={id} id={id} />, OTHERS],
  [/^\/box\/data$/, () => <Mine />],
  [/^\/box\/asset\/([0-9a-f]{32})$/, (id) => <Asset key={id} id={id} />],
  [/^\/box\/scan$/, () => <Scan />, OTHERS],
  [/^\/box\/give(?:\/([0-9a-f]{32}))?$/, (item) => <Give key={item} item={item} />],
  [/^\/box\/mandate$/, () => <Propose />],
  [/^\/box\/mandate\/([0-9a-f]{16})$/, (id) => <MandatePage key={id} id={id} />],
  [/^\/box\/recovery$/, () => <Arrange />],
  [/^\/box\/(guard|vouch)$/, (what) => <Guard key={what + location.hash} vouch={what === 'vouch'} />],
  [/^\/box\/certs$/, () => <Certs />, OTHERS],
  [/^\/box\/certs\/([0-9a-f]{32})$/, (id) => <Cert key={id} id={id} />, OTHERS],
]

const Arrange = lazy(() => import('./arrange'))
const Guard = lazy(() => import('./vouch'))
const Propose = lazy(() => import('./propose'))
const MandatePage = lazy(() => import('./mandate'))
const Lost = lazy(() => import('./lost'))
const Tour = lazy(() => import('@/tour/box'))

export function Box() {
  const { t, language } = useWords()
  const path = usePath()
  const [at, setAt] = useState<Here>()
  const [signer, setSigner] = useState<Signer | null>()
  const [error, setError] = useState<unknown>()
  const [stamp, setStamp] = useState(0)
  const [acting, setActing] = useState<Acting>()
  const refresh = useCallback(() => setStamp((n) => n + 1), [])
  useEffect(() => {
    document.documentElement.dataset.elder = localStorage.getItem('mulian.elder') ?? ''
    void (async () => {
      try {
        askIn(await speakBox())
        const h = await askHere()
        clock(Number(h.nowMs) - Date.now())
        setAt(h)
        const mine = (await signers(h.chainId)).filter((s) => !s.org)
        const who = mine.find((s) => s.account === chosen()) ?? mine[0] ?? null
        setActing(keptActing(who?.account))
        if (who) forgetProofs(who.account).catch(() => undefined) // else the next time
        setSigner(who)
      } catch (err) { setError(err) }
    })()
  }, [])
  useEffect(() => { // what others do appears by itself, a moment later
    const timer = setInterval(() => { if (document.visibilityState === 'visible') refresh() }, 4000)
    return () => clearInterval(timer)
  }, [refresh])
  if (error) return <main className="page"><h1>{t('title')}</h1><Trouble error={error} again={() => location.reload()} /></main>
  if (!at || signer === undefined) return null
  const tour = at.demo && localStorage.getItem('mulian.tour') && <Suspense><Tour language={language} account={signer?.account} path={path} go={go} /></Suspense>
  // A device on its way into an account, whether it has another one or none.
  if (path === '/box/join') return <Suspense fallback={<main className="page"><Wait /></main>}><Join at={at} opened={(s) => { choose(s.account); setSigner(s); go('/box') }} /></Suspense>
  if (path === '/box/lost') return <Suspense fallback={<main className="page"><Wait /></main>}><Lost key={location.hash} at={at} done={(s) => { choose(s.account); setSigner(s); go('/box') }} back={() => go('/box')} /></Suspense>
  if (!signer) return <>{tour}<Welcome at={at} opened={(s) => { choose(s.account); setSigner(s) }} /></>
  readAs(signer) // before the pages below ask
  let shown: ReactNode = <main className="page"><h1>{t('nowhere')}</h1><To to="/box">{t('toHome')}</To></main>
  for (const [pattern, page, others] of pages) {
    const m = path.match(pattern)
    if (m) { shown = acting && !others ? <main className="page"><h1>{t('act.own')}</h1><p className="card">{t('act.ownWhy')}</p></main> : page(m[1] ?? ''); break }
  }
  const act = (a?: Acting) => { keepActing(a); setActing(a); go('/box') }
  return <Context value={{ at, signer, owner: acting?.owner ?? signer.account, acting, act, refresh, stamp }}>{at.demo && <aside className="demo" aria-label={t('demoMark')}>{t('demo')}</aside>}{tour}{acting && <ActingBar />}<Bringing /><Suspense fallback={<main className="page"><Wait /></main>}>{shown}</Suspense></Context>
}
