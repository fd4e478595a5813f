// What the asker may do about his own request on its page: supplement it, take it back, sign
// the agreement that came of it.
import { useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Request, RequestState as R } from '@/gen/mulian/share/v1/share_pb'
import { useSign } from '@/parts/sign'
import { useWho } from '@/shell/who'

export function Asker({ request: r }: { request: Request }) {
  const { t } = useTranslation('user')
  const { signer } = useWho()
  const sign = useSign()
  const navigate = useNavigate()
  if (!signer?.org || signer.org !== r.requester) return null
  const open = r.state === R.RECEIVED || r.state === R.INCOMPLETE
  return (
    <p className="actions">
      {r.state === R.INCOMPLETE && <Button type="primary" onClick={() => void navigate({ to: '/request/new', search: { supplement: r.id } as never })}>{t('supplement')}</Button>}
      {r.agreement && <Button type="primary" onClick={() => void navigate({ to: `/agreement/${r.agreement}` })} data-testid="agreement">{t('toAgreement')}</Button>}
      {r.state === R.REFUSED && <Button onClick={() => void navigate({ to: '/request/new', search: { item: r.terms!.parts[0]!.entry } as never })}>{t('applyAgain')}</Button>}
      {open && <Button onClick={() => void sign({ title: t('withdraw'), danger: true, acts: [{ case: 'withdrawRequest', value: { request: r.id } }] })}>{t('withdraw')}</Button>}
    </p>
  )
}
