// Changes of locked entries that wait for the signature of one's own organisation.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { PendingChange } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { moment } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { listToSign } from './reads'

export function ToSign({ org }: { org: string }) {
  const { t } = useTranslation('catalogue')
  const navigate = useNavigate()
  const list = useQuery(listToSign(org))
  const rows = list.data?.pending
  const name = useNames((rows ?? []).flatMap((p) => [entry(p.entry), account(p.entry.split(':')[0]!), ...p.needed.map(account)]))
  const columns: Column<PendingChange>[] = [
    { id: 'name', title: t('col.name'), card: 'title', show: (p) => <span className="two">{name(entry(p.entry))}<small className="mono">{p.entry}</small></span> },
    { id: 'what', title: t('sign.what'), show: (p) => t(p.unlock ? 'pending.unlock' : 'pending.change') },
    { id: 'org', title: t('col.org'), show: (p) => name(account(p.entry.split(':')[0]!)) },
    { id: 'needed', title: t('sign.needed'), show: (p) => p.needed.map((o) => name(account(o))).join('、') },
    { id: 'since', title: t('sign.since'), card: 'end', sort: (a, b) => Number(a.sinceMs - b.sinceMs), show: (p) => <span className="nowrap">{moment(p.sinceMs)}</span> },
  ]
  return (
    <section className="card" aria-label={t('tab.sign')}>
      <Loaded query={list}>{(d) => <DataTable caption={t('tab.sign')} columns={columns} rows={d.pending} rowId={(p) => p.entry} onOpen={(p) => void navigate({ to: pathOf(entry(p.entry)) })} total={Number(d.total)} whole empty={<Empty text={t('sign.empty')} />} />}</Loaded>
    </section>
  )
}
