// One transaction as one line: who, what in words, whether it was carried out.
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { Transaction } from '@/gen/mulian/console/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rare } from '@/chain/rare'

const FEW = 3

export function TxLine({ tx }: { tx: Transaction }) {
  const { t } = useTranslation('explorer')
  const id = hex(tx.txId)
  return (
    <li>
      <Link to={pathOf(account(tx.account))}><strong>{tx.accountName || short(tx.account, 10, 6)}</strong></Link> {rare(tx.lines.slice(0, FEW).join('；'))}
      {tx.verbs.length > FEW && <> <Link to={`/tx/${id}`}>{t('moreActs', { n: tx.verbs.length - FEW })}</Link></>}
      {tx.refusal && <> <span className="pill square red">{t('refused')} {tx.refusal}</span></>}
      <small><Link to={`/tx/${id}`} className="mono">{short(id)}</Link></small>
    </li>
  )
}
