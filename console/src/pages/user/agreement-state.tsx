// The state of an agreement as a pill.
import { useTranslation } from 'react-i18next'
import { type Agreement, AgreementState as A } from '@/gen/mulian/share/v1/share_pb'
import { State } from '@/parts/object'

const tones: Partial<Record<A, 'blue' | 'green' | 'amber' | 'red' | 'grey'>> = {
  [A.OFFERED]: 'amber', [A.ACTIVE]: 'green', [A.AMENDING]: 'blue', [A.RENEWING]: 'blue', [A.ENDING]: 'amber', [A.SUSPENDED]: 'red', [A.RECTIFYING]: 'red', [A.DISPOSING]: 'amber',
}

export function AgreementState({ agreement }: { agreement: Agreement }) {
  const { t } = useTranslation('user')
  return <State words={t(`agreement.${A[agreement.state]}`)} tone={tones[agreement.state] ?? 'grey'} />
}
