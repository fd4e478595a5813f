// Letting somebody act for oneself: who, of which data, what he may do, until when. He has to accept.
import { useState } from 'react'
import { KeyLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { note, type Signer } from '@/chain/keys'
import { account as accountOnLedger } from './account'
import { brief, called, high } from './acting'
import { entryNames } from './allowed'
import { call, type IntendedUse } from './api'
import { go, To, useBox } from './box'
import { accountOf } from './newkey'
import { Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'

const DAY_MS = 86_400_000
const TERMS = [30, 90, 365] // days
const MAX_NAME = 20
const MAX_ENTRIES = 64 // rules/mandate MaxScope
const FIRM = /^f-[0-9a-f]{32}$/

/** grantable are the entries that anybody may ask a person for, by what is registered. */
async function grantable(): Promise<{ id: string; name: string; high: boolean }[]> {
  const { uses } = await call<{ uses?: IntendedUse[] }>('mulian.grant.v1.GrantService/ListUses', { limit: 500 })
  const ids = [...new Set((uses ?? []).flatMap((u) => (u.entry ? [u.entry] : [])))].sort().slice(0, MAX_ENTRIES)
  const name = await entryNames(ids)
  return ids.map((id) => ({ id, name: name(id), high: uses!.some((u) => u.entry === id && high(u)) }))
}

/** mayMandate says whether this device's key is of the level that gives a mandate: a passkey that is synced counts as OFFICER (rules/act). */
async function mayMandate(s: Signer): Promise<boolean> {
  const k = (await accountOnLedger(s.account)).keys.find((x) => x.id === s.keyId)
  return k?.level === KeyLevel.ROOT && !k.passkey?.backupEligible
}

export default function Propose() {
  const { t } = useWords()
  const { at, signer, refresh } = useBox()
  const [who, setWho] = useState('')
  const [name, setName] = useState('')
  const [agent, setAgent] = useState('')
  const [why, setWhy] = useState('')
  const [chosen, setChosen] = useState<string[]>([])
  const [everything, setEverything] = useState(false)
  const [grant, setGrant] = useState(true)
  const [sensitive, setSensitive] = useState(false)
  const [days, setDays] = useState(TERMS[0]!)
  const [times, setTimes] = useState('')
  const read = useAsk(async () => ({ entries: await grantable(), may: await mayMandate(signer) }), [signer.account])
  const d = read.data
  const find = async () => {
    const account = accountOf(who) ?? (FIRM.test(who.trim()) ? who.trim() : undefined)
    if (!account || account === signer.account) { setWhy(account ? 'self' : 'wrong'); return }
    const { found } = await call<{ found?: boolean }>('mulian.ledger.v1.LedgerService/GetObject', { key: `identity/account/${account}` })
    if (!found) { setWhy('unknown'); return }
    setWhy('')
    setAgent(account)
  }
  const toggle = (id: string) => setChosen(chosen.includes(id) ? chosen.filter((x) => x !== id) : [...chosen, id])
  const ready = agent !== '' && (everything || chosen.length > 0)
  return (
    <main className="page">
      <To to="/box/me" className="back">‹ {t('me.title')}</To>
      <h1>{t('act.propose')}</h1>
      <p>{t('act.proposeLead')}</p>
      {read.error !== undefined && !d && <Trouble error={read.error} again={refresh} />}
      {!d && read.error === undefined && <Wait />}
      {d && !d.may && <p className="card bad" role="alert">{t('act.noRoot')}</p>}
      {d?.may && <>
        <section className="card tall"><h2>{t('act.who')}</h2>
          {agent ? <div className="item"><div><strong>{name.trim() || brief(agent)}</strong><p className="second"><code>{agent}</code></p></div><button type="button" className="button" onClick={() => setAgent('')}>{t('act.change')}</button></div>
            : <form onSubmit={(e) => { e.preventDefault(); find().catch(() => setWhy('unknown')) }}>
              <label htmlFor="agent">{t('act.account')}</label>
              <input id="agent" className="field" autoComplete="off" spellCheck={false} value={who} onChange={(e) => { setWho(e.target.value); setWhy('') }} />
              <label htmlFor="agent-name">{t('arrange.name')}</label>
              <input id="agent-name" className="field" autoComplete="off" maxLength={MAX_NAME} value={name} onChange={(e) => setName(e.target.value)} />
              {why && <p className="bad" role="alert">{t(`act.wrong.${why}`)}</p>}
              <button type="submit" className="button wide" disabled={who.trim() === ''} data-testid="agent-find">{t('act.find')}</button>
            </form>}
        </section>
        <section className="card"><h2>{t('act.of')}</h2>
          {d.entries.map((e) => <Switch key={e.id} id={e.id} label={e.high ? `${e.name} (${t('ask.sensitive')})` : e.name} on={everything || chosen.includes(e.id)} off={everything} turn={() => toggle(e.id)} />)}
          <Switch id="everything" label={t('act.everythingEver')} on={everything} turn={() => setEverything(!everything)} />
        </section>
        <section className="card"><h2>{t('act.may')}</h2>
          <Switch id="view" label={t('act.view')} on off turn={() => undefined} />
          <Switch id="grant" label={t('act.give')} on={grant} turn={() => setGrant(!grant)} />
          {grant && <Switch id="sensitive" label={t('act.sensitiveToo')} on={sensitive} turn={() => setSensitive(!sensitive)} />}
          {grant && !sensitive && d.entries.some((e) => e.high && (everything || chosen.includes(e.id))) && <p className="amber" role="status">{t('act.needsSensitive')}</p>}
        </section>
        <section className="card tall">
          <label htmlFor="days">{t('act.howLong')}</label>
          <select id="days" className="field" value={days} onChange={(e) => setDays(Number(e.target.value))}>{TERMS.map((n) => <option key={n} value={n}>{t('act.days', { n })}</option>)}</select>
          <label htmlFor="times">{t('act.howOften')}</label>
          <input id="times" className="field" inputMode="numeric" maxLength={4} autoComplete="off" value={times} onChange={(e) => setTimes(e.target.value.replace(/\D/g, ''))} />
          <p className="second">{t('act.never')}</p>
          {!ready && <p className="second">{t(agent ? 'act.chooseOf' : 'act.chooseWho')}</p>}
          <SignButton
            label={t('act.sign')} className="button first wide" testid="propose" disabled={!ready}
            make={async () => (await import('./sign')).proposing(at, signer, { agent, entries: everything ? [] : chosen, grant, sensitive: grant && sensitive, untilMs: Math.floor(Date.now() + at.aheadMs) + days * DAY_MS, maxUses: Number(times) })}
            done={(c) => void (async () => {
              if (name.trim()) await note(signer.account, called(agent), name.trim())
              refresh()
              go(c.ids[0] ? `/box/mandate/${c.ids[0]}` : '/box/me')
            })()}
          />
        </section>
      </>}
    </main>
  )
}

function Switch({ id, label, on, off = false, turn }: { id: string; label: string; on: boolean; off?: boolean; turn: () => void }) {
  return <div className="item"><label htmlFor={`of-${id}`}>{label}</label><input id={`of-${id}`} type="checkbox" role="switch" checked={on} disabled={off} onChange={turn} /></div>
}
