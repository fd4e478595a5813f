// One thing of the box: what it is, whether it is what the ledger has a commitment of, and its
// content, hidden until it is wanted. Erasing it is recorded and final.
import { useEffect, useState } from 'react'
import type { Vault } from '@/gen/mulian/safebox/v1/safebox_pb'
import type { Bytes } from '@/chain/bytes'
import { namesOf } from './allowed'
import { go, To, useBox } from './box'
import { Gate } from './gate'
import { content, type Item, itemOf, type Shown, shownAs } from './item'
import { moment, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'
import { caller, type Open } from './vault'

export default function Asset({ id }: { id: string }) {
  const { t } = useWords()
  return (
    <main className="page">
      <To to="/box/data" className="back">‹ {t('mine.title')}</To>
      <Gate>{(open, vault) => <Thing id={id} open={open} vault={vault} />}</Gate>
    </main>
  )
}

function Thing({ id, open, vault }: { id: string; open: Open; vault: Vault }) {
  const { t } = useWords()
  const { at, signer, refresh } = useBox()
  const read = useAsk(async () => {
    const it = await itemOf(caller(at, signer), open, id)
    return { it, name: await namesOf([it.card?.issuer.split('/')[0] ?? '', it.card?.copy?.from ?? '', it.card?.copy?.to ?? '']) }
  }, [id, open])
  const d = read.data
  if (!d) return read.error !== undefined ? <><h1>{t('asset.one')}</h1><Trouble error={read.error} again={refresh} /></> : <><h1>{t('asset.one')}</h1><Wait /></>
  const { it: { card, held, failed }, it, name } = d
  const rows: [string, string][] = card ? [
    [t('asset.issuer'), card.issuer === signer.account ? t('mine.own') : name(card.issuer.split('/')[0]!)],
    [t('asset.made'), moment(Number(card.madeMs))],
    [t('asset.kind'), card.schema],
    [t('asset.bytes'), Number(card.bytes).toLocaleString('en-US')],
    ...(card.entry ? [[t('asset.entry'), card.entry] as [string, string]] : []),
  ] : []
  return (
    <>
      <h1>{card?.title ?? t('asset.one')}</h1>
      {failed && <p className="card bad" role="alert">{t(`mine.failed.${failed}`)}</p>}
      <section className="card" aria-labelledby="check">
        <h2 id="check">{t('asset.check')}</h2>
        {held && card && <p className="good">✓ {t('asset.same', { n: String(it.height ?? held.height) })}</p>}
        {!held && <p className="amber">{t('asset.unrecorded')}</p>}
        {held && <p className="second">{t('asset.number', { n: String(held.number), at: moment(Number(held.atMs)) })}{held.single && ` · ${t('asset.single')}`}</p>}
        <details><summary>{t('asset.proof')}</summary><code>{id}</code></details>
      </section>
      {card && <Content item={it} />}
      {card && held && <To to={`/box/give/${id}`} className="button wide">{t('asset.give')}</To>}
      {card?.copy && (
        <section className="card"><h2>{t('asset.note')}</h2>
          <p>{card.copy.purpose}</p>
          <p className="second">{t('asset.noteFrom', { from: name(card.copy.from), to: name(card.copy.to), at: moment(Number(card.copy.notAfterMs)) })}</p>
          {card.copy.fields.length > 0 && <p className="second">{card.copy.fields.join('、')}</p>}
        </section>
      )}
      {rows.length > 0 && <section className="card">{rows.map(([k, v]) => <div className="item" key={k}><span>{k}</span><span className="end">{v}</span></div>)}</section>}
      <section className="card tall">
        <h2>{t('asset.erase')}</h2>
        <p className="second">{t('asset.final')}</p>
        {held?.offers.length ? <p className="amber">{t('asset.offered')}</p> : (
          <Erase id={id} recorded={!!held} />
        )}
      </section>
      <small className="second">{t('asset.ms', { n: it.ms.toFixed(1), m: open.ms.toFixed(1) })} · {t('asset.vault', { n: String(vault.version) })}</small>
    </>
  )
}

function Erase({ id, recorded }: { id: string; recorded: boolean }) {
  const { t } = useWords()
  const { at, signer } = useBox()
  const [error, setError] = useState<unknown>()
  const destroy = async () => {
    try {
      await (await import('./door')).erase(caller(at, signer), id)
      go('/box/data')
    } catch (err) { setError(err) }
  }
  return (
    <>
      {recorded
        ? <SignButton label={t('asset.eraseNow')} className="button danger" testid="erase" make={async () => (await import('./sign')).erasing(at, signer, id)} done={() => void destroy()} />
        : <button type="button" className="button danger" onClick={() => void destroy()}>{t('asset.eraseNow')}</button>}
      {error !== undefined && <Trouble error={error} />}
    </>
  )
}

const MASK = '••••••'

function Content({ item }: { item: Item }) {
  const { t } = useWords()
  const { at, signer } = useBox()
  const [opened, setOpened] = useState<{ bytes: Bytes; shown: Shown; ms: number }>()
  const [error, setError] = useState<unknown>()
  const [seen, setSeen] = useState<Set<number>>(new Set())
  const [url, setUrl] = useState<string>()
  useEffect(() => () => { if (url) URL.revokeObjectURL(url) }, [url])
  const show = async () => {
    try {
      const { bytes, ms } = await content(caller(at, signer), item)
      setUrl(URL.createObjectURL(new Blob([bytes], { type: item.card!.mediaType })))
      setOpened({ bytes, ms, shown: shownAs(item.card!.mediaType, bytes) })
    } catch (err) {
      const why = err instanceof Error ? err.message : ''
      setError(why === 'damaged' || why === 'too-large' ? new Error(t(why === 'damaged' ? 'mine.failed.damaged' : 'asset.large')) : err)
    }
  }
  const see = (i: number) => { const next = new Set(seen); if (!next.delete(i)) next.add(i); setSeen(next) }
  return (
    <section className="card tall" aria-labelledby="content">
      <h2 id="content">{t('asset.content')}</h2>
      {!opened && <button type="button" className="button first" onClick={() => void show()} data-testid="show">{t('asset.show')}</button>}
      {error !== undefined && <Trouble error={error} />}
      {opened && <p className="good">✓ {t('asset.whole', { n: opened.ms.toFixed(1) })}</p>}
      {opened?.shown.as === 'fields' && opened.shown.fields.map(([k, v], i) => (
        <button type="button" className="item value" key={k} aria-pressed={seen.has(i)} onClick={() => see(i)}><span>{k}</span><span className="end">{seen.has(i) ? v : <span aria-label={t('asset.hidden')} role="img">{MASK}</span>}</span></button>
      ))}
      {opened?.shown.as === 'text' && <pre>{opened.shown.text}</pre>}
      {opened?.shown.as === 'picture' && <img src={url} alt={item.card!.title} className="picture" />}
      {opened && url && <a className="button" href={url} download={fileName(item)}>{t('asset.save')}</a>}
    </section>
  )
}

const ENDINGS: Record<string, string> = { 'application/json': 'json', 'application/pdf': 'pdf', 'image/png': 'png', 'image/jpeg': 'jpg', 'text/plain': 'txt', 'application/dc+sd-jwt': 'sd-jwt' }
const fileName = (it: Item) => `${it.card!.title.replace(/[\\/:*?"<>|]/g, '_')}.${ENDINGS[it.card!.mediaType] ?? 'bin'}`
