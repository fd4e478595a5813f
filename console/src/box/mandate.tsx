// One mandate, for both sides: the agent takes it and acts under it, the principal ends it.
import { useEffect, useState } from 'react'
import { hex } from '@/chain/bytes'
import { note } from '@/chain/keys'
import { brief, called, forgetProofs, proofIn } from './acting'
import { entryNames, type Mandate, mandateOf, namesOf, word } from './allowed'
import { unbase64 } from './api'
import { To, useBox } from './box'
import { keepFile } from './file'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'

const MAX_NAME = 20
const sign = () => import('./sign')

/** useMandate reads one, and how its parties and entries are called here. */
function useMandate(id: string) {
  const { signer, stamp } = useBox()
  return useAsk(async () => {
    const m = await mandateOf(id)
    const [onLedger, entry, notes] = await Promise.all([namesOf([m.principal, m.agent]), entryNames(m.scope?.entries ?? []), note(signer.account)])
    return { m, entry, notes, name: (a: string) => notes[called(a)] ?? brief(onLedger(a)) }
  }, [id, signer.account, stamp])
}

export default function MandatePage({ id }: { id: string }) {
  const { t } = useWords()
  const { at, signer, refresh } = useBox()
  const read = useMandate(id)
  const back = <To to="/box/me" className="back">‹ {t('me.title')}</To>
  const d = read.data
  const ended = d?.m.endedMs !== undefined && d.m.agent === signer.account
  useEffect(() => { if (ended) forgetProofs(signer.account).catch(() => undefined) }, [ended]) // else the next time
  if (!d) return <main className="page">{back}<h1>{t('act.one')}</h1>{read.error !== undefined ? <Trouble error={read.error} again={refresh} /> : <Wait />}</main>
  const { m } = d
  const agent = m.agent === signer.account
  const mine = agent || m.principal === signer.account
  const state = word(m.state, 'MANDATE_STATE_')
  const other = d.name(agent ? m.principal : m.agent)
  const stands = ['proposed', 'active', 'suspended'].includes(state)
  return (
    <main className="page">
      {back}
      <h1>{mine ? t(agent ? 'me.iActFor' : 'me.actsForMe', { who: other }) : t('act.one')} <span className={state === 'active' ? 'good' : 'second'}>{t(`me.mandateState.${state}`)}</span></h1>
      {read.error !== undefined && <Stale />}
      <Terms m={m} entry={d.entry} />
      {!mine && <p className="card second">{t('act.others')}</p>}
      {agent && state === 'proposed' && <section className="card tall"><p>{t('act.accepting')}</p><div className="speech">
        <SignButton label={t('me.decline')} className="button" make={async () => (await sign()).answering(at, signer, m.id, false)} done={refresh} testid="mandate-decline" />
        <SignButton label={t('me.accept')} className="button first" make={async () => (await sign()).answering(at, signer, m.id, true)} done={refresh} testid="mandate-accept" />
      </div></section>}
      {mine && stands && <Called key={other} account={agent ? m.principal : m.agent} was={d.notes[called(agent ? m.principal : m.agent)] ?? ''} done={refresh} />}
      {agent && state === 'active' && <Begin m={m} />}
      {!agent && mine && stands && m.scope?.acts?.includes('MANDATE_ACT_GRANT') && <Proving agent={m.agent} proof={proofIn(d.notes, signer.account, signer.account)} link={state === 'proposed'} id={m.id} />}
      {mine && stands && !(agent && state === 'proposed') && (agent || !m.kind.includes('GUARDIAN')) && <SignButton label={t(agent ? 'act.layDown' : 'act.end')} className="button danger wide" make={async () => (await sign()).ending(at, signer, m.id)} done={refresh} testid="mandate-end" />}
    </main>
  )
}

function Terms({ m, entry }: { m: Mandate; entry: (id: string) => string }) {
  const { t } = useWords()
  const s = m.scope
  const of = s?.everything ? t('act.everything') : [...(s?.entries ?? []).map(entry), ...(s?.matters ?? [])].join('、')
  const rows: [string, string][] = [
    [t('act.kind'), t(`me.mandate.${word(m.kind, 'MANDATE_KIND_')}`)],
    [t('act.may'), (s?.acts ?? []).map((a) => t(`me.act.${word(a, 'MANDATE_ACT_')}`)).join('、')],
    [t('act.of'), of],
    [t('act.sensitive'), t(m.maxLevel === 'KEY_LEVEL_ROOT' ? 'act.yes' : 'act.no')],
    [t('ask.term'), moment(m.untilMs)],
    [t('ask.count'), m.maxUses ? t('home.uses', { n: m.uses ?? 0, of: m.maxUses }) : t('home.usesFree', { n: m.uses ?? 0 })],
  ]
  return (
    <section className="card">
      {rows.map(([k, v]) => <div className="item" key={k}><span className="keep">{k}</span><strong className="end">{v}</strong></div>)}
      {m.cause && <p className="second">{m.cause}</p>}
      <p className="second">{t('act.never')}</p>
    </section>
  )
}

/** Called asks for a name that only this browser knows. */
function Called({ account, was, done }: { account: string; was: string; done: () => void }) {
  const { t } = useWords()
  const { signer } = useBox()
  const [name, setName] = useState(was)
  return (
    <section className="card"><form onSubmit={(e) => { e.preventDefault(); void note(signer.account, called(account), name.trim() || undefined).then(done) }}>
      <label htmlFor="called">{t('arrange.name')}</label>
      <input id="called" className="field" autoComplete="off" maxLength={MAX_NAME} value={name} onChange={(e) => setName(e.target.value)} />
      <p className="second"><code>{account}</code></p>
      <button type="submit" className="button" disabled={name.trim() === was} data-testid="called">{t('act.keepName')}</button>
    </form></section>
  )
}

function Begin({ m }: { m: Mandate }) {
  const { t } = useWords()
  const { signer, act } = useBox()
  const grant = m.scope?.acts?.includes('MANDATE_ACT_GRANT') ?? false
  if (!grant && !m.scope?.acts?.includes('MANDATE_ACT_VIEW')) return <p className="card second">{t('act.notHere')}</p>
  return <button type="button" className="button first wide" onClick={() => act({ by: signer.account, owner: m.principal, mandate: m.id, grant, sensitive: m.maxLevel === 'KEY_LEVEL_ROOT' })} data-testid="act">{t('act.begin')}</button>
}

/** Proving is what the agent needs from the principal: where the mandate is, and the proof by which a row is found. */
function Proving({ agent, proof, link, id }: { agent: string; proof?: { number: string; salt: string }; link: boolean; id: string }) {
  const { t } = useWords()
  const { signer } = useBox()
  return (
    <section className="card tall">
      {link && <p className="amber">{t('act.waits')} <code>{`${location.origin}/box/mandate/${id}`}</code></p>}
      <p>{t('act.proofWhy')}</p>
      {proof
        ? <button type="button" className="button" onClick={() => keepFile(`proof-${agent.slice(0, 8)}.json`, JSON.stringify({ account: signer.account, number: proof.number, salt: hex(unbase64(proof.salt)) }))} data-testid="proof-file">{t('act.proof')}</button>
        : <p className="second">{t('act.proofNone')}</p>}
    </section>
  )
}
