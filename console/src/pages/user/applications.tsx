// Home of a data user: what the own organisation has asked others for, by state. Each figure
// is the length of the list that it opens.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Agreement, Request } from '@/gen/mulian/share/v1/share_pb'
import { account, entry, useNames } from '@/chain/names'
import { rare } from '@/chain/rare'
import { amount, date, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { RequestState } from '../inbox/detail'
import { Urge } from '../deeds/urge'
import { AgreementState } from './agreement-state'
import { countView, listAgreements, listRequests, toDo, type View, type ViewId, views } from './ours'

export default function Applications() {
  const { t } = useTranslation('user')
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const navigate = useNavigate()
  const [address, change] = useAddress({ list: 'active' })
  if (!signer?.org) return <><h1>{t('title')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></>
  const view = views.find((v) => v.id === address.list) ?? views.find((v) => v.id === 'active')!
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1><span className="end"><Button type="primary" onClick={() => void navigate({ to: '/catalogue' })}>{t('find')}</Button></span></div>
      <nav className="figures tight" aria-label={t('byState')}>{views.map((v) => <Figure key={v.id} view={v} org={signer.org} here={v.id === view.id} pick={() => change({ list: v.id })} />)}</nav>
      <section className="card" aria-label={t(`view.${view.id}`)}>
        <header><h2>{t(`view.${view.id}`)}</h2><span className="second">{t(`about.${view.id}`)}</span></header>
        {view.requests ? <Requests key={view.id} view={view} org={signer.org} /> : <Agreements key={view.id} view={view} org={signer.org} />}
      </section>
    </>
  )
}

function Figure({ view, org, here, pick }: { view: View; org: string; here: boolean; pick: () => void }) {
  const { t } = useTranslation('user')
  const n = useQuery(countView(org, view)).data
  const mine = toDo.includes(view.id) && (n ?? 0) > 0
  return (
    <Link to="/applications" search={{ list: view.id } as never} className={mine ? 'card figure red' : 'card figure'} aria-current={here ? 'true' : undefined} onClick={(e) => { e.preventDefault(); pick() }} data-list={view.id}>
      <span>{t(`view.${view.id}`)}</span><b>{n === undefined ? '…' : amount(n)}</b>
    </Link>
  )
}

const none = (t: (k: string) => string, id: ViewId) => <Empty text={t(`empty.${id}`)} action={id === 'active' || id === 'received' ? <Link to="/catalogue">{t('toCatalogue')}</Link> : undefined} />

function Requests({ view, org }: { view: View; org: string }) {
  const { t } = useTranslation('user')
  const { t: inbox } = useTranslation('inbox')
  const navigate = useNavigate()
  const list = useQuery(listRequests(org, view.requests!))
  const rows = list.data?.requests.toSorted((a, b) => Number(b.createdMs - a.createdMs))
  const name = useNames((rows ?? []).flatMap((r) => [account(r.provider), ...r.terms!.parts.map((p) => entry(p.entry))]))
  const columns: Column<Request>[] = [
    { id: 'what', title: inbox('col.what'), card: 'title', show: (r) => <span className="two">{r.terms!.parts.map((p) => name(entry(p.entry))).join('、')}<small>{rare(r.terms!.purpose)}</small></span> },
    { id: 'provider', title: inbox('col.provider'), sort: (a, b) => a.provider.localeCompare(b.provider), show: (r) => name(account(r.provider)) },
    { id: 'state', title: inbox('col.state'), show: (r) => <RequestState request={r} /> },
    view.id === 'refused'
      ? { id: 'why', title: t('why'), show: (r) => r.reason || '—' }
      : { id: 'clock', title: inbox('col.clock'), card: 'end', act: (r) => <Urge request={r} />, sort: (a, b) => Number((a.clock?.dueMs ?? 0n) - (b.clock?.dueMs ?? 0n)), show: (r) => <Clock dueMs={r.clock?.dueMs} stopped={!!r.clock?.stoppedMs} totalMs={Number((r.clock?.dueMs ?? 0n) - (r.clock?.startedMs ?? 0n))} /> },
    { id: 'filed', title: inbox('col.filed'), sort: (a, b) => Number(a.createdMs - b.createdMs), show: (r) => <span className="nowrap">{moment(r.createdMs)}</span> },
  ]
  if (list.isError) return <Loaded query={list}>{() => null}</Loaded>
  return <DataTable caption={t(`view.${view.id}`)} columns={columns} rows={rows} rowId={(r) => r.id} onOpen={(r) => void navigate({ to: `/request/${r.id}` })} total={Number(list.data?.total ?? 0)} empty={none(t, view.id)} />
}

function Agreements({ view, org }: { view: View; org: string }) {
  const { t } = useTranslation('user')
  const { t: inbox } = useTranslation('inbox')
  const navigate = useNavigate()
  const list = useQuery(listAgreements(org, view.agreements!))
  const rows = list.data?.agreements.toSorted((a, b) => Number(b.startsMs - a.startsMs))
  const name = useNames((rows ?? []).flatMap((a) => [account(a.provider), ...a.terms!.parts.map((p) => entry(p.entry))]))
  const columns: Column<Agreement>[] = [
    { id: 'what', title: inbox('col.what'), card: 'title', show: (a) => <span className="two">{a.terms!.parts.map((p) => name(entry(p.entry))).join('、')}<small>{rare(a.terms!.purpose)}</small></span> },
    { id: 'provider', title: inbox('col.provider'), sort: (a, b) => a.provider.localeCompare(b.provider), show: (a) => name(account(a.provider)) },
    { id: 'state', title: inbox('col.state'), show: (a) => <AgreementState agreement={a} /> },
    { id: 'deliveries', title: t('deliveries'), number: true, sort: (a, b) => Number(a.deliveries - b.deliveries), show: (a) => t('nDeliveries', { n: amount(a.deliveries) }) },
    { id: 'uses', title: t('uses'), number: true, sort: (a, b) => Number(a.uses - b.uses), show: (a) => t('nUses', { n: amount(a.uses) }) },
    { id: 'ends', title: t('ends'), card: 'end', sort: (a, b) => Number(a.endsMs - b.endsMs), show: (a) => date(a.endsMs) },
  ]
  if (list.isError) return <Loaded query={list}>{() => null}</Loaded>
  return <DataTable caption={t(`view.${view.id}`)} columns={columns} rows={rows} rowId={(a) => a.id} onOpen={(a) => void navigate({ to: `/agreement/${a.id}` })} total={Number(list.data?.total ?? 0)} empty={none(t, view.id)} />
}
