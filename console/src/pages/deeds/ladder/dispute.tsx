// The page of one dispute: the ladder of art. 25 and 27, level by level.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Dispute, DisputeLevel as L, DisputeSchema, DisputeState as D } from '@/gen/mulian/share/v1/life_pb'
import { hex } from '@/chain/bytes'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { moment } from '@/chain/words'
import { Clock, useTick } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { readObject } from '../../catalogue/reads'
import { type Deed, type Field, More, useAuthority } from '../more'
import { NAMESPACE, useCalled } from './words'

const TEXT = 2000 // characters of a decision, as the rules have it
const CAUSE = 1000
const BODY = 200
const DOCUMENT = 100
const LEVELS = [L.NEGOTIATE, L.AUTHORITY, L.COMMON_SUPERIOR, L.GOVERNMENT] as const
export const disputeTones = { [D.UNSPECIFIED]: 'grey', [D.OPEN]: 'amber', [D.DECIDED]: 'blue', [D.SETTLED]: 'green', [D.WITHDRAWN]: 'grey' } as const
const live = (d: Dispute) => d.state === D.OPEN || d.state === D.DECIDED

export default function DisputePage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <Loaded query={useQuery(readObject(DisputeSchema, `share/dispute/${id}`))}>{(d) => <Page d={d} />}</Loaded>
}

function Page({ d }: { d: Dispute }) {
  const { t } = useTranslation(NAMESPACE)
  const name = useCalled([d.subject, account(d.claimant), account(d.respondent), account(d.escalatedBy), ...d.decisions.map((x) => account(x.by))])
  const title = t('disputeOver', { what: name(d.subject) })
  return (
    <ObjectPage
      object={`share/dispute/${d.id}`} number={d.id} title={title} state={<State words={t(`dispute.${D[d.state]}`)} tone={disputeTones[d.state]} />}
      clock={live(d) && d.clock ? <Clock dueMs={d.clock.dueMs} totalMs={Number(d.clock.dueMs - d.clock.startedMs)} /> : undefined}
      action={<Deeds d={d} what={title} />} schema={DisputeSchema} value={d} relations={[d.subject, account(d.claimant), account(d.respondent)]}
      overview={
        <>
          <dl className="facts">
            <dt>{t('subject')}</dt><dd><Link to={pathOf(d.subject)}>{name(d.subject)}</Link></dd>
            <dt>{t('by')}</dt><dd>{name(account(d.claimant))}</dd>
            <dt>{t('against')}</dt><dd>{name(account(d.respondent))}</dd>
            <dt>{t('created')}</dt><dd>{moment(d.createdMs)}</dd>
            <dt>{t('statement')}</dt><dd>{d.statement}</dd>
            {d.evidenceHash.length > 0 && <><dt>{t('evidence')}</dt><dd className="mono">{hex(d.evidenceHash)}</dd></>}
            {!live(d) && <><dt>{t('result')}</dt><dd>{d.state === D.WITHDRAWN ? t('withdrawn', { cause: d.cause }) : d.settledBy === 'clock' ? t('byClock') : t('dispute.SETTLED')} · {moment(d.settledMs)}</dd></>}
          </dl>
          <h2 style={{ marginTop: 16 }}>{t('ladder')}</h2>
          <ol className="line">
            {LEVELS.map((level) => {
              const said = d.decisions.find((x) => x.level === level)
              return (
                <li key={level} aria-current={level === d.level && live(d) ? 'step' : undefined}>
                  <strong>{t(`level.${L[level]}`)}</strong> {level === d.level && live(d) && <State words={t('here')} />}
                  {level === d.level && d.escalatedBy && d.state !== D.WITHDRAWN && <small>{t('raised', { who: name(account(d.escalatedBy)), cause: d.cause })}</small>}
                  {said && <><p>{t(said.upheld ? 'upheld' : 'rejected')}：{said.text}</p><small>{[said.body, said.document && t('document', { n: said.document }), t('decided', { who: name(account(said.by)), at: moment(said.atMs) })].filter(Boolean).join(' · ')}</small></>}
                  {!said && level < d.level && <small>{t('undecided')}</small>}
                  {level > d.level && <small>{t('reached')}</small>}
                  {level === L.GOVERNMENT && <small>{t('final')}</small>}
                </li>
              )
            })}
          </ol>
        </>
      }
    />
  )
}

function Deeds({ d, what }: { d: Dispute; what: string }) {
  const { t } = useTranslation(NAMESPACE)
  const { signer } = useWho()
  const authority = useAuthority()
  const at = useTick(30_000)
  if (!signer?.org || !live(d)) return null
  const claimant = signer.org === d.claimant
  const respondent = signer.org === d.respondent
  const party = claimant || respondent
  const negotiates = d.level === L.NEGOTIATE && respondent
  const decides = d.state === D.OPEN && (negotiates || (authority && !(d.level <= L.AUTHORITY && party)))
  const higher = d.level > L.AUTHORITY
  const fields: Field[] = [
    ...(higher ? [{ name: 'body', label: t('do.body'), kind: 'line' as const, most: BODY }, { name: 'document', label: t('do.document'), kind: 'line' as const, most: DOCUMENT }] : []),
    { name: 'text', label: t('do.field'), most: TEXT },
  ]
  const decide = (upheld: boolean): Deed => {
    const verb = negotiates ? (upheld ? 'agree' : 'refuse') : upheld ? 'uphold' : 'reject'
    return {
      id: upheld ? 'uphold' : 'reject', label: t(`do.${verb}.title`), text: t(`do.${verb}.text`, { what }), fields,
      act: (v) => ({ case: 'decideDispute', value: { dispute: d.id, level: d.level, body: v.body ?? '', document: v.document ?? '', text: v.text ?? '', upheld } }),
    }
  }
  const late = at >= Number(d.clock?.dueMs ?? 0n)
  const loser = d.level > L.NEGOTIATE && d.decisions.at(-1)?.upheld ? d.respondent : d.claimant
  const accept: Deed | false = d.state === D.DECIDED && signer.org === loser && {
    id: 'accept', label: t('do.accept.title'), text: t('do.accept.text', { what }), act: () => ({ case: 'settleDispute', value: { dispute: d.id, withdraw: false, cause: '' } }),
  }
  const deeds: (Deed | false)[] = [
    decides && decide(true), decides && decide(false), accept,
    party && d.level < L.GOVERNMENT && (d.state === D.DECIDED || late) && {
      id: 'escalate', label: t('do.escalate.title'), text: t('do.escalate.text', { what, level: t(`level.${L[d.level + 1]}`) }), fields: [{ name: 'cause', label: t('do.escalate.field'), most: CAUSE }],
      act: (v) => ({ case: 'escalateDispute', value: { dispute: d.id, cause: v.cause ?? '' } }),
    },
    claimant && {
      id: 'withdraw', label: t('do.withdraw.title'), text: t('do.withdraw.text', { what }), danger: true, fields: [{ name: 'cause', label: t('do.withdraw.field'), most: CAUSE }],
      act: (v) => ({ case: 'settleDispute', value: { dispute: d.id, withdraw: true, cause: v.cause ?? '' } }),
    },
  ]
  const all = deeds.filter((x): x is Deed => !!x)
  const first = all.find((x) => x === accept || x.id === 'uphold')
  return <More first={first} deeds={all.filter((x) => x !== first)} />
}
