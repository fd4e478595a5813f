// Certificates and receipts: for each grant the newest receipt, as the ledger stands; to be
// kept as a file, and to be checked by anybody on the public page.
import { useState } from 'react'
import { useWords } from '../words-box'
import { grantsOf, namesOf, receiptOf, word } from './allowed'
import { To, useBox } from './box'
import { keepFile } from './file'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'

export function Certs() {
  const { t } = useWords()
  const { owner, stamp, refresh } = useBox()
  const [pages, setPages] = useState(1)
  const read = useAsk(async () => {
    const g = await grantsOf(owner, 'all', pages)
    return { ...g, name: await namesOf(g.list.map((x) => x.grantee)) }
  }, [owner, stamp, pages])
  const d = read.data
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t('certs.title')}</h1>
      {read.error !== undefined && !d && <Trouble error={read.error} again={refresh} />}
      {!d && read.error === undefined && <Wait />}
      {read.error !== undefined && d && <Stale />}
      {d?.total === 0 && <p className="card second">{t('certs.none')}</p>}
      {d && d.total > 0 && <section className="card" aria-labelledby="receipts"><h2 id="receipts">{t('certs.count', { n: d.total })}</h2>
        {d.list.map((g) => (
          <div className="item" key={g.id}>
            <div><strong>{d.name(g.grantee)}</strong><p className="second">{moment(g.givenMs)} · {t(`grants.state.${word(g.state, 'GRANT_STATE_')}`)}</p></div>
            <To to={`/box/certs/${g.id}`} className="button">{t('home.look')}</To>
          </div>
        ))}
        {d.more && <button type="button" className="button wide" onClick={() => setPages(pages + 1)}>{t('more')}</button>}
      </section>}
    </main>
  )
}

export function Cert({ id }: { id: string }) {
  const { t, language } = useWords()
  const { stamp, refresh } = useBox()
  const read = useAsk(() => receiptOf(id, language === 'zh-CN' ? 'zh' : 'en'), [id, language, stamp])
  const r = read.data?.receipt
  const back = <To to="/box/certs" className="back">‹ {t('certs.title')}</To>
  if (!r) return <main className="page">{back}<h1>{t('certs.receipt')}</h1>{read.error !== undefined ? <Trouble error={read.error} again={refresh} /> : <Wait />}</main>
  const rows: [string, string][] = [
    [t('certs.number'), r.id], [t('certs.at'), moment(r.atMs)], [t('ask.what'), r.purposeText],
    [t('grants.items'), (r.items ?? []).join('、') || t('grants.confidential')],
    [t('certs.from'), moment(r.notBeforeMs)], [t('ask.term'), moment(r.notAfterMs)],
    [t('ask.count'), r.maxUses ? t('home.uses', { n: r.uses ?? 0, of: r.maxUses }) : t('home.usesFree', { n: r.uses ?? 0 })],
    [t('certs.height'), r.height],
  ]
  return (
    <main className="page">
      {back}
      <h1>{t('certs.receipt')} · {t(`certs.event.${word(r.event, 'RECEIPT_EVENT_')}`)}</h1>
      <section className="card">{rows.map(([k, v]) => <div className="item" key={k}><span className="keep">{k}</span><strong className="end">{v}</strong></div>)}</section>
      <section className="card"><h2>{t('certs.who')}</h2>{(r.controllers ?? []).map((c) => <div className="item" key={c.org}><div><strong>{c.name}</strong><p className="second">{[c.org, c.contact].filter(Boolean).join(' · ')}</p></div></div>)}</section>
      <section className="card"><p>{r.withdrawal}</p><p className="second">{r.complaint}</p></section>
      <p className="second">{t('certs.said')}</p>
      <div className="speech">
        <button type="button" className="button first" onClick={() => keepFile(`${r.id}.json`, `${JSON.stringify(r, null, 2)}\n`)}>{t('certs.keep')}</button>
        <a className="button" href={`/v/${id}?lang=${language === 'zh-CN' ? 'zh' : 'en'}`}>{t('certs.check')}</a>
        <To to={`/box/grant/${id}`} className="button">{t('grants.one')}</To>
      </div>
    </main>
  )
}
