// Handing over: an item itself, or a copy with a note, to another box; and the offers that are
// open or were. What is signed names the hash of what is laid into the other box.
import { type ReactNode, useState } from 'react'
import { namesOf } from './allowed'
import { To, useBox } from './box'
import { Gate } from './gate'
import { accepting, cancelling, copy, declining, deliver, handOver, look, MAX_DAYS, MAX_PURPOSE, type Offer, offersOf, OPEN, type Ready, type Seen } from './give'
import { content, type Item, itemsOf } from './item'
import { CREDENTIAL, partsOf } from './part'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'
import { caller, onLedger, type Open } from './vault'

const ACCOUNT = /^([pf]-[0-9a-f]{32}|[0-9A-Z]{18}(\/[a-z]\/[\w-]{1,40})?)$/
const ENDED = 10 // that are shown
const DAYS = 14

export default function Give({ item }: { item: string }) {
  const { t } = useWords()
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t('give.title')}</h1>
      <Gate>{(open) => <Hands open={open} chosen={item} />}</Gate>
    </main>
  )
}

/** short is an account as people compare it: its beginning and its end. */
const short = (account: string) => (account.length > 20 ? `${account.slice(0, 8)}…${account.slice(-6)}` : account)

function Hands({ open, chosen }: { open: Open; chosen: string }) {
  const { t } = useWords()
  const { at, signer, stamp, refresh } = useBox()
  const offers = useAsk(async () => {
    const list = await offersOf(signer.account)
    const name = await namesOf(list.flatMap((o) => [o.from, o.to]))
    return { list, name: (account: string) => { const n = name(account); return n === account ? short(account) : n } }
  }, [signer.account, stamp])
  const mine = useAsk(async () => (await itemsOf(caller(at, signer), open)).filter((i) => i.card && i.held?.owner === signer.account), [signer.account, open, stamp])
  const d = offers.data
  if (!d) return offers.error !== undefined ? <Trouble error={offers.error} again={refresh} /> : <Wait />
  const now = d.list.filter((o) => o.state === OPEN)
  const over = d.list.filter((o) => o.state !== OPEN).slice(0, ENDED)
  const title = (o: Offer) => mine.data?.find((i) => i.id === o.item || i.id === o.made)?.card?.title
  const row = (o: Offer, act?: ReactNode) => (
    <div className="item" key={o.id}>
      <div>
        <strong>{title(o) ?? t(`give.kind.${kindOf(o)}`)}</strong>
        <p className="second">{t(o.to === signer.account ? 'give.from' : 'give.to', { who: d.name(o.to === signer.account ? o.from : o.to) })}{title(o) && ` · ${t(`give.kind.${kindOf(o)}`)}`}</p>
        <p className="second">{o.state === OPEN ? t('give.until', { at: moment(o.expiresMs) }) : <>{t(`give.state.${stateOf(o)}`)} · {moment(o.endedMs)}</>}</p>
      </div>
      {act}
    </div>
  )
  const coming = now.filter((o) => o.to === signer.account)
  const going = now.filter((o) => o.from === signer.account)
  return (
    <>
      {offers.error !== undefined && <Stale />}
      {coming.length > 0 && (
        <section className="card" aria-labelledby="coming"><h2 id="coming">{t('give.coming')} <span className="bad">{coming.length}</span></h2>
          {coming.map((o) => <div key={o.id}>{row(o)}<Coming offer={o} open={open} name={d.name} /></div>)}
        </section>
      )}
      {going.length > 0 && (
        <section className="card" aria-labelledby="going"><h2 id="going">{t('give.going')} {going.length}</h2>
          {going.map((o) => row(o, <SignButton label={t('give.cancel')} className="button danger" testid="take-back" make={() => cancelling(caller(at, signer), o.id)} done={refresh} />))}
        </section>
      )}
      {mine.error !== undefined && !mine.data && <Trouble error={mine.error} again={refresh} />}
      {mine.data ? <Offering items={mine.data} chosen={chosen} /> : mine.error === undefined && <Wait />}
      {over.length > 0 && <details className="card"><summary>{t('give.over')} {d.list.length - now.length}</summary>{over.map((o) => row(o))}</details>}
    </>
  )
}

const kindOf = (o: Offer) => (o.kind === 'TRANSFER_KIND_COPY' ? 'copy' : 'hand')
const stateOf = (o: Offer) => o.state.replace('TRANSFER_STATE_', '').toLowerCase()

