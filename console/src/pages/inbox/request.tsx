// The page of one request.
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { RequestSchema } from '@/gen/mulian/share/v1/share_pb'
import { account, duty, entry } from '@/chain/names'
import { Clock } from '@/parts/clock'
import { ObjectPage } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { RequestDeeds } from '../deeds/request'
import { Urge } from '../deeds/urge'
import { Asker } from '../user/asker'
import { Answer, RequestDetail, RequestState } from './detail'
import { getRequest } from './requests'

export default function RequestPage() {
  const { t } = useTranslation('inbox')
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(getRequest(id))
  return (
    <Loaded query={query}>
      {({ request: r }) => (
        <ObjectPage
          object={`share/request/${id}`} number={id} title={r!.terms?.matter || r!.terms?.purpose || t('title')} state={<RequestState request={r!} />}
          clock={r!.decidedMs ? undefined : <Clock dueMs={r!.clock?.dueMs} stopped={!!r!.clock?.stoppedMs} totalMs={Number((r!.clock?.dueMs ?? 0n) - (r!.clock?.startedMs ?? 0n))} />}
          action={<><Urge request={r!} primary /><Asker request={r!} /><Answer request={r!} /><RequestDeeds request={r!} /></>} overview={<RequestDetail request={r!} />} schema={RequestSchema} value={r!}
          relations={[account(r!.requester), account(r!.provider), duty(r!.terms!.duty), ...r!.terms!.parts.map((p) => entry(p.entry)), ...(r!.agreement ? [`share/agreement/${r!.agreement}`] : [])]}
        />
      )}
    </Loaded>
  )
}
