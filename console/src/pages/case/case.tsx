// A case: its lanes, one for each source, as the ledger has them. Who waits for whom, since when;
// a lane that was declined or is late is asked again alone; at the end, the receipts.
import { useQueries, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type DataRequest, DataRequestState as S, DeclineCause, type Grant, GrantUseOutcome as O, GrantState as G } from '@/gen/mulian/grant/v1/grant_pb'
import { type FindUsageResponse, type GetDataRequestResponse, GrantService } from '@/gen/mulian/grant/v1/query_pb'
import { random } from '@/chain/bytes'
import { now } from '@/chain/live'
import { account, entry as entryKey, useNames } from '@/chain/names'
import { pathOf, pathOfTrace } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact, lasting, moment } from '@/chain/words'
import { Clock, useTick } from '@/parts/clock'
import { Command } from '@/parts/command'
import { State } from '@/parts/object'
import { QR } from '@/parts/qr'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { asked } from '../user/owners'
import { keptCases, type LaneState, lanesOf, latest, type Opening, stateOf } from './cases'
import { Counter } from './kiosk'

const MINUTE_MS = 60_000
const tones: Record<LaneState, 'blue' | 'green' | 'amber' | 'red' | 'grey'> = { waits: 'blue', consented: 'blue', fetched: 'green', empty: 'amber', declined: 'red', late: 'red', ended: 'grey' }
const REFERENCE = /^[0-9a-f]{64}$/

interface Lane { request: DataRequest; earlier: DataRequest[]; read?: GetDataRequestResponse; grant?: Grant; uses?: FindUsageResponse; state: LaneState }

