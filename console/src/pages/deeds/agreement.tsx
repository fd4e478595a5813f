// What may be done with an agreement besides fetching under it: stop it and let it go on, end
// it, lengthen it, say what it brought.
import { useTranslation } from 'react-i18next'
import type { GetAgreementResponse } from '@/gen/mulian/share/v1/query_pb'
import { ObjectionKind } from '@/gen/mulian/share/v1/life_pb'
import { AgreementState as A } from '@/gen/mulian/share/v1/share_pb'
import { account, entry, useNames } from '@/chain/names'
import { useWho } from '@/shell/who'
import { type Deed, endOfDay, type Field, More, useAuthority } from './more'

const CAUSE = 500 // characters, as the rules have it
const TEXT = 1000
const LINE = 100

const running = [A.ACTIVE, A.AMENDING, A.RENEWING, A.ENDING, A.RECTIFYING]
const over = [A.ENDED, A.DISPOSING, A.DISPOSED]

export function AgreementDeeds({ d }: { d: GetAgreementResponse }) {
  const { t } = useTranslation('deeds')
  const { signer } = useWho()
  const authority = useAuthority()
  const a = d.agreement!
  const name = useNames([account(a.consumer), ...a.terms!.parts.map((p) => entry(p.entry))])
  if (!signer?.org) return null
  const provider = signer.org === a.provider
  const consumer = signer.org === a.consumer
  const party = provider || consumer
  const goesOn = !over.includes(a.state)
  const of = { what: `${a.terms!.parts.map((p) => name(entry(p.entry))).join('、')} ${a.id}`, who: name(account(a.consumer)) }
  const change = d.amendments.find((x) => x.number === a.amendment)
  const filing: Field[] = provider && !authority ? [{ name: 'filing', label: t('end.filing'), kind: 'line', most: LINE }] : []
  const deeds: (Deed | false | undefined)[] = [
    (provider || authority) && running.includes(a.state) && !a.suspendedBy && {
      id: 'suspend', label: t('suspend.title'), text: t('suspend.text', of), fields: [{ name: 'cause', label: t('cause'), most: CAUSE }],
      act: (v) => ({ case: 'suspendAgreement', value: { agreement: a.id, cause: v.cause ?? '' } }),
    },
    !!a.suspendedBy && goesOn && (authority || signer.org === a.suspendedBy) && {
      id: 'resume', label: t('resume.title'), text: t('resume.text', { ...of, cause: a.suspendedCause }), act: () => ({ case: 'resumeAgreement', value: { agreement: a.id } }),
    },
    party && a.state === A.ACTIVE && {
      id: 'renew', label: t('renew.title'), text: t('renew.text', of), fields: [{ name: 'days', label: t('renew.days'), kind: 'number', most: 1826 }, { name: 'reason', label: t('reason'), most: TEXT }],
      act: (v) => ({ case: 'proposeRenewal', value: { agreement: a.id, version: a.version, days: Number(v.days), reason: v.reason ?? '' } }),
    },
    (party || authority) && change && {
      id: 'drop', label: t(change.proposedBy === signer.org ? 'drop.own' : 'drop.title'), text: t('drop.text', of), fields: [{ name: 'reason', label: t('reason'), most: TEXT }],
      act: (v) => ({ case: 'dropAmendment', value: { agreement: a.id, number: change.number, reason: v.reason ?? '' } }),
    },
    consumer && a.deliveries > 0n && goesOn && {
      id: 'feedback', label: t('feedback.title'), text: t('feedback.text', of), fields: [{ name: 'effect', label: t('feedback.effect'), most: TEXT }, { name: 'score', label: t('feedback.score'), kind: 'number', most: 5 }],
      act: (v) => ({ case: 'fileFeedback', value: { agreement: a.id, effect: v.effect ?? '', score: Number(v.score) } }),
    },
    party && {
      id: 'object', label: t('object.title'), text: t('object.text', of), fields: [{ name: 'statement', label: t('statement'), most: TEXT }],
      act: (v) => ({ case: 'fileObjection', value: { kind: ObjectionKind.USE, subject: `share/agreement/${a.id}`, statement: v.statement ?? '' } }),
    },
    (party || authority) && goesOn && {
      id: 'end', label: t('end.title'), text: t(a.given ? 'end.given' : 'end.text', of), danger: true,
      fields: [{ name: 'reason', label: t('reason'), most: TEXT }, ...filing, ...(a.state === A.OFFERED || a.noticeMs ? [] : [{ name: 'day', label: t('end.day'), kind: 'day' as const, optional: true }])],
      act: (v) => ({ case: 'endAgreement', value: { agreement: a.id, reason: v.reason ?? '', filing: v.filing ?? '', endsMs: endOfDay(v.day ?? '') } }),
    },
  ]
  return <More deeds={deeds.filter((x): x is Deed => !!x)} />
}
