// A case: all that one organisation asks for the same matter, answered with one signature. Each
// request is shown whole and can be refused alone; the ledger takes all answers or none.
import { useEffect, useState } from 'react'
import { unhex } from '@/chain/bytes'
import type { Act, Draft } from '@/chain/tx'
import { useWords } from '../words-box'
import { Proof } from './ask'
import { type Asked, asked, base64, call, type DataRequest, names, unbase64 } from './api'
import { go, To, useBox } from './box'
import { moment, Trouble, useAsk, Wait } from './parts'
import type { Chosen } from './sign'
import { SignButton } from './signing'

interface Entry { name: string; items?: { code: string; name: string; personal?: string }[]; ownerItem?: string; provider: string; table?: string }

const bit = (b: Uint8Array, i: number) => ((b[i >> 3] ?? 0) >> (i % 8)) & 1

/** without is a bitmap with some positions left out, its last byte not zero. */
function without(all: Uint8Array, off: Set<number>): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(all)
  for (const i of off) out[i >> 3]! &= ~(1 << (i % 8))
  let n = out.length
  while (n > 0 && out[n - 1] === 0) n--
  return out.slice(0, n)
}

// What the owner has decided of one request: to give this, or nothing.
type Choice = { give: true; chosen?: Chosen } | { give: false }

export default function Case({ reference }: { reference: string }) {
  const { t } = useWords()
  const { at, signer, owner, acting, refresh } = useBox()
  const [choices, setChoices] = useState<Record<string, Choice>>({})
  const read = useAsk(async () => {
    const r = await call<{ requests?: DataRequest[] }>('mulian.grant.v1.GrantService/ListDataRequests', { owner: owner, states: ['DATA_REQUEST_STATE_REQUESTED'], businessReference: base64(unhex(reference)), limit: 50 })
    const open = r.requests ?? []
    return { open, who: await names([...new Set(open.map((x) => `identity/account/${x.org}`))]) }
  }, [reference, owner])
  const d = read.data
  if (read.error !== undefined && !d) return <main className="page"><h1>{t('case.title')}</h1><Trouble error={read.error} /><To to="/box">{t('home.back')}</To></main>
  if (!d) return <main className="page"><Wait /></main>
  if (d.open.length === 0) return <main className="page"><To to="/box" className="back">‹ {t('home.back')}</To><h1>{t('case.title')}</h1><p className="card second">{t('case.none')}</p></main>
  const alone = d.open.filter((r) => r.matchCommitment) // answered on its own page, where its match number is typed
  const all = d.open.filter((r) => !r.matchCommitment).map((r) => ({ r, choice: choices[r.id] ?? { give: true as const } }))
  const ready = all.every(({ choice }) => !choice.give || choice.chosen)
  const n = all.filter(({ choice }) => choice.give).length
  const who = d.who[`identity/account/${d.open[0]!.org}`] ?? d.open[0]!.org
  const may = !acting || acting.grant
  const done = () => { refresh(); go('/box') }
  const make = async (none = false): Promise<Draft> => {
    const { declining, giving } = await import('./sign')
    const { draft } = await import('@/chain/tx')
    const acts: Act[] = []
    try {
      for (const { r, choice } of all) {
        const one = choice.give && !none ? await giving(at, signer, choice.chosen!, acting) : await declining(at, signer, r.id, false, acting)
        acts.push(...one.body.messages.map((m) => m.kind as Act))
      }
    } catch (err) {
      const why = { 'no-seal': t('ask.noSeal'), 'no-proof': t(acting ? 'act.noProof' : 'ask.noProof') }[err instanceof Error ? err.message : '']
      throw why ? new Error(why) : err
    }
    return draft(at.chainId, signer.account, acts, at.aheadMs)
  }
  return (
    <>
      <main className="page ask">
        <To to="/box" className="back">‹ {t('home.back')}</To>
        <h1>{t('case.wants', { who, n: d.open.length })}</h1>
        <p className="good">✓ {t('ask.verified')} · <code>{d.open[0]!.org.slice(0, 4)}****{d.open[0]!.org.slice(-2)}</code></p>
        {all.map(({ r, choice }) => <One key={r.id} request={r} choice={choice} change={(c) => setChoices((was) => ({ ...was, [r.id]: c }))} />)}
        {alone.map((r) => <p key={r.id} className="card" data-alone={r.id}>{t('case.alone')} <To to={`/box/ask/${r.id}`}>{t('case.look')}</To></p>)}
        {may ? <Proof /> : <p className="card amber">{t('act.viewOnly')}</p>}
        {all.length > 0 && <p className="second">{t('case.all')}</p>}
      </main>
      {all.length > 0 && may && <footer className="bottom">
        <SignButton label={t('case.noAll')} className="button big" testid="decline-all" make={() => make(true)} done={done} />
        <SignButton label={t('case.yes', { n })} className="button first big" testid="consent-all" disabled={!ready || n === 0} make={() => make()} done={done} />
      </footer>}
    </>
  )
}

