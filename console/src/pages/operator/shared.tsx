// What was given in a period, right by right: the list behind the figure "shared".
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Share } from '@/gen/mulian/console/v1/overview_pb'
import { pathOf } from '@/chain/paths'
import { amount, moment } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { days, listShares } from './figures'
import { AsOf, Period } from './parts'

export default function Shared() {
  const { t } = useTranslation('operator')
  const navigate = useNavigate()
  const [address, change] = useAddress({ days: '1', provider: '' })
  const n = days(address.days)
  const query = useQuery(listShares(n))
  const columns: Column<Share>[] = [
    { id: 'item', title: t('col.item'), card: 'title', show: (s) => <span className="two">{s.entries > 1 ? t('flow.several', { name: s.itemName, n: s.entries }) : s.itemName || s.item}<small className="mono">{s.right.split('/').slice(2).join('/')}</small></span> },
    { id: 'duty', title: t('col.duty'), show: (s) => s.dutyName || t('flow.noDuty') },
    { id: 'provider', title: t('col.provider'), sort: (a, b) => a.providerName.localeCompare(b.providerName), show: (s) => s.providerName || s.provider },
    { id: 'user', title: t('col.user'), sort: (a, b) => a.userName.localeCompare(b.userName), show: (s) => s.userName || s.user },
    { id: 'granted', title: t('col.times'), number: true, card: 'end', sort: (a, b) => Number(a.granted - b.granted), show: (s) => amount(s.granted) },
    { id: 'refused', title: t('col.refused'), number: true, sort: (a, b) => Number(a.refused - b.refused), show: (s) => amount(s.refused) },
    { id: 'last', title: t('col.last'), sort: (a, b) => Number(a.lastMs - b.lastMs), show: (s) => <span className="nowrap">{moment(s.lastMs)}</span> },
  ]
  return (
    <>
      <div className="titles"><h1>{t('shared.title')}</h1><span className="end">{query.data && <AsOf height={query.data.height} timeMs={query.data.timeMs} />}<Period days={n} change={(d) => change({ days: d })} /></span></div>
      <p className="second">{t('shared.text')}</p>
      <Loaded query={query}>
        {(d) => {
          const rows = address.provider ? d.shares.filter((s) => s.provider === address.provider) : d.shares
          return (
            <section className="card" aria-label={t('shared.title')}>
              <div className="filters">
                <span>{t('shared.sum', { granted: amount(d.granted), refused: amount(d.refused), total: amount(d.total) })}</span>
                {address.provider && <Button size="small" onClick={() => change({ provider: '' })}>{t('shared.clear', { org: rows[0]?.providerName || address.provider })}</Button>}
              </div>
              <DataTable
                caption={t('shared.title')} columns={columns} rows={rows} rowId={(s) => s.right} total={address.provider ? undefined : Number(d.total)}
                onOpen={(s) => void navigate({ to: s.request ? `/request/${s.request}` : pathOf(s.right) })} empty={<Empty text={t('flow.empty')} />}
              />
            </section>
          )
        }}
      </Loaded>
    </>
  )
}
