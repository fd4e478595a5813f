// Requests to persons and firms: who was asked, who has answered.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button, Tabs } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type DataRequest, DataRequestState as S } from '@/gen/mulian/grant/v1/grant_pb'
import { short } from '@/chain/bytes'
import { amount, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { AskOwner } from './ask-owner'
import { byPage, listAsked, lists, listUses } from './owners'

const tones: Record<S, 'blue' | 'green' | 'red' | 'grey'> = { [S.UNSPECIFIED]: 'grey', [S.REQUESTED]: 'blue', [S.GRANTED]: 'green', [S.DECLINED]: 'red', [S.EXPIRED]: 'grey', [S.WITHDRAWN]: 'grey' }

export function AskedState({ request }: { request: DataRequest }) {
  const { t } = useTranslation('user')
  return <State words={t(`asked.${S[request.state]}`)} tone={tones[request.state]} />
}

export default function Asks() {
  const { t } = useTranslation('user')
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const navigate = useNavigate()
  const [address, change] = useAddress({ list: 'open' })
  const [open, setOpen] = useState(false)
  const org = signer?.org ?? ''
  const uses = useQuery({ ...listUses(org), enabled: org !== '' })
  if (!org) return <><h1>{t('asks')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></>
  const list = lists.find((l) => l.id === address.list) ?? lists[0]!
  const can = (uses.data?.uses ?? []).filter(byPage)
  return (
    <>
      <div className="titles"><h1>{t('asks')}</h1><span className="end">{can.length > 0 && <Button type="primary" onClick={() => setOpen(true)} data-testid="ask">{t('ask')}</Button>}</span></div>
      {uses.data && can.length === 0 && <p className="note">{t('noUse')} <code>mulian grant register-use LOCAL-ID ENTRY --as {org}</code></p>}
      <Tabs activeKey={list.id} onChange={(k) => change({ list: k })} items={lists.map((l) => ({ key: l.id, label: <Label org={org} id={l.id} states={l.states} /> }))} />
      <List key={list.id} org={org} states={list.states} title={t(`list.${list.id}`)} empty={t(`noAsked.${list.id}`)} of={(id) => uses.data?.uses.find((u) => u.id === id)?.title ?? id} />
      {open && <AskOwner org={org} uses={can} close={(id) => { setOpen(false); if (id) void navigate({ to: `/datarequest/${id}` }) }} />}
    </>
  )
}

function Label({ org, id, states }: { org: string; id: string; states: S[] }) {
  const { t } = useTranslation('user')
  const n = useQuery(listAsked(org, states)).data?.total
  return <>{t(`list.${id}`)} {n !== undefined && amount(n)}</>
}

function List({ org, states, title, empty, of }: { org: string; states: S[]; title: string; empty: string; of: (use: string) => string }) {
  const { t } = useTranslation('user')
  const { t: inbox } = useTranslation('inbox')
  const navigate = useNavigate()
  const query = useQuery(listAsked(org, states))
  const columns: Column<DataRequest>[] = [
    { id: 'use', title: t('useOf'), card: 'title', show: (r) => <span className="two">{of(r.use)}<small className="mono">{short(r.id)}</small></span> },
    { id: 'owner', title: t('owner'), show: (r) => (r.owner ? <code>{short(r.owner)}</code> : t('whoScans')) },
    { id: 'state', title: inbox('col.state'), show: (r) => <AskedState request={r} /> },
    { id: 'clock', title: inbox('col.clock'), card: 'end', show: (r) => (r.state === S.REQUESTED ? <Clock dueMs={r.notAfterMs} /> : moment(r.decidedMs)) },
    { id: 'filed', title: t('askedAt'), sort: (a, b) => Number(a.createdMs - b.createdMs), show: (r) => <span className="nowrap">{moment(r.createdMs)}</span> },
  ]
  return (
    <section className="card" aria-label={title}>
      <Loaded query={query}>{(d) => <DataTable caption={title} columns={columns} rows={d.requests.toSorted((a, b) => Number(b.createdMs - a.createdMs))} rowId={(r) => r.id} onOpen={(r) => void navigate({ to: `/datarequest/${r.id}` })} total={Number(d.total)} empty={<Empty text={empty} />} />}</Loaded>
    </section>
  )
}
