// The clerk's first page: what people come for, and the cases that run.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Input } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Matter } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { DataRequestState as S } from '@/gen/mulian/grant/v1/grant_pb'
import { short } from '@/chain/bytes'
import { amount, moment } from '@/chain/words'
import { State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { askedOf, type Case, casesOf, keptCases, listMatters } from './cases'
import { Counter } from './kiosk'

export default function Matters() {
  const { t } = useTranslation('case')
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const org = signer?.org ?? ''
  return (
    <Counter>
      <div className="titles"><h1>{t('matters')}</h1></div>
      {org ? <><List org={org} /><Cases org={org} /></> : <div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div>}
    </Counter>
  )
}

function List({ org }: { org: string }) {
  const { t } = useTranslation('case')
  const navigate = useNavigate()
  const [address, change] = useAddress({ text: '' })
  const query = useQuery(listMatters(org, address.text))
  const columns: Column<Matter>[] = [
    { id: 'name', title: t('matter'), card: 'title', show: (m) => <span className="two">{m.name}<small>{m.category}</small></span> },
    { id: 'code', title: t('code'), show: (m) => <code>{m.code}</code> },
    { id: 'inputs', title: t('inputs'), number: true, show: (m) => t('nInputs', { n: m.inputs.length }) },
    { id: 'go', title: t('do'), card: 'none', show: (m) => <Link to={`/matter/${encodeURIComponent(m.id)}/apply`} onClick={(e) => e.stopPropagation()}>{t('apply')}</Link> },
  ]
  return (
    <section className="card" aria-labelledby="own">
      <header><h2 id="own">{t('own')} {query.data && amount(query.data.total)}</h2><span className="end"><Input type="search" aria-label={t('find')} placeholder={t('find')} value={address.text} onChange={(e) => change({ text: e.target.value })} allowClear maxLength={100} /></span></header>
      <Loaded query={query}>
        {(d) => <DataTable whole caption={t('own')} columns={columns} rows={d.matters.filter((m) => !m.retired)} rowId={(m) => m.id} onOpen={(m) => void navigate({ to: `/matter/${encodeURIComponent(m.id)}/apply` })} total={Number(d.total)} empty={<Empty text={t(address.text ? 'noneFound' : 'noMatter')} />} />}
      </Loaded>
    </section>
  )
}

const answered = (c: Case) => c.lanes.filter((r) => r.state === S.GRANTED).length

function Cases({ org }: { org: string }) {
  const { t } = useTranslation('case')
  const navigate = useNavigate()
  const query = useQuery(askedOf(org))
  const kept = useQuery(keptCases(org))
  const of = new Map((kept.data ?? []).map((k) => [k.reference, k]))
  const columns: Column<Case>[] = [
    { id: 'number', title: t('number'), card: 'title', show: (c) => <span className="two">{of.get(c.reference)?.number ?? t('notHere')}<small>{of.get(c.reference)?.name ?? <code>{short(c.reference)}</code>}</small></span> },
    { id: 'owner', title: t('applicant'), show: (c) => <code>{short(c.lanes[0]!.owner)}</code> },
    { id: 'state', title: t('progress'), show: (c) => <State words={t('consentedOf', { n: answered(c), of: c.lanes.length })} tone={answered(c) === c.lanes.length ? 'green' : 'blue'} /> },
    { id: 'at', title: t('openedAt'), card: 'end', show: (c) => <span className="nowrap">{moment(c.atMs)}</span> },
  ]
  return (
    <section className="card" aria-labelledby="cases">
      <Loaded query={query}>
        {(d) => {
          const all = casesOf(d.requests)
          return <><header><h2 id="cases">{t('cases')} {amount(all.length)}</h2></header><DataTable whole caption={t('cases')} columns={columns} rows={all} rowId={(c) => c.reference} onOpen={(c) => void navigate({ to: `/case/${c.reference}` })} empty={<Empty text={t('noCase')} />} /></>
        }}
      </Loaded>
    </section>
  )
}
