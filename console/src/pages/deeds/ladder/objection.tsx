// The page of one objection: what it is about, the answer, and what came of it.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Objection, ObjectionKind, ObjectionSchema, ObjectionState as O } from '@/gen/mulian/share/v1/life_pb'
import { hex } from '@/chain/bytes'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { moment } from '@/chain/words'
import { Clock, useTick } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { readObject } from '../../catalogue/reads'
import { type Deed, More, useAuthority } from '../more'
import { NAMESPACE, useCalled } from './words'

const TEXT = 1000 // characters of a statement or answer, as the rules have it
const DISPUTE = 2000
export const objectionTones = { [O.UNSPECIFIED]: 'grey', [O.FILED]: 'amber', [O.ANSWERED]: 'blue', [O.CLOSED]: 'green' } as const

export default function ObjectionPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <Loaded query={useQuery(readObject(ObjectionSchema, `share/objection/${id}`))}>{(o) => <Page o={o} />}</Loaded>
}

function Page({ o }: { o: Objection }) {
  const { t } = useTranslation(NAMESPACE)
  const key = `share/objection/${o.id}`
  const name = useCalled([o.subject, account(o.filedBy), account(o.against), account(o.answeredBy)])
  const title = t('objectionTo', { what: name(o.subject) })
  const running = o.state === O.FILED && o.clock
  return (
    <ObjectPage
      object={key} number={o.id} title={title} state={<State words={t(`objection.${O[o.state]}`)} tone={objectionTones[o.state]} />}
      clock={running ? <Clock dueMs={running.dueMs} totalMs={Number(running.dueMs - running.startedMs)} /> : undefined}
      action={<Deeds o={o} what={title} />} schema={ObjectionSchema} value={o}
      relations={[o.subject, account(o.filedBy), account(o.against), ...(o.dispute ? [`share/dispute/${o.dispute}`] : [])]}
      overview={
        <dl className="facts">
          <dt>{t('subject')}</dt><dd><Link to={pathOf(o.subject)}>{name(o.subject)}</Link> · {t(`kind.${ObjectionKind[o.kind]}`)}</dd>
          <dt>{t('by')}</dt><dd>{name(account(o.filedBy))}</dd>
          <dt>{t('against')}</dt><dd>{name(account(o.against))}</dd>
          <dt>{t('created')}</dt><dd>{moment(o.createdMs)}</dd>
          <dt>{t('statement')}</dt><dd>{o.statement}</dd>
          {o.evidenceHash.length > 0 && <><dt>{t('evidence')}</dt><dd className="mono">{hex(o.evidenceHash)}</dd></>}
          <dt>{t('answer')}</dt><dd>{o.answer ? <>{o.answer}<br /><small className="second">{t('answered', { who: name(account(o.answeredBy)), at: moment(o.answeredMs) })}</small></> : t('unanswered')}</dd>
          {o.state === O.CLOSED && <><dt>{t('result')}</dt><dd>{t(o.solved ? 'solved' : 'unsolved')}{o.score > 0 && ` · ${t('score', { n: o.score })}`}{o.comment && ` · ${o.comment}`}</dd></>}
          {o.dispute && <><dt>{t('became')}</dt><dd><Link to={pathOf(`share/dispute/${o.dispute}`)}>{o.dispute}</Link></dd></>}
        </dl>
      }
    />
  )
}

function Deeds({ o, what }: { o: Objection; what: string }) {
  const { t } = useTranslation(NAMESPACE)
  const { signer } = useWho()
  const authority = useAuthority()
  const at = useTick(30_000)
  if (!signer?.org) return null
  const filer = signer.org === o.filedBy
  const other = signer.org === o.against
  const open = o.state === O.FILED || o.state === O.ANSWERED
  const late = at >= Number(o.clock?.dueMs ?? 0n)
  const close = (solved: boolean): Deed => ({
    id: solved ? 'solved' : 'unsolved', label: t(solved ? 'do.solved.title' : 'do.unsolved.title'), text: t(solved ? 'do.solved.text' : 'do.unsolved.text', { what }), danger: !solved,
    fields: [
      ...(filer && o.state === O.ANSWERED ? [{ name: 'score', label: t('do.solved.score'), kind: 'number' as const, most: 5, optional: true }] : []),
      { name: 'comment', label: t('do.solved.comment'), most: TEXT, optional: true },
    ],
    act: (v) => ({ case: 'closeObjection', value: { objection: o.id, solved, score: Number(v.score || 0), comment: v.comment ?? '' } }),
  })
  const answer: Deed | false = o.state === O.FILED && (other || authority) && {
    id: 'answer', label: t('do.answer.title'), text: t('do.answer.text', { what }), fields: [{ name: 'answer', label: t('do.answer.field'), most: TEXT }],
    act: (v) => ({ case: 'answerObjection', value: { objection: o.id, answer: v.answer ?? '' } }),
  }
  const closing = open && (filer || authority) && [close(true), close(false)]
  const raise: Deed | false = (filer || other) && !o.dispute && (o.state !== O.FILED || late) && {
    id: 'raise', label: t('do.raise.title'), text: t('do.raise.text', { what }), fields: [{ name: 'statement', label: t('do.raise.field'), most: DISPUTE }],
    act: (v) => ({ case: 'raiseDispute', value: { subject: `share/objection/${o.id}`, statement: v.statement ?? '' } }),
  }
  const first = (other && answer) || (filer && o.state === O.ANSWERED && closing && closing[0]) || undefined
  const deeds = [answer, ...(closing || []), raise].filter((d): d is Deed => !!d && d !== first)
  return <More first={first || undefined} deeds={deeds} />
}
