// Me: the account, its keys as the ledger has them, how it is recovered, for whom it acts;
// size of the letters and language.
import { lazy, Suspense, useState } from 'react'
import { askIn } from './api'
import { speakBox, useWords } from '../words-box'
import { note } from '@/chain/keys'
import { brief, called } from './acting'
import { arranged, type Mandate, mandatesOf, namesOf, word } from './allowed'
import { To, useBox } from './box'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'

const SIZES = ['', 'on', 'max']
const QR = lazy(async () => ({ default: (await import('@/parts/qr')).QR }))

/** Speech chooses the size of the letters and the language; it stands on the first page, too. */
export function Speech() {
  const { t, language } = useWords()
  const [size, setSize] = useState(document.documentElement.dataset.elder ?? '')
  const wear = (to: string) => {
    document.documentElement.dataset.elder = to
    localStorage.setItem('mulian.elder', to)
    setSize(to)
  }
  return (
    <div className="speech" role="group" aria-label={t('me.show')}>
      {SIZES.map((s) => <button key={s} type="button" className="button" aria-pressed={size === s} onClick={() => wear(s)}>{t(`me.size.${s || 'plain'}`)}</button>)}
      <button type="button" className="button" onClick={() => void speakBox(language === 'zh-CN' ? 'en-US' : 'zh-CN').then(askIn)}>{t('me.language')}</button>
    </div>
  )
}

export function Me() {
  const { t } = useWords()
  const { signer, at } = useBox()
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t('me.title')}</h1>
      <section className="card"><h2>{t('me.account')}</h2><p><code>{signer.account}</code></p><p className="second">{t('me.random')}</p><Code account={signer.account} /></section>
      <Keys />
      <Recovery />
      <ActFor />
      <section className="card"><h2>{t('me.show')}</h2><Speech /></section>
      <p className="second">{at.chainId} · {at.build}</p>
    </main>
  )
}

/** Code is what a clerk scans: the account, and nothing else. */
function Code({ account }: { account: string }) {
  const { t } = useWords()
  const [shown, show] = useState(false)
  if (!shown) return <button type="button" className="button" onClick={() => show(true)} data-testid="my-code">{t('me.code')}</button>
  return <Suspense fallback={<Wait />}><QR text={account} label={t('me.code')} /></Suspense>
}

const sign = () => import('./sign')

function Keys() {
  const { t } = useWords()
  const { signer, at, stamp, refresh } = useBox()
  const read = useAsk(async () => (await import('./account')).account(signer.account), [signer.account, stamp])
  const here = [signer.keyId, signer.device?.keyId]
  return (
    <section className="card" aria-labelledby="keys"><h2 id="keys">{t('me.keys')} {read.data?.keys.length}</h2>
      {read.error !== undefined && (read.data ? <Stale /> : <Trouble error={read.error} again={refresh} />)}
      {!read.data && read.error === undefined && <Wait />}
      {read.data?.state === 4 && <p className="bad">{t('me.frozen')}</p>}
      {read.data?.keys.map((k) => {
        const state = k.state === 2 ? 'revoked' : k.lostMs ? 'lost' : k.suspended ? 'suspended' : 'active'
        const mine = here.includes(k.id)
        return (
          <div className="item" key={k.id}>
            <div>
              <strong>{t(k.level === 1 ? 'me.device' : k.algorithm === 4 ? 'me.passkey' : 'me.p256')}</strong>{mine && <em className="good"> {t('me.here')}</em>}
              <p className="second">{t(`me.state.${state}`)} · {t('me.since', { at: moment(Number(k.addedMs)) })} · <code>{k.id}</code></p>
            </div>
            {!mine && state === 'active' && <SignButton label={t('me.report')} className="button danger" make={async () => (await sign()).reporting(at, signer, k.id, false)} done={refresh} />}
            {!mine && state === 'lost' && <SignButton label={t('me.found')} className="button" make={async () => (await sign()).reporting(at, signer, k.id, true)} done={refresh} />}
          </div>
        )
      })}
      {read.data && <To to="/box/device" className="button wide">{t('pair.title')}</To>}
    </section>
  )
}

