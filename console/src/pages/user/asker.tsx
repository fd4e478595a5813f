// What the asker does next about his own request on its page: supplement it, open the
// agreement that came of it, apply again.
import { useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Request, RequestState as R } from '@/gen/mulian/share/v1/share_pb'
import { useWho } from '@/shell/who'

export function Asker({ request: r }: { request: Request }) {
  const { t } = useTranslation('user')
  const { signer } = useWho()
  const navigate = useNavigate()
  if (!signer?.org || signer.org !== r.requester) return null
  return (
    <p className="actions">
      {r.state === R.INCOMPLETE && <Button type="primary" onClick={() => void navigate({ to: '/request/new', search: { supplement: r.id } as never })}>{t('supplement')}</Button>}
      {r.agreement && <Button type="primary" onClick={() => void navigate({ to: `/agreement/${r.agreement}` })} data-testid="agreement">{t('toAgreement')}</Button>}
      {r.state === R.REFUSED && <Button onClick={() => void navigate({ to: '/request/new', search: { item: r.terms!.parts[0]!.entry } as never })}>{t('applyAgain')}</Button>}
    </p>
  )
}