function One({ request, choice, change }: { request: DataRequest; choice: Choice; change: (c: Choice) => void }) {
  const { t, language } = useWords()
  const { owner } = useBox()
  const [off, setOff] = useState<Set<number>>()
  const lang = language === 'zh-CN' ? 'zh' : 'en'
  const first = useAsk(async () => {
    const a = await asked(request.id, owner, lang)
    const { entry } = await call<{ entry: Entry }>('mulian.catalogue.v1.CatalogueService/GetEntry', { id: a.use.entry })
    return { a, entry, who: await names([`identity/account/${entry.provider}`]) }
  }, [request.id, lang, owner])
  const d = first.data
  const all = unbase64(request.items)
  const optional = unbase64(request.optionalItems)
  const positions = (d?.entry.items ?? []).map((_, i) => i).filter((i) => bit(all, i))
  const left = off ?? new Set(positions.filter((i) => bit(optional, i)))
  const items = without(all, left)
  // The text changes with the choice; the ledger compares the hash of what was shown.
  const text = useAsk<Asked | undefined>(() => (d ? asked(request.id, owner, lang, base64(items)) : Promise.resolve(undefined)), [d, base64(items)])
  const said = text.data?.text
  useEffect(() => {
    if (choice.give && said && d?.entry.ownerItem && d.entry.table) change({ give: true, chosen: { request: d.a.request, text: said, language: lang, items, row: { table: d.entry.table, ownerItem: d.entry.ownerItem } } })
  }, [said, choice.give, base64(items), d])
  if (first.error !== undefined && !d) return <section className="card"><Trouble error={first.error} /></section>
  if (!d) return <section className="card"><Wait /></section>
  const toggle = (i: number) => {
    const next = new Set(left)
    if (!next.delete(i)) next.add(i)
    change({ give: true }) // until the text of the new choice is there
    setOff(next)
  }
  return (
    <section className="card" aria-labelledby={`use-${request.id}`} data-request={request.id}>
      <h2 id={`use-${request.id}`}>{d.a.use.title}</h2>
      <p className="second">{d.entry.name} · {d.who[`identity/account/${d.entry.provider}`]}</p>
      <div className="item"><label htmlFor={`give-${request.id}`}><strong>{t(choice.give ? 'case.give' : 'case.refuse')}</strong></label><input id={`give-${request.id}`} type="checkbox" role="switch" checked={choice.give} onChange={() => change(choice.give ? { give: false } : { give: true })} /></div>
      {choice.give && <>
        {positions.map((i) => {
          const item = d.entry.items![i]!
          const id = `item-${request.id}-${i}`
          return (
            <div className="item" key={item.code}>
              <label htmlFor={id}>{item.name}{item.personal === 'PERSONAL_SENSITIVE' && <em className="bad"> {t('ask.sensitive')}</em>}</label>
              {bit(optional, i) ? <input id={id} type="checkbox" role="switch" checked={!left.has(i)} onChange={() => toggle(i)} /> : <span className="second" id={id}>{t('ask.needed')}</span>}
            </div>
          )
        })}
        <p className="second">{t('ask.term')} {moment(request.toMs)} · {request.maxUses ? t('ask.times', { n: request.maxUses }) : t('ask.any')} · {request.dataLifeDays ? t('ask.days', { n: request.dataLifeDays }) : t('ask.notKept')}</p>
        {text.error !== undefined && !said && <Trouble error={text.error} />}
        {(!d.entry.ownerItem || !d.entry.table) && <p className="bad">{t('case.noOwner')}</p>}
        <details><summary>{t('ask.text')}</summary><pre>{said}</pre></details>
      </>}
    </section>
  )
}
