// The steward's inbox: requests that wait for an answer, most urgent first, each with what
// an officer has to know beside the list. A authorises, R returns; both sign.
import { useQueries, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Tabs } from 'antd'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { Request } from '@/gen/mulian/share/v1/share_pb'
import { account, entry, useNames } from '@/chain/names'
import { rare } from '@/chain/rare'
import { amount, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { Urge } from '../deeds/urge'
import { Answer, RequestDetail, RequestState as Pill } from './detail'
import { type Box, countRequests, getEntry, judge, listRequests } from './requests'

const boxes: Box[] = ['waiting', 'mine', 'done']

export default function Inbox() {
  const { t } = useTranslation('inbox')
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const [address, change] = useAddress({ box: 'waiting', id: '' })
  const box = (boxes.includes(address.box as Box) ? address.box : 'waiting') as Box
  if (!signer?.org) return <><h1>{t('title')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></>
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <Tabs
        activeKey={box} onChange={(k) => change({ box: k, id: '' })}
        items={boxes.map((b) => ({ key: b, label: <TabLabel box={b} org={signer.org} /> }))}
      />
      <Split key={box} box={box} org={signer.org} id={address.id} pick={(id) => change({ id })} />
    </>
  )
}

function TabLabel({ box, org }: { box: Box; org: string }) {
  const { t } = useTranslation('inbox')
  const n = useQuery(countRequests(box, org))
  return <>{t(`box.${box}`)} {n.data !== undefined && amount(n.data)}</>
}

/** urged is when somebody last urged an answer: such requests stand on top, the newest first. */
const urged = (r: Request) => Number(r.urgings.at(-1)?.atMs ?? 0)
const clock = (r: Request) => <Clock dueMs={r.clock?.dueMs} stopped={!!r.clock?.stoppedMs} totalMs={Number((r.clock?.dueMs ?? 0n) - (r.clock?.startedMs ?? 0n))} />
const due = (r: Request) => Number(r.clock?.dueMs ?? 0) || Infinity

function Split({ box, org, id, pick }: { box: Box; org: string; id: string; pick: (id: string) => void }) {
  const { t } = useTranslation('inbox')
  const list = useQuery(listRequests(box, org))
  const rows = useMemo(() => {
    const all = [...(list.data?.requests ?? [])]
    return box === 'waiting' ? all.sort((a, b) => urged(b) - urged(a) || due(a) - due(b)) : all.sort((a, b) => Number(b.createdMs - a.createdMs))
  }, [list.data, box])
  const chosen = rows.find((r) => r.id === id) ?? rows[0]
  const name = useNames(rows.flatMap((r) => [account(r.requester), account(r.provider), ...(r.terms?.parts ?? []).map((p) => entry(p.entry))]))
  const entries = (r: Request) => (r.terms?.parts ?? []).map((p) => name(entry(p.entry))).join('、')
  const columns: Column<Request>[] = [
    { id: 'what', title: t('col.what'), card: 'title', show: (r) => <span className="two">{rare(r.terms?.matter || r.terms?.purpose || '')} · {entries(r)}<small className="mono">{r.id}</small></span> },
    { id: 'who', title: t(box === 'mine' ? 'col.provider' : 'col.requester'), sort: (a, b) => a.requester.localeCompare(b.requester), show: (r) => name(account(box === 'mine' ? r.provider : r.requester)) },
    { id: 'state', title: t('col.state'), show: (r) => <span className="two"><Pill request={r} />{r.urgings.length > 0 && box !== 'done' && <small>{t('urged', { at: moment(r.urgings.at(-1)!.atMs) })}</small>}</span> },
    box === 'waiting'
      ? { id: 'clock', title: t('col.clock'), card: 'end', sort: (a, b) => due(a) - due(b), show: clock }
      : box === 'mine' ? { id: 'clock', title: t('col.clock'), card: 'end', act: (r) => <Urge request={r} />, sort: (a, b) => due(a) - due(b), show: (r) => (r.decidedMs ? moment(r.decidedMs) : clock(r)) }
      : { id: 'decided', title: t('col.decided'), card: 'end', sort: (a, b) => Number(a.decidedMs - b.decidedMs), show: (r) => moment(r.decidedMs) },
    { id: 'filed', title: t('col.filed'), sort: (a, b) => Number(a.createdMs - b.createdMs), show: (r) => <span className="nowrap">{moment(r.createdMs)}</span> },
  ]
  if (list.isError) return <div className="card"><Loaded query={list}>{() => null}</Loaded></div>
  return (
    <div className="split">
      <section className="card" aria-label={t(`box.${box}`)}>
        {box === 'waiting' && <Bulk rows={rows} />}
        <DataTable
          caption={t(`box.${box}`)} columns={columns} rows={list.data && rows} rowId={(r) => r.id} selected={chosen?.id} onSelect={(r) => pick(r.id)}
          total={Number(list.data?.total ?? 0)} empty={<Empty text={t(`empty.${box}`)} />}
        />
      </section>
      {chosen && (
        <section className="card" aria-label={t('detail')}>
          <header>
            <h2><Link to={`/request/${chosen.id}`}>{chosen.terms?.matter || chosen.terms?.purpose}</Link></h2>
            <span className="end">{box === 'waiting' && clock(chosen)}</span>
          </header>
          <div className="body"><RequestDetail request={chosen} />{box === 'waiting' && <Answer key={chosen.id} request={chosen} keys />}</div>
        </section>
      )}
    </div>
  )
}

/** Bulk signs once for all requests whose checks hold. */
function Bulk({ rows }: { rows: Request[] }) {
  const { t } = useTranslation('inbox')
  const sign = useSign()
  const ids = [...new Set(rows.flatMap((r) => (r.terms?.parts ?? []).map((p) => p.entry)))]
  const entries = useQueries({ queries: ids.map(getEntry) })
  const of = (id: string) => entries[ids.indexOf(id)]?.data?.entry
  const passed = rows.filter((r) => !r.clock?.stoppedMs && judge(r, (r.terms?.parts ?? []).map((p) => of(p.entry)))?.every((c) => c.holds))
  const act = () => void sign({ title: t('bulk', { n: passed.length }), acts: passed.slice(0, 50).map((r) => ({ case: 'answer' as const, value: { request: r.id, accept: true } })) })
  if (passed.length < 2) return null
  return <header><span className="second">{t('bulkText', { n: passed.length })}</span><span className="end"><Button onClick={act}>{t('bulk', { n: Math.min(50, passed.length) })}</Button></span></header>
}
