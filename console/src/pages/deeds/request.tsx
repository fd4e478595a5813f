// What may be done with a request besides answering it.
import { useTranslation } from 'react-i18next'
import { ObjectionKind } from '@/gen/mulian/share/v1/life_pb'
import { type Request, RequestState as R } from '@/gen/mulian/share/v1/share_pb'
import { useTick } from '@/parts/clock'
import { useWho } from '@/shell/who'
import { type Deed, More, useAuthority } from './more'

const TEXT = 1000 // characters of a reason or statement, as the rules have it

export function RequestDeeds({ request: r }: { request: Request }) {
  const { t } = useTranslation('deeds')
  const { signer } = useWho()
  const authority = useAuthority()
  const at = useTick(30_000)
  if (!signer?.org) return null
  const asker = signer.org === r.requester
  const provider = signer.org === r.provider
  const received = r.state === R.RECEIVED
  const open = received || r.state === R.INCOMPLETE
  const late = at >= Number(r.clock?.dueMs ?? 0n)
  const of = { what: `${r.terms?.matter || r.terms?.purpose} ${r.id}` }
  const deeds: (Deed | false)[] = [
    asker && open && {
      id: 'withdraw', label: t('withdraw.title'), text: t('withdraw.text', of), danger: true, fields: [{ name: 'reason', label: t('reason'), most: TEXT, optional: true }],
      act: (v) => ({ case: 'withdrawRequest', value: { request: r.id, reason: v.reason ?? '' } }),
    },
    provider && received && !late && !r.clock?.extended && !r.clock?.extensionAsked && {
      id: 'extend', label: t('extend.title'), text: t('extend.text', of), fields: [{ name: 'days', label: t('days'), kind: 'number', most: 60 }, { name: 'reason', label: t('reason'), most: TEXT }],
      act: (v) => ({ case: 'askExtension', value: { request: r.id, days: Number(v.days), reason: v.reason ?? '' } }),
    },
    authority && received && !late && !!r.clock?.extensionAsked && {
      id: 'allow', label: t('allow.title'), text: t('allow.text', { ...of, days: r.clock.extensionDays, why: r.clock.extensionAsked }),
      act: () => ({ case: 'decideExtension', value: { request: r.id, approve: true } }),
    },
    authority && received && !late && !!r.clock?.extensionAsked && {
      id: 'deny', label: t('deny.title'), text: t('deny.text', { ...of, days: r.clock.extensionDays, why: r.clock.extensionAsked }), fields: [{ name: 'reason', label: t('reason'), most: TEXT, optional: true }],
      act: (v) => ({ case: 'decideExtension', value: { request: r.id, approve: false, reason: v.reason ?? '' } }),
    },
    (asker || provider) && {
      id: 'object', label: t('object.title'), text: t('object.text', of), fields: [{ name: 'statement', label: t('statement'), most: TEXT }],
      act: (v) => ({ case: 'fileObjection', value: { kind: ObjectionKind.APPLICATION, subject: `share/request/${r.id}`, statement: v.statement ?? '' } }),
    },
  ]
  return <More deeds={deeds.filter((d): d is Deed => !!d)} />
}
