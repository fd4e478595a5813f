// Who has looked: everything that the ledger has told this owner, newest first.
import { useWords } from '../words-box'
import { names, notified } from './api'
import { To, useBox } from './box'
import { moment, Trouble, useAsk, Wait } from './parts'

export function Seen() {
  const { t } = useWords()
  const { signer, owner, stamp } = useBox()
  const read = useAsk(async () => {
    const n = (await notified(owner)).notifications ?? []
    return { n: n.reverse(), who: await names([...new Set(n.flatMap((x) => (x.event.actor ? [`identity/account/${x.event.actor}`] : [])))]) }
  }, [owner, stamp])
  // Where a request or a grant has a page of its own, its line opens it.
  const page = (objects: string[] = []) => {
    for (const o of objects) {
      if (o.startsWith('grant/grant/')) return `/box/grant/${o.slice('grant/grant/'.length)}`
      if (o.startsWith('grant/request/')) return `/box/ask/${o.slice('grant/request/'.length)}`
    }
    return undefined
  }
  // "You agreed" is said to the owner, of what he did himself.
  const verb = (v: string, actor?: string) => {
    const tone = [...(actor && actor !== owner ? ['agent'] : []), ...(owner !== signer.account ? ['holder'] : []), 'verb']
    const said = tone.map((k) => `seen.${k}.${v.replace('/', '_')}`).map((k) => [k, t(k)]).find(([k, w]) => w !== k)
    return said?.[1] ?? v
  }
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t(owner === signer.account ? 'home.seen' : 'act.seen')}</h1>
      {read.error !== undefined && !read.data && <Trouble error={read.error} />}
      {!read.data && read.error === undefined && <Wait />}
      {read.data?.n.length === 0 && <p className="card second">{t('seen.none')}</p>}
      {!!read.data?.n.length && <ol className="card line">{read.data.n.map((x) => (
        <li key={x.number}>{page(x.event.objects) ? <To to={page(x.event.objects)!} className="tall"><strong>{verb(x.event.verb, x.event.actor)} ›</strong></To> : <strong>{verb(x.event.verb, x.event.actor)}</strong>}<p className="second">{x.event.actor === signer.account ? t('seen.you') : x.event.actor ? read.data!.who[`identity/account/${x.event.actor}`] : t('seen.clock')} · {moment(x.event.timeMs)} · {t('seen.height', { n: x.event.height })}</p></li>
      ))}</ol>}
    </main>
  )
}
