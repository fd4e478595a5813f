// Who vouches when all keys are lost: friends, of whom the ledger has salted hashes alone. The list
// with the names stands in this browser; each friend keeps a card, without which nobody finds out who it is.
import { lazy, Suspense, useState } from 'react'
import { note } from '@/chain/keys'
import { hex, random, unhex } from '@/chain/bytes'
import { arranged } from './allowed'
import { call } from './api'
import { To, useBox } from './box'
import { Copy } from './lost'
import { accountOf, carded, commitment } from './newkey'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'

const QR = lazy(async () => ({ default: (await import('@/parts/qr')).QR }))
const ROSTER = 'roster' // what this browser keeps of the arrangement that counts
const DRAFT = 'roster:draft' // and of the one that is made
const MOST = 9 // rules/recovery MaxGuardians
const LEAST = 2 // and MinThreshold
const MAX_NAME = 20

interface Guardian { account: string; name: string; salt: string }
interface Roster { guardians: Guardian[]; threshold: number }

const rosterIn = (text?: string): Roster => (text ? (JSON.parse(text) as Roster) : { guardians: [], threshold: LEAST })
const hashOf = async (g: Guardian) => commitment({ guardian: g.account, salt: unhex(g.salt) })

export default function Arrange() {
  const { t } = useWords()
  const { signer, stamp, refresh } = useBox()
  const [made, setMade] = useState(0)
  const read = useAsk(async () => {
    const [{ policy, running }, notes] = await Promise.all([arranged(signer.account), note(signer.account)])
    const onLedger = [...(policy?.guardians ?? []), ...(policy?.pending?.guardians ?? [])].map((g) => hex(Uint8Array.from(atob(g), (c) => c.charCodeAt(0))))
    let kept = rosterIn(notes[ROSTER])
    const draft = notes[DRAFT] ? rosterIn(notes[DRAFT]) : undefined
    const counts = async (r: Roster) => r.guardians.length > 0 && (await Promise.all(r.guardians.map(hashOf))).every((h) => onLedger.includes(hex(h)))
    if (draft && (await counts(draft))) { // it was signed, and the answer lost
      await note(signer.account, ROSTER, notes[DRAFT])
      await note(signer.account, DRAFT)
      kept = draft
    }
    return { policy, running, kept, here: await counts(kept), draft }
  }, [signer.account, stamp, made])
  const d = read.data
  return (
    <main className="page">
      <To to="/box/me" className="back">‹ {t('me.title')}</To>
      <h1>{t('arrange.title')}</h1>
      <p>{t('arrange.lead')}</p>
      {read.error !== undefined && (d ? <Stale /> : <Trouble error={read.error} again={refresh} />)}
      {!d && read.error === undefined && <Wait />}
      {d?.policy?.threshold ? <p className="card good">{t('me.guardians', { n: d.policy.threshold, of: d.policy.guardians?.length ?? 0 })}</p> : d && <p className="card amber">{t('arrange.nobody')}</p>}
      {d?.policy?.pendingMs && d.policy.pendingMs !== '0' && <Pending until={d.policy.pendingMs} refresh={() => setMade((n) => n + 1)} />}
      {d?.here && <Cards roster={d.kept} />}
      {d && !d.here && !!d.policy?.threshold && <p className="card second">{t('arrange.elsewhere')}</p>}
      {d && (d.running?.length ? <p className="card bad" role="alert">{t('arrange.running')}</p>
        : <Edit key={`${d.policy?.version ?? 0}`} from={d.draft ?? (d.here ? d.kept : rosterIn())} was={d.policy} done={() => setMade((n) => n + 1)} />)}
    </main>
  )
}

function Pending({ until, refresh }: { until: string; refresh: () => void }) {
  const { t } = useWords()
  const { at, signer } = useBox()
  return (
    <section className="card tall">
      <p className="amber">{t('me.pending', { at: moment(until) })}</p>
      <SignButton label={t('arrange.keep')} className="button" make={async () => (await import('./sign')).keeping(at, signer)} done={refresh} />
    </section>
  )
}

