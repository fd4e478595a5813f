// Home: what waits for a decision, what is given now, who has looked.
import { useState } from 'react'
import { hex } from '@/chain/bytes'
import { useWords } from '../words-box'
import { asks, type DataRequest, grants, type Grant, heldBy, names, notified, unbase64 } from './api'
import { To, useBox } from './box'
import { Speech } from './me'
import { moment, Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'

/** cases are requests by the case that they are of: one decision each (docs/decisions/0065). */
function cases(all: DataRequest[]): DataRequest[][] {
  const by = new Map<string, DataRequest[]>()
  for (const r of all) {
    const key = r.businessReference ? `${r.org} ${r.businessReference}` : r.id
    by.set(key, [...(by.get(key) ?? []), r])
  }
  return [...by.values()]
}

export function Home() {
  const { t } = useWords()
  const { owner, acting, stamp, refresh } = useBox()
  const read = useAsk(async () => {
    const [a, g, n, h] = await Promise.all([asks(owner), grants(owner), notified(owner), heldBy(owner)])
    const orgs = [...new Set([...(a.requests ?? []).map((r) => r.org), ...(g.grants ?? []).map((x) => x.grantee)])]
    const uses = [...new Set([...(a.requests ?? []), ...(g.grants ?? [])].map((x) => x.use))]
    return { asks: a.requests ?? [], grants: g.grants ?? [], told: Number(n.count ?? 0), held: Number(h.total ?? 0), names: await names([...orgs.map((o) => `identity/account/${o}`), ...uses.map((u) => `grant/register/${u}`)]) }
  }, [owner, stamp])
  const d = read.data
  const waiting = cases(d?.asks ?? [])
  const name = (org: string) => d?.names[`identity/account/${org}`] ?? org
  const what = (use: string) => d?.names[`grant/register/${use}`]
  return (
    <>
      <header className="hero"><div className="row"><h1>{t(acting ? 'act.title' : 'title')}</h1>{!acting && <To to="/box/me" className="me">{t('me.title')}</To>}</div><p>{t(acting ? 'act.lead' : 'home.lead', { n: d?.grants.length ?? 0 })}</p></header>
      <main className="page lifted">
        <nav className="card three" aria-label={t('home.nav')}>
          <To to="/box/scan"><Icon d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M3 12h18" />{t('home.scan')}</To>
          {!acting && <To to="/box/give"><Icon d="M20 9H4l5-5M4 15h16l-5 5" />{t('home.give')}</To>}
          <To to="/box/seen"><Icon d="M4 5h16v14H4zM8 10h8M8 14h5" />{t(acting ? 'act.seen' : 'home.seen')}{d ? ` ${d.told}` : ''}</To>
        </nav>
        {read.error !== undefined && !d && <Trouble error={read.error} again={refresh} />}
        {!d && read.error === undefined && <Wait />}
        {d && <section className="card" aria-labelledby="waiting">
          <h2 id="waiting">{t(acting ? 'act.waiting' : 'home.waiting')} <span className={waiting.length ? 'bad' : 'second'}>{waiting.length}</span></h2>
          {waiting.length === 0 && <p className="second">{t('home.nothing')}</p>}
          {waiting.map((of) => {
            const r = of[0]!
            const end = String(Math.min(...of.map((x) => Number(x.notAfterMs))))
            return (
              <div className="item" key={r.id}>
                <div><strong>{name(r.org)}</strong><p>{of.length > 1 ? t('home.case', { n: of.length }) : what(r.use)}</p><p className="second">{t('home.until', { at: moment(end) })}</p></div>
                <To to={of.length > 1 ? `/box/case/${hex(unbase64(r.businessReference))}` : `/box/ask/${r.id}`} className="button first">{t('home.look')}</To>
              </div>
            )
          })}
        </section>}
        <nav className="card" aria-label={t('home.more')}>
          {!acting && <To to="/box/data" className="item"><strong>{t('home.mine')}{d ? ` ${d.held}` : ''}</strong><span aria-hidden>›</span></To>}
          <To to="/box/certs" className="item"><strong>{t('certs.title')}</strong><span aria-hidden>›</span></To>
        </nav>
        {d && <section className="card" aria-labelledby="given">
          <h2 id="given"><To to="/box/grants">{t('home.given')} {d.grants.length}</To></h2>
          {d.grants.length === 0 && <p className="second">{t(acting ? 'act.noGrants' : 'home.noGrants')}</p>}
          {d.grants.map((g) => <Given key={g.id} grant={g} name={name(g.grantee)} what={what(g.use)} />)}
        </section>}
        <Speech />
      </main>
    </>
  )
}

function Given({ grant, name, what }: { grant: Grant; name: string; what?: string }) {
  const { t } = useWords()
  const { at, signer, acting, refresh } = useBox()
  const [done, setDone] = useState(false)
  const uses = grant.maxUses ? t('home.uses', { n: grant.uses ?? 0, of: grant.maxUses }) : t('home.usesFree', { n: grant.uses ?? 0 })
  return (
    <div className="item">
      <div><To to={`/box/grant/${grant.id}`}><strong>{name}</strong></To><p>{what}</p><p className="second">{t('home.to', { at: moment(grant.notAfterMs) })} · {uses}</p></div>
      {grant.basis !== 'GRANT_BASIS_DUTY' && !done && (!acting || acting.grant) && (
        <SignButton label={t('home.revoke')} className="button danger" make={async () => (await import('./sign')).revoking(at, signer, grant.id, acting)} done={() => { setDone(true); refresh() }} />
      )}
    </div>
  )
}

function Icon({ d }: { d: string }) {
  return <svg viewBox="0 0 24 24" width="28" height="28" aria-hidden fill="none" stroke="currentColor" strokeWidth="1.6"><path d={d} /></svg>
}
