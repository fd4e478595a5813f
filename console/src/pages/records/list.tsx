// Anchored files, of all or of one account: what the ledger knows of each, which is not what is in it.
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { Capture, type Evidence } from '@/gen/mulian/evidence/v1/evidence_pb'
import { EvidenceService } from '@/gen/mulian/evidence/v1/query_pb'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, moment } from '@/chain/words'
import { Bones, Empty, Trouble } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'

const PAGE = 100

export default function EvidenceList() {
  const { t } = useTranslation('records')
  const navigate = useNavigate()
  const [address, change] = useAddress({ account: '' })
  const query = useInfiniteQuery({
    queryKey: ['evidence/item/', 'list', address.account], initialPageParam: '',
    queryFn: ({ pageParam }) => rpc(EvidenceService).listEvidence({ account: address.account, after: pageParam, limit: PAGE }),
    getNextPageParam: (last) => last.next || undefined,
  })
  const rows = query.data?.pages.flatMap((p) => p.evidence)
  const name = useNames((rows ?? []).map((e) => account(e.account)))
  const columns: Column<Evidence>[] = [
    { id: 'id', title: t('number'), card: 'title', show: (e) => <span className="mono">{e.id}</span> },
    { id: 'who', title: t('who'), show: (e) => name(account(e.account)) },
    { id: 'capture', title: t('capture'), show: (e) => t(`captures.${Capture[e.provenance?.capture ?? 0]}`) },
    { id: 'bytes', title: t('bytes'), number: true, show: (e) => amount(e.bytes) },
    { id: 'at', title: t('at'), card: 'end', sort: (a, b) => Number(a.atMs - b.atMs), show: (e) => moment(e.atMs) },
  ]
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <p className="second">{t('text')}</p>
      {address.account && <p><span className="pill">{name(account(address.account)) || address.account}</span> <Button size="small" onClick={() => change({ account: '' })}>{t('clear')}</Button></p>}
      <section className="card" aria-label={t('title')}>
        {query.isError && !rows ? <Trouble error={query.error} retry={() => void query.refetch()} /> : !rows ? <Bones />
          : <DataTable caption={t('title')} columns={columns} rows={rows} rowId={(e) => e.id} onOpen={(e) => void navigate({ to: pathOf(`evidence/item/${e.id}`) })} total={Number(query.data?.pages[0]?.total ?? 0n)}
              more={query.hasNextPage ? () => void query.fetchNextPage() : undefined} busy={query.isFetchingNextPage} empty={<Empty text={t('none')} />} />}
      </section>
    </>
  )
}