export default function CasePage() {
  const { t } = useTranslation('case')
  const { t: shell } = useTranslation('shell')
  const { reference = '' } = useParams({ strict: false }) as { reference?: string }
  const { signer } = useWho()
  const org = signer?.org ?? ''
  const good = REFERENCE.test(reference)
  const query = useQuery({ ...lanesOf(org, good ? reference : ''), enabled: org !== '' && good })
  const none = (text: string) => <><h1>{t('case')}</h1><div className="card"><Empty text={text} action={<Link to="/matters">{t('matters')}</Link>} /></div></>
  if (!good) return <Counter>{none(t('badReference'))}</Counter>
  if (!org) return <Counter><h1>{t('case')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></Counter>
  return <Counter><Loaded query={query}>{(d) => (d.requests.length === 0 ? none(t('noLane')) : <Page org={org} reference={reference} requests={d.requests} />)}</Loaded></Counter>
}

function Page({ org, reference, requests }: { org: string; reference: string; requests: DataRequest[] }) {
  const { t, i18n } = useTranslation('case')
  const [address, change] = useAddress({ show: 'all' })
  const at = useTick(5000)
  const kept = useQuery(keptCases(org)).data?.find((k) => k.reference === reference)
  const current = latest(requests)
  const reads = useQueries({ queries: current.map((r) => asked(r.id, i18n.language)) })
  const grants = useQueries({ queries: current.map((r) => ({ queryKey: [`grant/grant/${r.grant}`, 'one'], enabled: r.grant !== '', queryFn: () => rpc(GrantService).getGrant({ id: r.grant }) })) })
  const uses = useQueries({ queries: current.map((r) => ({ queryKey: [`grant/grant/${r.grant}`, 'uses'], enabled: r.grant !== '', queryFn: () => rpc(GrantService).findUsage({ grant: r.grant, limit: 200 }) })) })
  const lanes: Lane[] = current.map((request, i) => ({
    request, read: reads[i]?.data, grant: grants[i]?.data?.grant, uses: uses[i]?.data, earlier: requests.filter((r) => r.use === request.use && r.id !== request.id),
    state: stateOf(request, at, grants[i]?.data?.grant, uses[i]?.data?.uses),
  }))
  const groups: Record<string, (l: Lane) => boolean> = {
    all: () => true, waits: (l) => l.state === 'waits', consented: (l) => l.request.state === S.GRANTED, fetched: (l) => l.state === 'fetched', trouble: (l) => ['declined', 'late', 'empty', 'ended'].includes(l.state),
  }
  const shown = lanes.filter(groups[address.show] ?? groups.all!)
  const done = lanes.filter(groups.fetched!).length
  const open = lanes.some(groups.waits!)
  return (
    <>
      <div className="titles"><h1>{kept?.name ?? t('case')}</h1><State words={t('doneOf', { n: done, of: lanes.length })} tone={done === lanes.length ? 'green' : 'blue'} /><span className="end"><Link to="/matters">{t('matters')}</Link></span></div>
      <p className="second">{kept ? <>{t('number')} <code>{kept.number}</code> · </> : <>{t('notHere')} · </>}{t('applicant')} <code>{requests[0]!.owner}</code></p>
      <div className="progress" role="progressbar" aria-label={t('progress')} aria-valuemin={0} aria-valuemax={lanes.length} aria-valuenow={done}><i style={{ width: `${(100 * done) / lanes.length}%` }} /></div>
      <nav className="figures tight" aria-label={t('progress')}>
        {Object.entries(groups).map(([k, of]) => <button key={k} type="button" className={`card figure${k === 'trouble' && lanes.some(of) ? ' red' : ''}`} style={{ font: 'inherit', textAlign: 'left', cursor: 'pointer' }} aria-current={address.show === k} onClick={() => change({ show: k })}><span>{t(`group.${k}`)}</span><b>{amount(lanes.filter(of).length)}</b></button>)}
      </nav>
      {open && <Scan reference={reference} />}
      {kept && kept.paper.length > 0 && <p className="note amber">{t('paper', { inputs: kept.paper.join('、') })}</p>}
      {shown.length === 0 ? <div className="card"><Empty text={t('noneHere')} /></div> : <ul className="lanes" aria-label={t('lanes')} aria-live="polite">{shown.map((l) => <li key={l.request.use} className="card lane" data-lane={l.state}><OneLane lane={l} /></li>)}</ul>}
      {lanes.some((l) => l.request.state === S.GRANTED) && <Receipts lanes={lanes} />}
      {kept && <Slip kept={kept} requests={requests} />}
    </>
  )
}

function Scan({ reference }: { reference: string }) {
  const { t } = useTranslation('case')
  const link = `${location.origin}/box/case/${reference}`
  return (
    <section className="card noprint" aria-label={t('scan')}><div className="body scan">
      <QR text={link} label={t('scan')} size={180} />
      <div className="sheet"><h2>{t('scan')}</h2><p>{t('scanCase')}</p><Command text={link} /></div>
    </div></section>
  )
}

function OneLane({ lane: { request: r, earlier, read, grant, uses, state } }: { lane: Lane }) {
  const { t } = useTranslation('case')
  const sign = useSign()
  const id = read?.use?.entry ?? ''
  const provider = id.split(':')[0] ?? ''
  const name = useNames([entryKey(id), account(provider)])
  const last = uses?.uses.at(-1)
  const again = () => {
    const at = now()
    const life = r.notAfterMs - r.createdMs
    void sign({ title: t('again'), acts: [{ case: 'requestData', value: { request: {
      use: r.use, owner: r.owner, items: r.items, optionalItems: r.optionalItems, toMs: BigInt(at) + (r.toMs - r.createdMs) - BigInt(MINUTE_MS), maxUses: r.maxUses, minIntervalSeconds: r.minIntervalSeconds, dataLifeDays: r.dataLifeDays,
      businessReference: r.businessReference, noticeHash: r.noticeHash, gateway: r.gateway, recipientKey: r.recipientKey, nonce: random(16), notAfterMs: BigInt(at) + life,
    } } }] })
  }
  const refused = state === 'declined' || state === 'late'
  const steps: { id: string; at: bigint; bad?: boolean; words: string }[] = [
    { id: 'asked', at: r.createdMs, words: t('step.asked') },
    { id: 'answered', at: r.decidedMs, bad: refused, words: t(refused ? `step.${state}` : 'step.consented') },
    { id: 'released', at: last?.closedMs || last?.atMs || 0n, bad: last?.outcome === O.FAILED || last?.outcome === O.EMPTY, words: t(last?.outcome === O.EMPTY ? 'step.empty' : last?.outcome === O.FAILED ? 'step.failed' : 'step.released') },
    { id: 'ended', at: grant?.endedMs ?? 0n, words: t('step.ended') },
  ]
  const next = steps.findIndex((s) => !s.at)
  return (
    <>
      <header><h2>{name(account(provider)) || provider}</h2><State words={t(`state.${state}`)} tone={tones[state]} /><span className="end"><Link to={`/datarequest/${r.id}`}>{t('request')}</Link></span></header>
      <div className="body sheet">
        <p className="second">{id ? <Link to={pathOf(entryKey(id))}>{name(entryKey(id))}</Link> : '…'} · {read?.items.join('、')}</p>
        <ol className="steps">{steps.map((s, i) => <li key={s.id} className={s.bad ? 'bad' : s.at ? 'done' : i === next && !refused ? 'now' : undefined}><b>{i + 1}</b><span>{s.words}<small>{s.at ? exact(s.at) : '—'}</small></span></li>)}</ol>
        <p className="waits">
          {state === 'waits' && <><Waiting since={r.createdMs} on={t('on.applicant')} /><Clock dueMs={r.notAfterMs} /></>}
          {state === 'consented' && <><Waiting since={r.decidedMs} on={t('on.gateway')} />{grant && <Clock dueMs={grant.notAfterMs} totalMs={Number(grant.notAfterMs - grant.notBeforeMs)} />}<span className="second">{t(grant?.state === G.COOLING ? 'cooling' : 'fetchNow')}</span></>}
          {state === 'declined' && <span className="note red">{t(r.cause === DeclineCause.NOT_ME ? 'notMe' : r.state === S.WITHDRAWN ? 'withdrawn' : 'refused', { at: moment(r.decidedMs) })}</span>}
          {state === 'late' && <span className="note red">{t('lateText', { at: moment(r.notAfterMs) })}</span>}
          {state === 'empty' && <span className="note amber">{t('emptyText')}</span>}
          {refused && <Button type="primary" onClick={again} data-testid="again">{t('again')}</Button>}
          {grant && <Link to={`/grant/${grant.id}`} className="pill">{t('grant')}</Link>}
        </p>
        {earlier.length > 0 && <details><summary>{t('earlier', { n: earlier.length })}</summary><ul className="checks">{earlier.map((e) => <li key={e.id}><Link to={`/datarequest/${e.id}`}>{moment(e.createdMs)}</Link> <code>{e.id.slice(0, 8)}</code></li>)}</ul></details>}
      </div>
    </>
  )
}

function Waiting({ since, on }: { since: bigint; on: string }) {
  const { t } = useTranslation('case')
  const { t: shell } = useTranslation('shell')
  const l = lasting(useTick(1000) - Number(since))
  return <span className="pill amber">{t('waitsFor', { on, time: shell(`clock.${l.unit}`, { n: l.n, rest: l.rest ?? 0 }) })}</span>
}

function Receipts({ lanes }: { lanes: Lane[] }) {
  const { t, i18n } = useTranslation('case')
  const given = lanes.filter((l) => l.request.grant !== '')
  const receipts = useQueries({ queries: given.map((l) => ({ queryKey: [`grant/grant/${l.request.grant}`, 'receipt', i18n.language], queryFn: () => rpc(GrantService).getReceipt({ grant: l.request.grant, language: i18n.language.slice(0, 2) }) })) })
  return (
    <section className="card" aria-labelledby="receipts">
      <header><h2 id="receipts">{t('receipts')} {amount(given.reduce((n, l) => n + 1 + (l.uses?.uses.length ?? 0), 0))}</h2></header>
      <div className="body"><ul className="line">
        {given.flatMap((l, i) => [
          <li key={l.request.grant}>{t('receipt.owner')} · {l.read?.use?.title} <code>{receipts[i]?.data?.receipt?.id.slice(0, 16)}</code><small>{moment(l.request.decidedMs)} · <Link to={pathOfTrace(`grant/grant/${l.request.grant}`)}>{t('proof')}</Link> · <a href={`/v/${l.request.grant}`}>{t('publicPage')}</a></small></li>,
          ...(l.uses?.uses ?? []).map((u) => <li key={`${u.grant}/${u.number}`}>{t('receipt.provider')} · <code>{u.provider}</code> · {t(`outcome.${O[u.outcome]}`)}<small>{exact(u.atMs)} · <Link to={pathOfTrace(`grant/use/${u.grant}/${String(u.number).padStart(10, '0')}`)}>{t('proof')}</Link></small></li>),
        ])}
      </ul><p className="second">{t('receiptText')}</p></div>
    </section>
  )
}

/** Slip is what goes into the file: the number, and the salt that opens the reference on the ledger. */
function Slip({ kept, requests }: { kept: Opening; requests: DataRequest[] }) {
  const { t } = useTranslation('case')
  return (
    <section className="card" aria-labelledby="slip">
      <header><h2 id="slip">{t('slip')}</h2><span className="end noprint"><Button onClick={() => print()}>{t('print')}</Button></span></header>
      <div className="body sheet"><p className="second">{t('slipText')}</p>
        <Command text={JSON.stringify({ business: kept.number, business_salt: kept.salt, business_reference: kept.reference, requests: requests.map((r) => r.id) }, null, 2)} />
      </div>
    </section>
  )
}
