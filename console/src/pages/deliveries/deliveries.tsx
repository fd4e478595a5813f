// Deliveries that an organisation's gateways have made, by state.
import { queryOptions, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { MethodSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { type Delivery, DeliveryState as S, DeliveryStateSchema } from '@/gen/mulian/share/v1/share_pb'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, moment } from '@/chain/words'
import { State } from '@/parts/object'
import { Empty, Trouble } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { useValue } from '../catalogue/words'

const tabs = { all: [], started: [S.STARTED], completed: [S.COMPLETED], confirmed: [S.CONFIRMED], failed: [S.FAILED] } as const
type Tab = keyof typeof tabs

export const deliveryKey = (d: Pick<Delivery, 'agreement' | 'number'>): string => `share/delivery/${d.agreement}/${String(d.number).padStart(10, '0')}`

const tones = { [S.UNSPECIFIED]: 'grey', [S.STARTED]: 'blue', [S.COMPLETED]: 'amber', [S.CONFIRMED]: 'green', [S.FAILED]: 'red' } as const

export function DeliveryPill({ state }: { state: S }) {
  const value = useValue()
  return <State words={value(DeliveryStateSchema, state)} tone={tones[state] ?? 'grey'} />
}

const count = (org: string, tab: Tab) => queryOptions({
  queryKey: ['share/delivery/', 'count', org, tab],
  queryFn: async () => Number((await rpc(ConsoleService).listDeliveries({ org, states: [...tabs[tab]], limit: 1 })).total),
})

interface Row { d: Delivery; consumer: string }

export default function Deliveries() {
  const { t } = useTranslation('deliveries')
  const value = useValue()
  const navigate = useNavigate()
  const { signer } = useWho()
  const org = !signer?.org || signer.role === 'operator' ? '' : signer.org
  const [address, change] = useAddress({ state: 'all' })
  const tab = (address.state in tabs ? address.state : 'all') as Tab
  const list = useInfiniteQuery({
    queryKey: ['share/delivery/', 'list', org, tab], initialPageParam: '',
    queryFn: ({ pageParam }) => rpc(ConsoleService).listDeliveries({ org, states: [...tabs[tab]], after: pageParam, limit: 500 }), getNextPageParam: (last) => last.next || undefined,
  })
  const rows: Row[] | undefined = list.data?.pages.flatMap((p) => p.deliveries.map((d, i) => ({ d, consumer: p.consumers[i] ?? '' }))).sort((a, b) => Number(b.d.startedMs - a.d.startedMs))
  const name = useNames((rows ?? []).flatMap((r) => [account(r.consumer), entry(r.d.entry), account(r.d.gateway)]))
  const columns: Column<Row>[] = [
    { id: 'entry', title: t('col.entry'), card: 'title', show: ({ d }) => <span className="two">{name(entry(d.entry))}<small className="mono">{d.agreement} · {String(d.number)}</small></span> },
    { id: 'consumer', title: t('col.consumer'), show: (r) => name(account(r.consumer)) },
    ...(org ? [] : [{ id: 'gateway', title: t('col.gateway'), show: (r: Row) => name(account(r.d.gateway)) }]),
    { id: 'method', title: t('col.method'), show: ({ d }) => value(MethodSchema, d.method) },
    { id: 'rows', title: t('col.rows'), number: true, sort: (a, b) => Number(a.d.rows - b.d.rows), show: ({ d }) => (d.state === S.STARTED ? '—' : amount(d.rows)) },
    { id: 'bytes', title: t('col.bytes'), number: true, sort: (a, b) => Number(a.d.bytes - b.d.bytes), show: ({ d }) => (d.state === S.STARTED ? '—' : amount(d.bytes)) },
    { id: 'started', title: t('col.started'), sort: (a, b) => Number(a.d.startedMs - b.d.startedMs), show: ({ d }) => <span className="nowrap">{moment(d.startedMs)}</span> },
    { id: 'state', title: t('col.state'), card: 'end', show: ({ d }) => <DeliveryPill state={d.state} /> },
  ]
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <section className="card" aria-label={t('title')}>
        <header><nav className="chips" aria-label={t('states')}>{(Object.keys(tabs) as Tab[]).map((k) => <Chip key={k} org={org} tab={k} on={k === tab} pick={() => change({ state: k })} />)}</nav></header>
        {list.isError && !rows ? <Trouble error={list.error} retry={() => void list.refetch()} /> : (
          <DataTable
            caption={t('title')} columns={columns} rows={rows} rowId={(r) => deliveryKey(r.d)} onOpen={(r) => void navigate({ to: pathOf(deliveryKey(r.d)) })} total={Number(list.data?.pages[0]?.total ?? 0)}
            more={list.hasNextPage ? () => void list.fetchNextPage() : undefined} busy={list.isFetchingNextPage} whole empty={<Empty text={t(tab === 'all' ? 'empty' : 'none')} />}
          />
        )}
      </section>
    </>
  )
}

function Chip({ org, tab, on, pick }: { org: string; tab: Tab; on: boolean; pick: () => void }) {
  const { t } = useTranslation('deliveries')
  const n = useQuery(count(org, tab))
  return <button type="button" className="chip" aria-pressed={on} onClick={pick}>{t(`tab.${tab}`)} {n.data !== undefined && amount(n.data)}</button>
}
