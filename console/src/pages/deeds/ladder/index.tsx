// Objections and disputes: those of the own organisation, or all.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Dispute, DisputeLevel as L, DisputeState as D, type Objection, ObjectionKind, ObjectionState as O } from '@/gen/mulian/share/v1/life_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { useAuthority } from '../more'
import { disputeTones } from './dispute'
import { objectionTones } from './objection'
import { listWaiting } from './waiting'
import { NAMESPACE, useCalled } from './words'

const MOST = 500
const once = <T extends { id: string }>(list: T[]) => [...new Map(list.map((x) => [x.id, x])).values()]

export default function Ladder() {
  const { t } = useTranslation(NAMESPACE)
  const { signer } = useWho()
  const [address, change] = useAddress({ tab: 'objections' })
  const authority = useAuthority()
  const org = authority ? '' : (signer?.org ?? '') // the authority, and who has no department, sees all
  const objections = useQuery({
    queryKey: ['share/objection/', 'list', org],
    queryFn: async () => {
      const ask = (by: object) => rpc(ShareService).listObjections({ ...by, limit: MOST })
      return once((await Promise.all(org ? [ask({ filedBy: org }), ask({ against: org })] : [ask({})])).flatMap((r) => r.objections)).sort((a, b) => Number(b.createdMs - a.createdMs))
    },
  })
  const disputes = useQuery({
    queryKey: ['share/dispute/', 'list', org],
    queryFn: async () => {
      const ask = (by: object) => rpc(ShareService).listDisputes({ ...by, limit: MOST })
      return once((await Promise.all(org ? [ask({ claimant: org }), ask({ respondent: org })] : [ask({})])).flatMap((r) => r.disputes)).sort((a, b) => Number(b.createdMs - a.createdMs))
    },
  })
  const waiting = useQuery({ queryKey: ['share/objection/', 'waiting', signer?.org], refetchInterval: 60_000, enabled: !!signer?.org, queryFn: () => listWaiting(signer!.org) })
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <p className="second">{t('text')}</p>
      <Tabs activeKey={address.tab} onChange={(tab) => change({ tab })} items={[
        { key: 'objections', label: <>{t('objections')} {objections.data && amount(objections.data.length)}</> },
        ...(signer?.org ? [{ key: 'waiting', label: <>{t('waiting')} {waiting.data && amount(waiting.data.objections.length + waiting.data.disputes.length)}</> }] : []),
        { key: 'disputes', label: <>{t('disputes')} {disputes.data && amount(disputes.data.length)}</> },
      ]} />
      {address.tab === 'waiting' ? <Loaded query={waiting}>{(w) => <Waiting objections={w.objections} disputes={w.disputes} />}</Loaded> : (
      <section className="card" aria-label={t('title')}>
        {address.tab === 'disputes' ? <Loaded query={disputes}>{(rows) => <Disputes rows={rows} />}</Loaded> : <Loaded query={objections}>{(rows) => <Objections rows={rows} />}</Loaded>}
      </section>
      )}
    </>
  )
}

function Waiting({ objections, disputes }: { objections: Objection[]; disputes: Dispute[] }) {
  const { t } = useTranslation(NAMESPACE)
  if (objections.length + disputes.length === 0) return <div className="card"><Empty text={t('noWaiting')} /></div>
  return (
    <>
      {objections.length > 0 && <section className="card" aria-label={t('objections')}><header><h2>{t('objections')}</h2></header><Objections rows={objections} /></section>}
      {disputes.length > 0 && <section className="card" aria-label={t('disputes')}><header><h2>{t('disputes')}</h2></header><Disputes rows={disputes} /></section>}
    </>
  )
}

function Objections({ rows }: { rows: Objection[] }) {
  const { t } = useTranslation(NAMESPACE)
  const navigate = useNavigate()
  const name = useCalled(rows.flatMap((o) => [o.subject, account(o.filedBy), account(o.against)]))
  const columns: Column<Objection>[] = [
    { id: 'what', title: t('col.what'), card: 'title', show: (o) => <span className="two">{name(o.subject)}<small>{o.statement}</small></span> },
    { id: 'kind', title: t('col.kind'), show: (o) => t(`kind.${ObjectionKind[o.kind]}`) },
    { id: 'from', title: t('col.from'), show: (o) => name(account(o.filedBy)) },
    { id: 'against', title: t('col.against'), show: (o) => name(account(o.against)) },
    { id: 'state', title: t('col.state'), sort: (a, b) => a.state - b.state, show: (o) => <State words={t(`objection.${O[o.state]}`)} tone={objectionTones[o.state]} /> },
    { id: 'clock', title: t('col.clock'), card: 'end', show: (o) => (o.state === O.FILED && o.clock ? <Clock dueMs={o.clock.dueMs} totalMs={Number(o.clock.dueMs - o.clock.startedMs)} /> : '—') },
  ]
  return <DataTable caption={t('objections')} columns={columns} rows={rows} rowId={(o) => o.id} onOpen={(o) => void navigate({ to: pathOf(`share/objection/${o.id}`) })} whole empty={<Empty text={t('noObjections')} />} />
}

function Disputes({ rows }: { rows: Dispute[] }) {
  const { t } = useTranslation(NAMESPACE)
  const navigate = useNavigate()
  const name = useCalled(rows.flatMap((d) => [d.subject, account(d.claimant), account(d.respondent)]))
  const columns: Column<Dispute>[] = [
    { id: 'what', title: t('col.what'), card: 'title', show: (d) => <span className="two">{name(d.subject)}<small>{d.statement}</small></span> },
    { id: 'from', title: t('col.from'), show: (d) => name(account(d.claimant)) },
    { id: 'against', title: t('col.against'), show: (d) => name(account(d.respondent)) },
    { id: 'level', title: t('col.level'), sort: (a, b) => a.level - b.level, show: (d) => t(`level.${L[d.level]}`) },
    { id: 'state', title: t('col.state'), sort: (a, b) => a.state - b.state, show: (d) => <State words={t(`dispute.${D[d.state]}`)} tone={disputeTones[d.state]} /> },
    { id: 'clock', title: t('col.clock'), card: 'end', show: (d) => ([D.OPEN, D.DECIDED].includes(d.state) && d.clock ? <Clock dueMs={d.clock.dueMs} totalMs={Number(d.clock.dueMs - d.clock.startedMs)} /> : '—') },
  ]
  return <DataTable caption={t('disputes')} columns={columns} rows={rows} rowId={(d) => d.id} onOpen={(d) => void navigate({ to: pathOf(`share/dispute/${d.id}`) })} whole empty={<Empty text={t('noDisputes')} />} />
}