function Recovery() {
  const { t } = useWords()
  const { signer, at, stamp, refresh } = useBox()
  const read = useAsk(() => arranged(signer.account), [signer.account, stamp])
  const d = read.data
  const p = d?.policy
  const ways = d && [
    ...(p?.threshold ? [t('me.guardians', { n: p.threshold, of: p.guardians?.length ?? 0 })] : []),
    ...(p?.codeKey ? [t('me.byCode')] : []),
    t('me.counter'),
  ]
  return (
    <section className="card" aria-labelledby="recovery"><h2 id="recovery">{t('me.recovery')}</h2>
      {read.error !== undefined && (d ? <Stale /> : <Trouble error={read.error} again={refresh} />)}
      {!d && read.error === undefined && <Wait />}
      {d && !p?.threshold && !p?.codeKey && <p className="amber">{t('me.unarranged')}</p>}
      {ways && <ul className="plain">{ways.map((w) => <li key={w}>{w}</li>)}</ul>}
      {p?.pendingMs && p.pendingMs !== '0' && <p className="second">{t('me.pending', { at: moment(p.pendingMs) })}</p>}
      {d?.last && <p className="second">{t('me.recovered', { at: moment(d.last.executedMs), n: d.last.count })}</p>}
      {d?.running?.map((r) => (
        <div className="item" key={r.id}>
          <div><strong className="bad">{t('me.running')}</strong><p className="second">{t(`me.path.${word(r.path, 'RECOVERY_PATH_')}`)} · {moment(r.openedMs)}{r.dueMs && ` · ${t('me.due', { at: moment(r.dueMs) })}`}</p></div>
          <SignButton label={t('me.veto')} className="button danger" make={async () => (await sign()).vetoing(at, signer, r.id)} done={refresh} />
        </div>
      ))}
      <To to="/box/recovery" className="button wide">{t('arrange.title')}</To>
    </section>
  )
}

function ActFor() {
  const { t } = useWords()
  const { signer, stamp, refresh } = useBox()
  const read = useAsk(async () => {
    const [agent, principal] = await Promise.all([mandatesOf('agent', signer.account), mandatesOf('principal', signer.account)])
    const [onLedger, notes] = await Promise.all([namesOf([...agent.map((m) => m.principal), ...principal.map((m) => m.agent)]), note(signer.account)])
    return { agent, principal, name: (a: string) => notes[called(a)] ?? brief(onLedger(a)) }
  }, [signer.account, stamp])
  const d = read.data
  return (
    <section className="card" aria-labelledby="actfor"><h2 id="actfor">{t('me.mandates')}</h2>
      {read.error !== undefined && (d ? <Stale /> : <Trouble error={read.error} again={refresh} />)}
      {!d && read.error === undefined && <Wait />}
      {d && d.agent.length + d.principal.length === 0 && <p className="second">{t('me.noMandates')}</p>}
      {d?.agent.map((m) => <OneMandate key={m.id} m={m} other={d.name(m.principal)} agent />)}
      {d?.principal.map((m) => <OneMandate key={m.id} m={m} other={d.name(m.agent)} agent={false} />)}
      <To to="/box/mandate" className="button wide">{t('act.propose')}</To>
    </section>
  )
}

function OneMandate({ m, other, agent }: { m: Mandate; other: string; agent: boolean }) {
  const { t } = useWords()
  const state = word(m.state, 'MANDATE_STATE_')
  return (
    <div className="item">
      <To to={`/box/mandate/${m.id}`} className="tall"><strong>{t(agent ? 'me.iActFor' : 'me.actsForMe', { who: other })}</strong>
        <span className="second">{t(`me.mandate.${word(m.kind, 'MANDATE_KIND_')}`)} · {t('home.to', { at: moment(m.untilMs) })}</span></To>
      {agent && state === 'proposed' ? <To to={`/box/mandate/${m.id}`} className="button first">{t('act.answer')}</To> : <span className={state === 'active' ? 'good' : 'second'}>{t(`me.mandateState.${state}`)}</span>}
    </div>
  )
}
