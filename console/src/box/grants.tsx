// What this owner allows: those that count with a button to revoke in the row, those that are
// over; and the page of one, with each use of it.
import { useState } from 'react'
import { useWords } from '../words-box'
import { dutiesOf, entryOf, type FullGrant, grantOf, grantsOf, namesOf, usesOf, word } from './allowed'
import { brief } from './acting'
import { To, useBox } from './box'
import { moment, Stale, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'

const live = (g: FullGrant) => ['cooling', 'active', 'paused'].includes(word(g.state, 'GRANT_STATE_'))
const State = ({ g }: { g: FullGrant }) => {
  const { t } = useWords()
  const s = word(g.state, 'GRANT_STATE_')
  return <span className={s === 'active' ? 'good' : s === 'voided' ? 'bad' : 'second'}>{t(`grants.state.${s}`)}</span>
}

/** useCount says how often it was used: of how many, if they are counted. */
export const useCount = (t: ReturnType<typeof useWords>['t'], g: FullGrant) => (g.maxUses ? t('home.uses', { n: g.uses ?? 0, of: g.maxUses }) : t('home.usesFree', { n: g.uses ?? 0 }))

export function Grants({ over }: { over: boolean }) {
  const { t } = useWords()
  const { at, signer, owner, acting, stamp, refresh } = useBox()
  const [pages, setPages] = useState(1)
  const read = useAsk(async () => {
    const g = await grantsOf(owner, over ? 'over' : 'live', pages)
    return { ...g, over, name: await namesOf(g.list.map((x) => x.grantee)) }
  }, [owner, stamp, over, pages])
  const d = read.data?.over === over ? read.data : undefined
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t(acting ? 'act.grants' : 'grants.title')}</h1>
      <nav className="tabs" aria-label={t('grants.which')}>
        <To to="/box/grants" here={!over}>{t('home.given')}</To>
        <To to="/box/grants/over" here={over}>{t('grants.over')}</To>
      </nav>
      {read.error !== undefined && !d && <Trouble error={read.error} again={refresh} />}
      {!d && read.error === undefined && <Wait />}
      {read.error !== undefined && d && <Stale />}
      {d && d.total === 0 && <p className="card second">{t(over ? 'grants.noneOver' : acting ? 'act.noGrants' : 'home.noGrants')}</p>}
      {d && d.total > 0 && (
        <section className="card" aria-labelledby="list">
          <h2 id="list">{t('grants.count', { n: d.total })}</h2>
          {d.list.map((g) => (
            <div className="item" key={g.id}>
              <To to={`/box/grant/${g.id}`} className="tall"><strong>{d.name(g.grantee)}</strong><span className="second">{over ? moment(g.endedMs) : t('home.to', { at: moment(g.notAfterMs) })} · {useCount(t, g)}</span><State g={g} /></To>
              {!over && g.basis !== 'GRANT_BASIS_DUTY' && (!acting || acting.grant) && (
                <SignButton label={t('home.revoke')} className="button danger" make={async () => (await import('./sign')).revoking(at, signer, g.id, acting)} done={refresh} />
              )}
            </div>
          ))}
          {d.more && <button type="button" className="button wide" onClick={() => setPages(pages + 1)}>{t('more')}</button>}
        </section>
      )}
    </main>
  )
}

