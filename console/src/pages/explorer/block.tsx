// The page of one block.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { hex } from '@/chain/bytes'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { TxLine } from './line'

export default function BlockPage() {
  const { t } = useTranslation('explorer')
  const { height = '0' } = useParams({ strict: false }) as { height?: string }
  const at = /^\d{1,18}$/.test(height) ? BigInt(height) : 0n
  const query = useQuery({
    queryKey: [`block/${at}`, 'one'], staleTime: Infinity,
    queryFn: async () => (await rpc(ConsoleService).listBlocks({ below: at + 1n, limit: 1 })).blocks.find((b) => b.height === at) ?? null,
  })
  return (
    <Loaded query={query}>
      {(b) => (b === null ? <div className="card"><h1 className="away">{t('block', { height: amount(at) })}</h1><Empty text={t('noBlock', { height: amount(at) })} action={<Link to="/explorer">{t('title')}</Link>} /></div> : (
        <>
          <div className="titles"><h1>{t('block', { height: amount(b.height) })}</h1><span className="end actions">{b.height > 1n && <Link to={`/block/${b.height - 1n}`}>{t('before')}</Link>}<Link to={`/block/${b.height + 1n}`}>{t('after')}</Link></span></div>
          <section className="card"><div className="body"><dl className="facts">
            <dt>{t('time')}</dt><dd>{exact(b.timeMs)} (UTC+8)</dd><dt>{t('hash')}</dt><dd><code>{hex(b.hash)}</code></dd>
          </dl></div></section>
          <section className="card" aria-label={t('txs', { n: b.transactions.length })}><header><h2>{t('txs', { n: b.transactions.length })}</h2></header>
            {b.transactions.length === 0 ? <Empty text={t('noTx')} /> : <div className="body"><ol className="line">{b.transactions.map((tx) => <TxLine key={tx.index} tx={tx} />)}</ol></div>}
          </section>
        </>
      ))}
    </Loaded>
  )
}
