// The catalogue: what one's own department must do and therefore knows, as a tree; and a
// search over everybody's.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button, Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { amount } from '@/chain/words'
import { useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { listTables, listToSign } from './reads'
import { Everything } from './search'
import { ToSign } from './sign'
import { Tree } from './tree'

export default function Catalogue() {
  const { t } = useTranslation('catalogue')
  const { signer } = useWho()
  const navigate = useNavigate()
  const org = signer?.org ?? ''
  const keeps = org !== '' && signer?.role !== 'auditor'
  const [address, change] = useAddress({ tab: keeps ? 'mine' : 'all' })
  const tables = useQuery(listTables(org))
  const waiting = useQuery(listToSign(keeps ? org : ''))
  return (
    <>
      <div className="titles">
        <h1>{t('title')}</h1>
        {keeps && (
          <span className="end">
            {(tables.data?.total ?? 0n) > 0n && <Button type="primary" onClick={() => void navigate({ to: '/catalogue/register' as never })}>{t('register.open')}</Button>}
            <Link to={'/catalogue/new' as never}><Button tabIndex={-1}>{t('edit.new')}</Button></Link>
          </span>
        )}
      </div>
      {keeps && <Tabs activeKey={address.tab} onChange={(tab) => change({ tab })} items={[{ key: 'mine', label: t('tab.mine') }, { key: 'all', label: t('tab.all') }, { key: 'sign', label: <>{t('tab.sign')} {waiting.data && amount(waiting.data.total)}</> }]} />}
      {keeps && address.tab === 'mine' ? <Tree org={org} /> : keeps && address.tab === 'sign' ? <ToSign org={org} /> : <Everything />}
    </>
  )
}