export function GrantPage({ id }: { id: string }) {
  const { t, language } = useWords()
  const { at, signer, owner, acting, stamp, refresh } = useBox()
  const [pages, setPages] = useState(1)
  const read = useAsk(async () => {
    const { grant: g, use, request } = await grantOf(id)
    const [entry, uses, duties] = await Promise.all([entryOf(g.entry), usesOf(id, pages), dutiesOf(id)])
    const name = await namesOf([g.grantee, g.actor, ...(g.providers ?? []), ...uses.list.map((u) => u.provider), entry?.provider ?? ''])
    return { g, use, request, entry, uses, duties: duties.duties ?? [], name }
  }, [id, stamp, pages])
  const d = read.data
  const back = <To to="/box/grants" className="back">‹ {t('grants.title')}</To>
  if (!d) return <main className="page">{back}<h1>{t('grants.one')}</h1>{read.error !== undefined ? <Trouble error={read.error} again={refresh} /> : <Wait />}</main>
  const { g, use, entry } = d
  const state = word(g.state, 'GRANT_STATE_')
  const mine = g.owner === owner && g.basis !== 'GRANT_BASIS_DUTY' && (!acting || acting.grant)
  const items = (g.itemCodes ?? []).map((c) => entry?.items?.find((i) => i.code === c)?.name ?? c)
  const rows: [string, string][] = [
    [t('grants.given'), moment(g.givenMs)],
    [t('ask.term'), moment(g.notAfterMs)],
    [t('ask.count'), useCount(t, g)],
    [t('grants.mode'), t(`grants.modes.${word(g.mode, 'GRANT_MODE_')}`)],
    [t('ask.kept'), g.dataLifeDays ? t('ask.days', { n: g.dataLifeDays }) : t('ask.notKept')],
    [t('grants.basis'), t(`grants.bases.${word(g.basis, 'GRANT_BASIS_')}`)],
  ]
  if (g.actor && g.actor !== g.owner) rows.push([t('act.givenBy'), g.actor === signer.account ? t('seen.you') : brief(d.name(g.actor))])
  if (g.coolingUntilMs && state === 'cooling') rows.push([t('grants.cooling'), moment(g.coolingUntilMs)])
  if (g.endedMs) rows.push([t('grants.ended'), moment(g.endedMs)])
  if (g.deleteByMs) rows.push([t('grants.deleteBy'), moment(g.deleteByMs)])
  const sign = () => import('./sign')
  return (
    <main className="page">
      {back}
      <h1>{d.name(g.grantee)} <State g={g} /></h1>
      {read.error !== undefined && <Stale />}
      <section className="card"><h2>{t('ask.what')}</h2><p>{use.title}</p>{use.contact && <p className="second">{t('ask.contact', { who: use.contact })}</p>}</section>
      <section className="card"><h2>{t('grants.items')}</h2>
        <p>{items.join('、') || t('grants.confidential')}</p>
        {entry && <p className="second">{entry.name} · {d.name(entry.provider)}</p>}
      </section>
      <section className="card">{rows.map(([k, v]) => <div className="item" key={k}><span>{k}</span><strong>{v}</strong></div>)}{g.endCause && <p className="second">{g.endCause}</p>}</section>
      <section className="card" aria-labelledby="uses"><h2 id="uses">{t('grants.uses', { n: d.uses.total })}</h2>
        {d.uses.list.length === 0 && <p className="second">{t('grants.noUses')}</p>}
        {d.uses.list.map((u) => (
          <div className="item" key={u.number}>
            <div><strong>{t('grants.use', { n: u.number })}</strong><p className="second">{d.name(u.provider)} · {moment(u.atMs)} · {t('seen.height', { n: u.height })}</p></div>
            <span>{t(`grants.outcome.${word(u.outcome, 'GRANT_USE_OUTCOME_')}`)}</span>
          </div>
        ))}
        {d.uses.more && <button type="button" className="button wide" onClick={() => setPages(pages + 1)}>{t('more')}</button>}
        <p className="second">{t('grants.noGaps')}</p>
      </section>
      {d.duties.length > 0 && <section className="card" aria-labelledby="duties"><h2 id="duties">{t('grants.duties', { n: d.duties.length })}</h2>
        {d.duties.map((x) => {
          const s = word(x.state, 'DELETION_DUTY_STATE_')
          return <div className="item" key={x.number}><div><strong>{t('grants.use', { n: x.number })}</strong><p className="second">{t('grants.due', { at: moment(x.untilMs ?? x.dueMs) })}{x.law && ` · ${x.law}`}</p></div><span className={s === 'overdue' || s === 'reported' ? 'bad' : s === 'attested' ? 'good' : ''}>{t(`grants.duty.${s}`)}</span></div>
        })}
      </section>}
      {at.demo && mine && live(g) && <section className="card"><h2>{t('grants.fetch')}</h2><p className="second">{t('grants.fetchHow')}</p><pre className="command">{`mulian share by-grant ${g.id} --gateway ${g.gateway}`}</pre></section>}
      <nav className="speech" aria-label={t('grants.papers')}>
        <To to={`/box/certs/${g.id}`} className="button">{t('certs.receipt')}</To>
        <a className="button" href={`/v/${g.id}?lang=${language === 'zh-CN' ? 'zh' : 'en'}`}>{t('certs.check')}</a>
      </nav>
      {mine && live(g) && <div className="speech">
        {state === 'paused'
          ? <SignButton label={t('grants.resume')} className="button" make={async () => (await sign()).resuming(at, signer, g.id, acting)} done={refresh} />
          : <SignButton label={t('grants.pause')} className="button" make={async () => (await sign()).pausing(at, signer, g.id, acting)} done={refresh} />}
        <SignButton label={t('home.revoke')} className="button danger" make={async () => (await sign()).revoking(at, signer, g.id, acting)} done={refresh} testid="revoke" />
      </div>}
      {mine && live(g) && <p className="second">{t('ask.revoke')}</p>}
      {g.basis === 'GRANT_BASIS_DUTY' && <p className="second">{t('grants.byDuty')}</p>}
    </main>
  )
}
