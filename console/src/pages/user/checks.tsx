// What can be seen of a request before it is filed: the same checks as the provider's officer
// will read, and how long he has by law.
import { CheckOutlined, CloseOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { create } from '@bufbuild/protobuf'
import { useTranslation } from 'react-i18next'
import { Clock } from '@/gen/mulian/governance/v1/governance_pb'
import { GovernanceService } from '@/gen/mulian/governance/v1/query_pb'
import { type Entry, ShareType } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { RequestSchema } from '@/gen/mulian/share/v1/share_pb'
import { account, useNames } from '@/chain/names'
import { rpc } from '@/chain/rpc'
import { judge } from '../inbox/requests'
import type { Form } from './prefill'

/** consortium is what the consortium has agreed: terms, periods. */
export const consortium = { queryKey: ['governance/', 'consortium'], queryFn: () => rpc(GovernanceService).getConsortium({}) }

/** automatic is true if the provider's standing order would answer in the same block. */
function automatic(org: string, e: Entry, f: Form, usual: number): boolean {
  const s = e.standingOrder
  if (!s?.automatic || e.items.some((it) => f.items.includes(it.code) && (it.shareType || e.shareType) !== ShareType.UNCONDITIONAL)) return false
  if (s.requesters.length > 0 && !s.requesters.includes(org)) return false
  return (!s.maxDays || (f.days ?? usual) <= s.maxDays) && (!s.maxCallsPerDay || (!!f.perDay && f.perDay <= s.maxCallsPerDay))
}

export function Checks({ org, entry, form }: { org: string; entry: Entry; form: Form }) {
  const { t } = useTranslation('user')
  const { t: inbox } = useTranslation('inbox')
  const agreed = useQuery(consortium)
  const name = useNames([account(entry.provider), account(form.gateway)])
  const checks = judge(create(RequestSchema, { requester: org, terms: { duty: form.duty, parts: [{ entry: entry.id, items: form.items }] } }), [entry]) ?? []
  const free = entry.items.filter((it) => form.items.includes(it.code)).every((it) => (it.shareType || entry.shareType) === ShareType.UNCONDITIONAL)
  const days = agreed.data?.clockProfiles.find((c) => c.name === agreed.data.parameters?.clockProfile)?.limits.find((l) => l.clock === (free ? Clock.ANSWER_UNCONDITIONAL : Clock.ANSWER_CONDITIONAL))?.days
  return (
    <>
      <dl className="facts">
        <dt>{t('to')}</dt><dd>{name(account(entry.provider))}</dd>
        <dt>{t('field.items')}</dt><dd>{t('ofItems', { n: entry.items.filter((it) => form.items.includes(it.code)).length, total: entry.items.length })}</dd>
        <dt>{t('answer')}</dt><dd>{automatic(org, entry, form, agreed.data?.parameters?.defaultAgreementDays ?? Infinity) ? t('atOnce') : days ? t('within', { n: days }) : '—'}</dd>
        <dt>{t('then')}</dt><dd>{t('thenText')}</dd>
      </dl>
      <div className={checks.every((c) => c.holds) ? 'note' : 'note amber'}>
        <strong>{inbox('checks.title')}</strong>
        {checks.map((c) => <div key={c.what}>{c.holds ? <CheckOutlined /> : <CloseOutlined />} {inbox(`checks.${c.what}.${c.holds ? 'yes' : 'no'}`)}</div>)}
      </div>
    </>
  )
}
