// What may be done with an entry besides editing and locking it.
import { useTranslation } from 'react-i18next'
import type { GetEntryResponse } from '@/gen/mulian/catalogue/v1/query_pb'
import { EntryState as S } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { ObjectionKind } from '@/gen/mulian/share/v1/life_pb'
import { account, useNames } from '@/chain/names'
import { rare } from '@/chain/rare'
import { useWho } from '@/shell/who'
import { type Deed, More, useAuthority } from './more'

const CAUSE = 500 // characters, as the rules have it
const TEXT = 1000

export function EntryDeeds({ read }: { read: GetEntryResponse }) {
  const { t } = useTranslation('deeds')
  const { signer } = useWho()
  const authority = useAuthority()
  const e = read.entry!
  const p = read.pending
  const name = useNames((e.lock?.counterSigners ?? []).map(account))
  if (!signer?.org || e.state === S.WITHDRAWN) return null
  const provider = signer.org === e.provider
  const inForce = e.state !== S.SUBMITTED && e.state !== S.RETURNED
  const of = { what: `${rare(e.name)} ${e.id}`, who: (e.lock?.counterSigners ?? []).map((o) => name(account(o))).join('、') }
  const deeds: (Deed | false | undefined)[] = [
    p?.needed.includes(signer.org) && {
      id: 'refuse', label: t('refuse.title'), text: t('refuse.text', of), danger: true, fields: [{ name: 'reason', label: t('reason'), most: TEXT }],
      act: (v) => ({ case: 'counterSign', value: { entry: e.id, contentHash: p.next!.contentHash, refuse: true, reason: v.reason ?? '' } }),
    },
    provider && !!e.lock && !p && { id: 'unlock', label: t('unlock.title'), text: t('unlock.text', of), act: () => ({ case: 'unlockEntry', value: { entry: e.id } }) },
    (provider || authority) && inForce && !e.suspendedCause && {
      id: 'suspend', label: t('stop.title'), text: t('stop.text', of), fields: [{ name: 'cause', label: t('cause'), most: CAUSE }],
      act: (v) => ({ case: 'suspendEntry', value: { entry: e.id, cause: v.cause ?? '' } }),
    },
    inForce && !!e.suspendedCause && (authority || signer.org === e.suspendedBy) && {
      id: 'resume', label: t('goOn.title'), text: t('goOn.text', { ...of, cause: e.suspendedCause }), act: () => ({ case: 'suspendEntry', value: { entry: e.id, resume: true } }),
    },
    !provider && inForce && {
      id: 'object', label: t('correct.title'), text: t('object.text', of), fields: [{ name: 'statement', label: t('statement'), most: TEXT }],
      act: (v) => ({ case: 'fileObjection', value: { kind: ObjectionKind.CATALOGUE, subject: `catalogue/entry/${e.id}`, statement: v.statement ?? '' } }),
    },
    provider && !e.lock && {
      id: 'withdraw', label: t('remove.title'), text: t('remove.text', of), danger: true, fields: [{ name: 'reason', label: t('reason'), most: TEXT }],
      act: (v) => ({ case: 'withdrawEntry', value: { entry: e.id, reason: v.reason ?? '' } }),
    },
  ]
  return <More deeds={deeds.filter((x): x is Deed => !!x)} />
}
