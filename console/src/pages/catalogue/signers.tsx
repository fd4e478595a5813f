// Who counter-signs the changes of a locked entry: a suggestion, and the field that changes it.
import { useQuery } from '@tanstack/react-query'
import { Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import { Role } from '@/gen/mulian/governance/v1/governance_pb'
import { rpc } from '@/chain/rpc'
import { getConsortium, listEntries } from './reads'

const MOST_SIGNERS = 8 // of a lock, as the rules have it

/** useSuggestedSigners are those of the organisation's other locks, else the authority and the staffing office. */
export function useSuggestedSigners(org: string): string[] | undefined {
  const entries = useQuery(listEntries({ provider: org }))
  const consortium = useQuery(getConsortium())
  if (!entries.data || !consortium.data) return undefined
  const used = new Map<string, number>()
  for (const e of entries.data.entries) if (e.lock) used.set(e.lock.counterSigners.join(), (used.get(e.lock.counterSigners.join()) ?? 0) + 1)
  const [usual] = [...used].sort((a, b) => b[1] - a[1])[0] ?? []
  if (usual) return usual.split(',')
  const offices = consortium.data.roles.filter((r) => r.role === Role.AUTHORITY || r.role === Role.STAFFING_OFFICE).map((r) => r.account.split('/')[0]!)
  return [...new Set(offices)].filter((o) => o !== org).sort()
}

export function SignersField({ org, value, change }: { org: string; value: string[]; change: (v: string[]) => void }) {
  const { t } = useTranslation('catalogue')
  const orgs = useQuery({ queryKey: ['identity/account/', 'orgs'], queryFn: () => rpc(IdentityService).listAccounts({ kind: AccountKind.ORG, limit: 500 }) })
  const options = (orgs.data?.accounts ?? []).filter((a) => a.id !== org).map((a) => ({ value: a.id, label: a.profile?.shortName || a.profile?.name || a.id }))
  return (
    <label className="field">{t('lock.signers')}
      <Select mode="multiple" aria-label={t('lock.signers')} value={value} onChange={change} options={options} maxCount={MOST_SIGNERS} optionFilterProp="label" loading={orgs.isPending} status={value.length === 0 ? 'error' : undefined} />
      <span className="second">{t('lock.signersText')}</span>
    </label>
  )
}
