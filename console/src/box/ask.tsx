// The consent page: who asks, what for, what is given and what is not, for how long. No has
// the same size as yes. The text that is signed is the ledger's, and its hash is computed here.
import { lazy, Suspense, useState } from 'react'
import { hex, sha256, utf8 } from '@/chain/bytes'
import { note } from '@/chain/keys'
import { useWords } from '../words-box'
import { type Asked, asked, asks, base64, call, names, unbase64 } from './api'
import { go, To, useBox } from './box'
import { matchOf, saltIn } from './match'
import { high, proofIn } from './acting'
import { moment, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'

interface Entry { name: string; items?: { code: string; name: string; personal?: string }[]; ownerItem?: string; provider: string; table?: string }

const bit = (b: Uint8Array, i: number) => ((b[i >> 3] ?? 0) >> (i % 8)) & 1

function without(all: Uint8Array, off: Set<number>): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(all)
  for (const i of off) out[i >> 3]! &= ~(1 << (i % 8))
  let n = out.length
  while (n > 0 && out[n - 1] === 0) n--
  return out.slice(0, n)
}

const MatchNumber = lazy(() => import('./number'))

export function Ask({ id }: { id: string }) {
  const { t, language } = useWords()
  const { at, signer, owner, acting, refresh } = useBox()
  const [off, setOff] = useState<Set<number>>()
  const [matched, setMatched] = useState(() => !!matchOf(id))
  const lang = language === 'zh-CN' ? 'zh' : 'en'
  const first = useAsk(async () => {
    const a = await asked(id, owner, lang)
    const { entry } = await call<{ entry: Entry }>('mulian.catalogue.v1.CatalogueService/GetEntry', { id: a.use.entry })
    return { a, entry, who: await names([`identity/account/${a.request.org}`, `identity/account/${entry.provider}`]) }
  }, [id, lang, owner])
  const d = first.data
  const all = unbase64(d?.a.request.items)
  const optional = unbase64(d?.a.request.optionalItems)
  const positions = (d?.entry.items ?? []).map((_, i) => i)
  const left = off ?? new Set(positions.filter((i) => bit(optional, i)))
  const items = without(all, left)
  // The text changes with the choice; the ledger compares the hash of what was shown.
  const text = useAsk<Asked | undefined>(() => (d ? asked(id, owner, lang, base64(items)) : Promise.resolve(undefined)), [d, base64(items)])
  if (first.error !== undefined && !d) return <main className="page"><h1>{t('ask.title')}</h1><Trouble error={first.error} /><To to="/box">{t('home.back')}</To></main>
  if (!d) return <main className="page"><Wait /></main>
  const { request, use } = d.a
  const who = d.who[`identity/account/${request.org}`]
  const open = request.state === 'DATA_REQUEST_STATE_REQUESTED'
  const numbered = open && !!request.matchCommitment && !matched
  const salt = saltIn(location.hash)
  const may = !acting || acting.grant
  const tooHigh = !!acting && !acting.sensitive && high(use)
  const done = () => { refresh(); go('/box') }
  const toggle = (i: number) => { const next = new Set(left); if (!next.delete(i)) next.add(i); setOff(next) }
  return (
    <>
      <main className="page ask">
        <To to="/box" className="back">‹ {t('home.back')}</To>
        <h1>{t(acting ? 'act.wants' : 'ask.wants', { who: who ?? request.org })}</h1>
        <p className="good">✓ {t('ask.verified')} · <code>{request.org.slice(0, 4)}****{request.org.slice(-2)}</code></p>
        {numbered && (salt
          ? <Suspense fallback={<Wait />}><MatchNumber of={d.a} salt={salt} matched={() => setMatched(true)} done={refresh} /></Suspense>
          : <section className="card tall" data-why="match"><h2>{t('ask.match')}</h2><p>{t('ask.matchHow', { who: who ?? request.org })}</p><To to="/box/scan" className="button first wide">{t('home.scan')}</To></section>
        )}
        {open && matched && <p className="good" role="status">✓ {t('ask.matched')}</p>}
        <section className="card"><h2>{t('ask.what')}</h2><p>{use.title}</p></section>
        <section className="card"><h2>{t('ask.given')}</h2>
          <p className="second">{d.entry.name} · {d.who[`identity/account/${d.entry.provider}`]}</p>
          {positions.filter((i) => bit(all, i)).map((i) => {
            const item = d.entry.items![i]!
            return (
              <div className="item" key={item.code}>
                <label htmlFor={`item-${i}`}>{item.name}{item.personal === 'PERSONAL_SENSITIVE' && <em className="bad"> {t('ask.sensitive')}</em>}</label>
                {bit(optional, i) ? <input id={`item-${i}`} type="checkbox" role="switch" checked={!left.has(i)} onChange={() => toggle(i)} /> : <span className="second" id={`item-${i}`}>{t('ask.needed')}</span>}
              </div>
            )
          })}
          <p className="second">{t('ask.not', { items: positions.filter((i) => !bit(items, i)).map((i) => d.entry.items![i]!.name).join('、') || t('ask.nothing') })}</p>
        </section>
        <section className="card">
          <div className="item"><span>{t('ask.term')}</span><strong>{moment(request.toMs)}</strong></div>
          <div className="item"><span>{t('ask.count')}</span><strong>{request.maxUses ? t('ask.times', { n: request.maxUses }) : t('ask.any')}</strong></div>
          <div className="item"><span>{t('ask.kept')}</span><strong>{request.dataLifeDays ? t('ask.days', { n: request.dataLifeDays }) : t('ask.notKept')}</strong></div>
          <p className="second">{t('ask.revoke')} {use.contact && t('ask.contact', { who: use.contact })}</p>
        </section>
        <details className="card"><summary>{t('ask.text')}</summary><pre>{text.data?.text}</pre><small>SHA-256 <Hash text={text.data?.text ?? ''} /></small></details>
        {open && may && tooHigh && <p className="card amber" role="status">{t('act.tooHigh')}</p>}
        {open && may && !tooHigh && <Proof />}
        {open && !may && <p className="card amber">{t('act.viewOnly')}</p>}
        {open && <Others id={id} org={request.org} reference={request.businessReference} />}
        {!open && <p className="card second">{t('ask.over')}</p>}
      </main>
      {open && may && (
        <footer className="bottom">
          <SignButton label={t('ask.no')} className="button big" testid="decline" make={async () => (await import('./sign')).declining(at, signer, id, false, acting)} done={done} />
          <SignButton
            label={t(acting ? 'act.agree' : 'ask.yes')} className="button first big" testid="consent" done={done} disabled={!text.data?.text || numbered || tooHigh}
            make={async () => {
              if (!text.data?.text || !d.entry.ownerItem || !d.entry.table) throw new Error(t('ask.noText'))
              try {
                return await (await import('./sign')).giving(at, signer, { request, text: text.data.text, language: lang, items, row: { table: d.entry.table, ownerItem: d.entry.ownerItem } }, acting)
              } catch (err) {
                const why = { 'no-seal': t('ask.noSeal'), 'no-proof': t(acting ? 'act.noProof' : 'ask.noProof') }[err instanceof Error ? err.message : '']
                throw why ? new Error(why) : err
              }
            }}
          />
        </footer>
      )}
    </>
  )
}

