// The feed beside any page of the demo.
import { Drawer } from 'antd'
import { useTranslation } from 'react-i18next'
import { useSmall } from '@/parts/table'
import { Feed } from './feed'

export default function Panel({ close }: { close: () => void }) {
  const { t } = useTranslation('tour')
  const small = useSmall()
  return <Drawer open title={t('feed.title')} onClose={close} placement={small ? 'bottom' : 'right'} size={small ? '70%' : 420} mask={false}><Feed /></Drawer>
}