/** Coming is an offer to this box: opened and held against what was signed before it can be accepted. */
function Coming({ offer, open, name }: { offer: Offer; open: Open; name: (a: string) => string }) {
  const { t } = useWords()
  const { at, signer, refresh } = useBox()
  const [seen, setSeen] = useState<Seen>()
  const [why, setWhy] = useState('')
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const c = caller(at, signer)
  const see = async () => {
    setBusy(true)
    setWhy('')
    setError(undefined)
    try { setSeen(await look(c, open, offer.id)) } catch (err) {
      const said = err instanceof Error ? err.message : ''
      if (['no-offer', 'not-there', 'not-as-offered', 'other-suite', 'other-key', 'changed', 'too-large-here'].includes(said)) setWhy(said)
      else setError(err)
    } finally { setBusy(false) }
  }
  const card = seen?.item.card
  return (
    <div className="tall">
      {!seen && <button type="button" className="button first wide" disabled={busy} onClick={() => void see()} data-testid="look">{t('give.look')}</button>}
      {why && <p className="bad" role="alert">{t(`give.no.${why}`)}</p>}
      {error !== undefined && <Trouble error={error} />}
      {card && <>
        <p className="good">✓ {t('give.same')}</p>
        <p><strong>{card.title}</strong></p>
        <p className="second">{t('give.what', { kind: card.schema, n: Number(card.bytes).toLocaleString('en-US') })}</p>
        {card.copy && <p>{t('give.note', { purpose: card.copy.purpose, at: moment(Number(card.copy.notAfterMs)) })}{card.copy.fields.length > 0 && ` ${t('give.only', { fields: card.copy.fields.join('、') })}`}</p>}
        <p className="second">{t(seen.copied ? 'give.takeCopy' : 'give.takeHand', { who: name(offer.from) })}</p>
      </>}
      <div className="foot">
        <SignButton label={t('give.decline')} className="button" testid="decline-offer" make={() => declining(c, offer.id)} done={refresh} />
        {seen && <SignButton label={t('give.accept')} className="button first" testid="accept-offer" make={() => accepting(c, offer.id)} done={refresh} />}
      </div>
    </div>
  )
}

