// Explorer: blocks as they are made, each transaction as one sentence of the node.
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Block, ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Bones, Empty, Trouble } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { TxLine } from './line'

export default function Explorer() {
  const { t } = useTranslation('explorer')
  const [address, change] = useAddress({ all: '', account: '' })
  const blocks = useInfiniteQuery({
    queryKey: ['block', 'list', address.all, address.account], initialPageParam: 0n,
    queryFn: ({ pageParam }) => rpc(ConsoleService).listBlocks({ below: pageParam, limit: 20, filled: address.all === '', account: address.account }),
    getNextPageParam: (last) => (last.next > 0n ? last.next : undefined),
  })
  const all = blocks.data?.pages.flatMap((p) => p.blocks)
  return (
    <>
      <div className="titles">
        <h1>{t('title')}</h1>
        <span className="end"><label htmlFor="all">{t('all')}</label><Switch id="all" size="small" checked={address.all !== ''} onChange={(on) => change({ all: on ? '1' : '' })} /></span>
      </div>
      {address.account && <p><span className="pill">{t('by', { account: address.account })}</span> <Button size="small" onClick={() => change({ account: '' })}>{t('clear')}</Button></p>}
      {blocks.isError && !all ? <div className="card"><Trouble error={blocks.error} retry={() => void blocks.refetch()} /></div> : !all ? <Bones /> : all.length === 0
        ? <div className="card"><Empty text={t('empty')} /></div> : all.map((b) => <OneBlock key={String(b.height)} block={b} />)}
      {blocks.hasNextPage && <p className="actions"><Button loading={blocks.isFetchingNextPage} onClick={() => void blocks.fetchNextPage()}>{t('older')}</Button></p>}
    </>
  )
}

export function OneBlock({ block }: { block: Block }) {
  const { t } = useTranslation('explorer')
  return (
    <section className="card" aria-label={t('block', { height: amount(block.height) })}>
      <header>
        <h2><Link to={`/block/${block.height}`}>{t('block', { height: amount(block.height) })}</Link></h2>
        <span className="second">{exact(block.timeMs)}</span><code className="second" title={hex(block.hash)}>{short(hex(block.hash))}</code>
        <span className="end second">{block.transactions.length === 0 ? t('noTx') : t('txs', { n: block.transactions.length })}</span>
      </header>
      {block.transactions.length > 0 && <div className="body"><ol className="line">{block.transactions.map((tx) => <TxLine key={hex(tx.txId) || tx.index} tx={tx} />)}</ol></div>}
    </section>
  )
}
