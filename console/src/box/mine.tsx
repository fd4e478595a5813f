// My data: what lies in the box, by who gave it. Names come out of the open vault; what an item
// says stays closed until somebody wants to see it (asset.tsx).
import { useState } from 'react'
import type { Vault } from '@/gen/mulian/safebox/v1/safebox_pb'
import { base64 } from './api'
import { namesOf } from './allowed'
import { To, useBox } from './box'
import { list } from './door'
import { Gate, Lock } from './gate'
import { type Item, itemOf, MAX_FILE, type Sealed } from './item'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'
import { caller, mayKeepOwn, type Open } from './vault'

const PAGE = 30

export default function Mine() {
  const { t } = useWords()
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t('mine.title')}</h1>
      <Gate>{(open, vault) => <><Things open={open} /><Add vault={vault} /><Lock /></>}</Gate>
    </main>
  )
}

// From whom a thing is: the organisation, whichever of its units made it.
const from = (i: Item) => (i.card?.issuer ?? i.held?.depositor ?? '').split('/')[0]!

// What was opened once: by handle and hash of the head, as long as the vault is open.
let known: { open?: Open; items: Map<string, Item> } = { items: new Map() }

function Things({ open }: { open: Open }) {
  const { t } = useWords()
  const { at, signer, stamp, refresh } = useBox()
  const [pages, setPages] = useState(1)
  const read = useAsk(async () => {
    if (known.open !== open) known = { open, items: new Map() }
    const c = caller(at, signer)
    const all = await list(c)
    const shown = all.slice(0, pages * PAGE)
    const items: Item[] = []
    for (const s of shown) {
      const as = `${s.item} ${base64(s.headSha256)}`
      let it = known.items.get(as)
      if (!it?.held) known.items.set(as, it = await itemOf(c, open, s.item))
      if (it.held || it.card) items.push(it)
    }
    const issuers = [...new Set(items.map(from))]
    return { items, issuers, total: all.length, name: await namesOf(issuers) }
  }, [signer.account, stamp, pages, open])
  const d = read.data
  if (!d) return read.error !== undefined ? <Trouble error={read.error} again={refresh} /> : <Wait />
  return (
    <>
      {read.error !== undefined && <Stale />}
      {d.total === 0 && <p className="card second">{t('mine.none')}</p>}
      {d.total > 0 && <p className="second">{t('mine.count', { n: d.total })}</p>}
      {d.issuers.map((issuer) => (
        <section className="card" key={issuer} aria-label={d.name(issuer)}>
          <h2>{issuer === signer.account ? t('mine.own') : d.name(issuer)}</h2>
          {d.items.filter((i) => from(i) === issuer).map((i) => <Row key={i.id} item={i} />)}
        </section>
      ))}
      {d.total > pages * PAGE && <button type="button" className="button wide" onClick={() => setPages(pages + 1)}>{t('more')}</button>}
    </>
  )
}

function Row({ item }: { item: Item }) {
  const { t } = useWords()
  const { card, held } = item
  return (
    <To to={`/box/asset/${item.id}`} className="item">
      <span className="tall"><strong>{card?.title ?? t(`mine.failed.${item.failed ?? 'damaged'}`)}</strong><span className="second">{moment(Number(card?.madeMs ?? held?.atMs ?? 0))}{card?.copy && ` · ${t('mine.copy')}`}</span></span>
      <span className={held ? 'good' : 'amber'}>{held ? `✓ ${t('mine.recorded')}` : t('mine.unrecorded')}</span>
    </To>
  )
}

/** Add puts a file of one's own into the box. */
function Add({ vault }: { vault: Vault }) {
  const { t } = useWords()
  const { at, signer, refresh } = useBox()
  const [file, setFile] = useState<File>()
  const [title, setTitle] = useState('')
  const [laid, setLaid] = useState<Sealed>()
  const [puts, setPuts] = useState(0)
  if (!mayKeepOwn(vault)) return <section className="card"><h2>{t('mine.add')}</h2><p className="amber">{t('mine.twoKinds')}</p></section>
  const large = file !== undefined && (file.size > MAX_FILE || file.size === 0)
  return (
    <section className="card tall" aria-labelledby="add">
      <h2 id="add">{t('mine.add')}</h2>
      <label htmlFor="file">{t('mine.file', { n: MAX_FILE >> 20 })}</label>
      <input key={puts} id="file" type="file" className="field" onChange={(e) => { const f = e.target.files?.[0]; setFile(f); setTitle(f?.name.replace(/\.[^.]+$/, '').slice(0, 200) ?? '') }} />
      {large && <p className="bad" role="alert">{t('mine.size')}</p>}
      {file && !large && <>
        <label htmlFor="title">{t('mine.name')}</label>
        <input id="title" className="field" maxLength={200} value={title} onChange={(e) => setTitle(e.target.value)} />
        <SignButton
          label={t('mine.put')} className="button first wide" testid="put" disabled={title.trim() === ''}
          make={async () => {
            const { cardOf, layDown, seal } = await import('./item')
            const { depositing } = await import('./sign')
            const content = new Uint8Array(await file.arrayBuffer())
            const card = await cardOf(content, { title: title.trim(), schema: 'file/1', mediaType: file.type || 'application/octet-stream', issuer: signer.account, madeMs: BigInt(Date.now() + at.aheadMs) })
            const s = await seal(card, content, vault)
            await layDown(caller(at, signer), s)
            setLaid(s)
            return depositing(at, signer, s.commitment, vault.keyVersion)
          }}
          undone={() => { if (laid) void import('./door').then((d) => d.erase(caller(at, signer), laid.head.item)) }}
          done={() => { setFile(undefined); setLaid(undefined); setPuts(puts + 1); refresh() }}
        />
      </>}
    </section>
  )
}