/** Others leads to the whole case, if more of it waits. */
function Others({ id, org, reference = '' }: { id: string; org: string; reference?: string }) {
  const { t } = useWords()
  const { owner } = useBox()
  const n = useAsk(async () => (await asks(owner)).requests?.filter((r) => r.id !== id && r.org === org && r.businessReference === reference).length ?? 0, [id, org, reference]).data
  return n ? <p className="card">{t('case.more', { n })} <To to={`/box/case/${hex(unbase64(reference))}`}>{t('case.together')}</To></p> : null
}

function Hash({ text }: { text: string }) {
  const h = useAsk(async () => hex(await sha256(utf8(text))), [text])
  return <code>{h.data}</code>
}

// Proof asks for the owner's proof of identity, if this browser does not have it: without it no
// gateway knows that the row is his. Of whom one acts for, the owner gives the file.
export function Proof() {
  const { t } = useWords()
  const { signer, owner } = useBox()
  const [error, setError] = useState<unknown>()
  const [stamp, setStamp] = useState(0)
  const notes = useAsk(() => note(signer.account), [owner, stamp])
  if (!notes.data || proofIn(notes.data, signer.account, owner)) return null
  const take = async (file?: File) => {
    setError(undefined)
    try {
      if (file) await (await import('./rowkeys')).takeProof(signer, owner, await file.slice(0, 4096).text())
      setStamp(stamp + 1)
    } catch { setError(new Error(t(owner === signer.account ? 'ask.notYours' : 'act.notHis'))) }
  }
  return (
    <section className="card">
      <label htmlFor="proof">{t(owner === signer.account ? 'ask.noProof' : 'act.noProof')}</label>
      <input id="proof" type="file" accept=".json,application/json" onChange={(e) => void take(e.target.files?.[0])} />
      {error !== undefined && <Trouble error={error} />}
    </section>
  )
}
