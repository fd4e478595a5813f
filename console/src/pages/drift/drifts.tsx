// Drift: tables that are no longer what the catalogue says.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Tabs } from 'antd'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { type Drift, DriftClass as C, DriftClassSchema, Settlement, SettlementSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { useValue } from '../catalogue/words'
import { listDrifts, whose } from './reads'

const tones = { [C.UNSPECIFIED]: 'grey', [C.COMPATIBLE]: 'blue', [C.REVIEW]: 'amber', [C.BREAKING]: 'red', [C.STALE]: 'amber' } as const

export function ClassPill({ of }: { of: C }) {
  const value = useValue()
  return <State words={value(DriftClassSchema, of)} tone={tones[of] ?? 'grey'} />
}

/** useKind says a change of the source in one phrase. */
export function useKind(): (kind: string) => string {
  const { t } = useTranslation('drift')
  return (kind) => t(`kind.${kind}`, { defaultValue: kind })
}

const tableName = (d: Drift): string => d.table.slice(d.table.indexOf(':') + 1)

export default function Drifts() {
  const { t } = useTranslation('drift')
  const value = useValue()
  const kind = useKind()
  const navigate = useNavigate()
  const { signer } = useWho()
  const org = whose(signer)
  const [address, change] = useAddress({ tab: 'open' })
  const open = useQuery(listDrifts(org, true))
  const every = useQuery({ ...listDrifts(org, false), enabled: address.tab === 'settled' })
  const list = address.tab === 'settled' ? every : open
  const rows = useMemo(() => list.data?.drifts.filter((d) => (d.settlement === Settlement.UNSPECIFIED) === (address.tab !== 'settled')).sort((a, b) => Number(b.atMs - a.atMs)), [list.data, address.tab])
  const name = useNames((rows ?? []).flatMap((d) => [account(d.org), ...d.entries.map(entry)]))
  const columns: Column<Drift>[] = [
    { id: 'table', title: t('col.table'), card: 'title', show: (d) => <span className="two">{tableName(d)}<small>{d.changes.slice(0, 3).map((c) => [kind(c.kind), c.column].filter(Boolean).join(' ')).join('；')}{d.changes.length > 3 && '…'}</small></span> },
    ...(org ? [] : [{ id: 'org', title: t('col.org'), show: (d: Drift) => name(account(d.org)) }]),
    { id: 'class', title: t('col.class'), sort: (a, b) => a.class - b.class, show: (d) => <ClassPill of={d.class} /> },
    { id: 'entries', title: t('col.entries'), show: (d) => (d.entries.length ? d.entries.map((e) => name(entry(e))).join('、') : t('noEntry')) },
    { id: 'at', title: t('col.at'), sort: (a, b) => Number(a.atMs - b.atMs), show: (d) => <span className="nowrap">{moment(d.atMs)}</span> },
    { id: 'end', title: t(address.tab === 'settled' ? 'col.settled' : 'col.due'), card: 'end', show: (d) => (address.tab === 'settled' ? value(SettlementSchema, d.settlement) : d.dueMs ? <Clock dueMs={d.dueMs} totalMs={Number(d.dueMs - d.atMs)} /> : '—') },
  ]
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <Tabs activeKey={address.tab} onChange={(tab) => change({ tab })} items={[{ key: 'open', label: <>{t('tab.open')} {open.data && amount(open.data.total)}</> }, { key: 'settled', label: t('tab.settled') }]} />
      <section className="card" aria-label={t('title')}>
        <Loaded query={list}>{() => <DataTable caption={t('title')} columns={columns} rows={rows} rowId={(d) => d.id} onOpen={(d) => void navigate({ to: pathOf(`catalogue/drift/${d.id}`) })} whole empty={<Empty text={t(address.tab === 'settled' ? 'emptySettled' : 'empty')} />} />}</Loaded>
      </section>
    </>
  )
}
