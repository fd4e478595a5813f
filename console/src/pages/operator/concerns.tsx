// What waits for somebody: how grave, what, who has to act, since when, and the page on
// which it is settled.
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Concern, ConcernKind as K, Severity } from '@/gen/mulian/console/v1/overview_pb'
import { DriftClass } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { now } from '@/chain/live'
import { pathOf } from '@/chain/paths'
import { amount, exact } from '@/chain/words'
import type { Signer } from '@/chain/keys'
import { State } from '@/parts/object'
import { Empty } from '@/parts/states'
import { useWho } from '@/shell/who'
import { UrgeById } from '../deeds/urge'
import { useSpan } from './parts'

const tones = { [Severity.UNSPECIFIED]: 'grey', [Severity.GRAVE]: 'red', [Severity.LATE]: 'amber', [Severity.NOTE]: 'blue' } as const
const overdue = new Set([K.LATE_ANSWER, K.LATE_AGREEMENT, K.LATE_OBJECTION, K.LATE_DISPUTE])
// What one's own part in a proposal is: to vote, or to look how it stands.
type Part = 'may' | 'given' | 'none'
const partOf = (c: Concern, s: Signer | undefined): Part =>
  c.kind !== K.PROPOSAL || !s?.org ? 'none' : c.given.includes(s.org) ? 'given' : c.waiting.includes(s.org) && s.account === s.org ? 'may' : 'none'
const target = (c: Concern) => (c.kind === K.SILENT_NODE ? '/nodes' : pathOf(c.object))

/** Concerns lists them; trace is the path to what happened to the object, where that is asked for. */
export function Concerns({ concerns, most, trace }: { concerns: Concern[]; most?: number; trace?: (c: Concern) => string }) {
  const { t } = useTranslation('operator')
  const span = useSpan()
  const { signer } = useWho()
  const go = (c: Concern) => t(c.kind === K.PROPOSAL && partOf(c, signer) !== 'may' ? 'go.PROPOSAL_LOOK' : `go.${K[c.kind]}`)
  const who = (c: Concern) => {
    if (c.kind !== K.PROPOSAL) return c.orgName ? t('concern.who', { who: c.orgName }) : t(c.kind === K.LATE_DISPUTE ? 'concern.level' : 'concern.everyone')
    const lacks = c.waitingNames.length > 0 ? t('concern.lacks', { who: c.waitingNames.join(t('concern.and')), end: exact(c.endsMs) }) : t('concern.ends', { end: exact(c.endsMs) })
    return partOf(c, signer) === 'given' ? `${t('concern.given')} · ${lacks}` : lacks
  }
  if (concerns.length === 0) return <Empty text={t('concern.empty')} />
  return (
    <ul className="concerns">
      {concerns.slice(0, most).map((c) => (
        <li key={`${c.kind} ${c.object} ${c.title}`}>
          <State words={t(`severity.${Severity[c.severity]}`)} tone={tones[c.severity]} />
          <span>
            {t(`concern.${K[c.kind]}`, { title: c.title, org: c.orgName, peer: c.peerName, changes: c.changes, drift: t(`drift.${DriftClass[c.drift]}`), voted: c.voted, members: c.members, n: amount(c.count), usual: amount(c.usual) })}
            <small title={exact(c.sinceMs)}>{who(c)} · {t(overdue.has(c.kind) ? 'concern.over' : 'concern.since', { span: span(Math.max(0, now() - Number(c.sinceMs))) })}</small>
          </span>
          <span className="actions">{c.kind === K.LATE_ANSWER && <UrgeById id={c.object.split('/').at(-1)!} />}<Link to={target(c)} aria-label={`${go(c)}: ${c.title}`}>{go(c)}</Link>{trace?.(c) && <Link to={trace(c)} aria-label={`${t('finding.trace')}: ${c.title}`}>{t('finding.trace')}</Link>}</span>
        </li>
      ))}
    </ul>
  )
}
