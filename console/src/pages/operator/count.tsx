// How the votes on a proposal stand: a bar with the mark that decides, and the same in words.
import { useTranslation } from 'react-i18next'
import type { Vote } from '@/gen/mulian/console/v1/overview_pb'
import { ProposalState as P } from '@/gen/mulian/governance/v1/governance_pb'
import { State } from '@/parts/object'

const tones = { [P.UNSPECIFIED]: 'grey', [P.OPEN]: 'blue', [P.ACCEPTED]: 'green', [P.REJECTED]: 'red', [P.EXPIRED]: 'grey', [P.WITHDRAWN]: 'grey' } as const

export function ProposalPill({ vote }: { vote: Vote }) {
  const { t } = useTranslation('operator')
  const s = vote.proposal!.state
  return <State words={t(`proposal.${P[s]}`)} tone={tones[s]} />
}

/** ballots are the weights that were given: of a decided proposal those of its ballots, whoever is a member now. */
function given(v: Vote): { yes: number; no: number; total: number } {
  const sum = (yes: boolean) => v.proposal!.ballots.filter((b) => b.yes === yes).reduce((n, b) => n + b.weight, 0)
  const yes = v.proposal!.state === P.OPEN ? v.yes : sum(true)
  const no = v.proposal!.state === P.OPEN ? v.no : sum(false)
  return { yes, no, total: Math.max(v.total, yes + no) }
}

export function VotesBar({ vote, words = true }: { vote: Vote; words?: boolean }) {
  const { t } = useTranslation('operator')
  const { yes, no, total } = given(vote)
  const part = (n: number) => `${total ? (100 * n) / total : 0}%`
  const told = t('count.words', { yes, no, needed: vote.needed, total, percent: vote.percent })
  return (
    <div style={{ display: 'grid', gap: 6, minWidth: 140 }}>
      <div className="votes" role="img" aria-label={told}><i className="yes" style={{ width: part(yes) }} /><i className="no" style={{ width: part(no) }} /><i className="need" style={{ left: part(vote.needed) }} /></div>
      <span className="second">{words ? told : t('count.short', { yes, no, needed: vote.needed })}</span>
    </div>
  )
}