/** Cards shows to each guardian what he keeps. */
function Cards({ roster }: { roster: Roster }) {
  const { t } = useWords()
  const { signer } = useBox()
  const [shown, show] = useState('')
  return (
    <section className="card" aria-labelledby="cards"><h2 id="cards">{t('arrange.cards')}</h2>
      <p className="second">{t('arrange.cardsHow')}</p>
      {roster.guardians.map((g) => {
        const link = `${location.origin}/box/guard#${carded({ account: signer.account, guardian: g.account, salt: unhex(g.salt) })}`
        return (
          <div key={g.account}>
            <div className="item"><div><strong>{g.name}</strong><p className="second">{g.account.slice(0, 8)}…{g.account.slice(-6)}</p></div>
              <button type="button" className="button" aria-expanded={shown === g.account} onClick={() => show(shown === g.account ? '' : g.account)} data-testid="card">{t('arrange.card')}</button></div>
            {shown === g.account && <div className="card tall"><Suspense fallback={<Wait />}><QR text={link} label={t('arrange.card')} /></Suspense><Copy text={link} /></div>}
          </div>
        )
      })}
    </section>
  )
}

interface Was { guardians?: string[]; codeKey?: string; lockHours?: number; version?: string }

function Edit({ from, was, done }: { from: Roster; was?: Was; done: () => void }) {
  const { t } = useWords()
  const { at, signer } = useBox()
  const [list, setList] = useState(from.guardians)
  const [threshold, setThreshold] = useState(from.threshold)
  const [who, setWho] = useState('')
  const [name, setName] = useState('')
  const [why, setWhy] = useState('')
  const add = async () => {
    const account = accountOf(who)
    const no = !account ? 'wrong' : account === signer.account ? 'self' : list.some((g) => g.account === account) ? 'twice' : list.length >= MOST ? 'many' : ''
    if (no || !account) { setWhy(no); return }
    const { found } = await call<{ found?: boolean }>('mulian.ledger.v1.LedgerService/GetObject', { key: `identity/account/${account}` })
    if (!found) { setWhy('unknown'); return }
    setList([...list, { account, name: name.trim() || account.slice(0, 8), salt: hex(random(32)) }])
    setWho('')
    setName('')
    setWhy('')
  }
  return (
    <section className="card tall">
      <h2>{t('arrange.edit')}</h2>
      {list.map((g) => (
        <div className="item" key={g.account}><div><strong>{g.name}</strong><p className="second">{g.account.slice(0, 8)}…{g.account.slice(-6)}</p></div>
          <button type="button" className="button" onClick={() => setList(list.filter((x) => x !== g))}>{t('arrange.remove')}</button></div>
      ))}
      <form onSubmit={(e) => { e.preventDefault(); add().catch(() => setWhy('unknown')) }}>
        <label htmlFor="guardian">{t('arrange.account')}</label>
        <input id="guardian" className="field" autoComplete="off" spellCheck={false} value={who} onChange={(e) => { setWho(e.target.value); setWhy('') }} />
        <label htmlFor="guardian-name">{t('arrange.name')}</label>
        <input id="guardian-name" className="field" autoComplete="off" maxLength={MAX_NAME} value={name} onChange={(e) => setName(e.target.value)} />
        {why && <p className="bad" role="alert">{t(`arrange.no.${why}`)}</p>}
        <button type="submit" className="button wide" disabled={who.trim() === ''} data-testid="guardian-add">{t('arrange.add')}</button>
      </form>
      {list.length < LEAST
        ? <p className="second">{t('arrange.few', { n: LEAST })}</p>
        : (
          <>
            <label htmlFor="threshold">{t('arrange.threshold')}</label>
            <select id="threshold" className="field" value={Math.min(threshold, list.length)} onChange={(e) => setThreshold(Number(e.target.value))}>
              {list.slice(LEAST - 1).map((_, i) => <option key={i} value={i + LEAST}>{t('arrange.of', { n: i + LEAST, of: list.length })}</option>)}
            </select>
            <SignButton
              label={t('arrange.sign')} className="button first wide" testid="arrange-sign"
              make={async () => {
                const roster: Roster = { guardians: list, threshold: Math.min(threshold, list.length) }
                await note(signer.account, DRAFT, JSON.stringify(roster)) // if the power fails after the next step, the salts are here
                const guardians = (await Promise.all(list.map(hashOf))).sort((a, b) => (hex(a) < hex(b) ? -1 : 1))
                return (await import('./sign')).arranging(at, signer, guardians, roster.threshold, was)
              }}
              done={done}
            />
          </>
        )}
    </section>
  )
}