/** Offering makes an offer: what, to whom, how. Signed and on the ledger, the ciphertext is laid into the other box. */
function Offering({ items, chosen }: { items: Item[]; chosen: string }) {
  const { t } = useWords()
  const { at, signer, refresh } = useBox()
  const c = caller(at, signer)
  const [id, setId] = useState(chosen)
  const [to, setTo] = useState('')
  const [kind, setKind] = useState<'hand' | 'copy'>('hand')
  const [days, setDays] = useState(DAYS)
  const [purpose, setPurpose] = useState('')
  const [until, setUntil] = useState('')
  const [off, setOff] = useState<Set<string>>(new Set())
  const [made, setMade] = useState<Ready>()
  const [sent, setSent] = useState<{ id: string; height: bigint; ready: Ready; laid: 'now' | 'done' | 'not'; error?: unknown }>()
  const it = items.find((i) => i.id === id)
  const account = to.trim()
  const receiver = useAsk(async () => {
    if (!ACCOUNT.test(account)) return undefined
    const [vault, name] = await Promise.all([onLedger(account), namesOf([account])])
    return { account, vault, name: name(account) }
  }, [account])
  const parts = useAsk(async () => (it && kind === 'copy' ? { of: it.id, parts: partsOf(it.card!.mediaType, (await content(c, it)).bytes) } : undefined), [id, kind])
  const cut = parts.data && parts.data.of === id ? parts.data.parts : undefined
  const r = receiver.data?.account === account ? receiver.data : undefined
  const bad = account === '' ? '' : !ACCOUNT.test(account) ? 'account' : account === signer.account ? 'self' : r && !r.vault ? 'no-box' : ''
  const fields = cut ? cut.map((p) => p.name).filter((n) => !off.has(n)) : []
  const end = until ? Date.parse(`${until}T00:00:00+08:00`) + 86_400_000 : 0
  const refused = !it ? '' : kind === 'hand' && it.card!.mediaType === CREDENTIAL ? 'credential' : kind === 'copy' && it.held!.single ? 'single' : ''
  const terms = kind === 'hand' || (purpose.trim() !== '' && end > Date.now() + at.aheadMs && (!cut || fields.length > 0))
  const lay = async (ready: Ready, transfer: string, height: bigint) => {
    setSent({ id: transfer, height, ready, laid: 'now' })
    try {
      await deliver(c, ready)
      setSent({ id: transfer, height, ready, laid: 'done' })
    } catch (error) {
      setSent({ id: transfer, height, ready, laid: 'not', error })
    }
    refresh()
  }
  if (sent) {
    return (
      <section className="card tall" aria-live="polite" data-laid={sent.laid}>
        <h2>{t(`give.laid.${sent.laid}`)}</h2>
        <p className="good">✓ {t('give.onChain', { n: String(sent.height) })}</p>
        <details><summary>{t('give.number')}</summary><code>{sent.id}</code></details>
        {sent.laid === 'done' && <p className="second">{t(kind === 'hand' ? 'give.stillMine' : 'give.stillOpen')}</p>}
        {sent.error !== undefined && <Trouble error={sent.error} />}
        {sent.laid === 'not' && <>
          <button type="button" className="button first wide" onClick={() => void lay(sent.ready, sent.id, sent.height)}>{t('give.layAgain')}</button>
          <SignButton label={t('give.cancel')} className="button danger wide" make={() => cancelling(c, sent.id)} done={() => { setSent(undefined); refresh() }} />
        </>}
        {sent.laid === 'done' && <button type="button" className="button wide" onClick={() => { setSent(undefined); setId(''); setTo(''); setPurpose('') }}>{t('give.another')}</button>}
      </section>
    )
  }
  return (
    <section className="card tall" aria-labelledby="new">
      <h2 id="new">{t('give.new')}</h2>
      {items.length === 0 && <p className="second">{t('give.empty')} <To to="/box/data">{t('home.mine')}</To></p>}
      <label htmlFor="what">{t('give.item')}</label>
      <select id="what" className="field" value={id} onChange={(e) => { setId(e.target.value); setOff(new Set()) }}>
        <option value="">{t('give.choose')}</option>
        {items.map((i) => <option key={i.id} value={i.id}>{i.card!.title}{i.card!.copy ? ` · ${t('mine.copy')}` : ''}</option>)}
      </select>
      <label htmlFor="to">{t('give.account')}</label>
      <input id="to" className="field" autoComplete="off" autoCapitalize="off" spellCheck={false} aria-describedby="to-said" value={to} onChange={(e) => setTo(e.target.value)} />
      <p id="to-said" className={bad ? 'bad' : r ? 'good' : 'second'} role="status">{bad ? t(`give.no.${bad}`) : r?.vault ? `✓ ${t('give.hasBox')}${r.name === account ? '' : ` · ${r.name}`}` : t('give.accountHint')}</p>
      <div className="speech" role="group" aria-label={t('give.how')}>
        {(['hand', 'copy'] as const).map((k) => <button key={k} type="button" className="button" aria-pressed={kind === k} onClick={() => setKind(k)}>{t(`give.kind.${k}`)}</button>)}
      </div>
      <p className="second">{t(`give.means.${kind}`)}</p>
      {refused && <p className="amber" role="alert">{t(`give.no.${refused}`)}</p>}
      {kind === 'copy' && <>
        <label htmlFor="purpose">{t('give.purpose')}</label>
        <input id="purpose" className="field" maxLength={MAX_PURPOSE} value={purpose} onChange={(e) => setPurpose(e.target.value)} />
        <label htmlFor="until">{t('give.end')}</label>
        <input id="until" className="field" type="date" value={until} onChange={(e) => setUntil(e.target.value)} />
        {cut && <div role="group" aria-labelledby="fields"><p id="fields">{t('give.fields')}</p>{cut.map((p, i) => (
          <div className="item" key={p.name}>
            <label htmlFor={`part-${i}`}>{p.name}</label>
            <input id={`part-${i}`} type="checkbox" role="switch" checked={!off.has(p.name)} onChange={() => setOff((before) => { const next = new Set(before); if (!next.delete(p.name)) next.add(p.name); return next })} />
          </div>
        ))}</div>}
        {it && parts.data && !cut && <p className="second">{t('give.whole')}</p>}
        {parts.error !== undefined && <Trouble error={parts.error} />}
      </>}
      <label htmlFor="days">{t('give.days', { n: MAX_DAYS })}</label>
      <input id="days" className="field" type="number" min={1} max={MAX_DAYS} value={days} onChange={(e) => setDays(Math.min(MAX_DAYS, Math.max(1, Math.floor(Number(e.target.value)) || 1)))} />
      <SignButton
        label={t(`give.offer.${kind}`)} className="button first wide" testid="offer" disabled={!it || !r?.vault || bad !== '' || refused !== '' || !terms}
        make={async () => {
          try {
            const all = cut && fields.length === cut.length
            const ready = kind === 'hand' ? await handOver(c, it!, account, days) : await copy(c, it!, { to: account, purpose: purpose.trim(), untilMs: end, fields: all ? [] : fields, days })
            setMade(ready)
            return ready.draft
          } catch (err) {
            const said = err instanceof Error ? err.message : ''
            throw ['no-box', 'credential', 'damaged', 'too-large', 'no-p256'].includes(said) ? new Error(t(`give.no.${said}`)) : err
          }
        }}
        done={(r) => { if (made) void lay(made, r.ids[0] ?? '', r.height) }}
      />
    </section>
  )
}
