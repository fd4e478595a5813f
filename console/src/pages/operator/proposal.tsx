// One proposal: what it changes as a difference to what stands now, how the votes stand, and
// the signer's own vote.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Button, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Vote } from '@/gen/mulian/console/v1/overview_pb'
import { ProposalSchema, ProposalState as P } from '@/gen/mulian/governance/v1/governance_pb'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { exact, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { useSign } from '@/parts/sign'
import { Bones, Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { ProposalPill, VotesBar } from './count'
import { decides } from './decides'
import { getConsortium, getVote, type Line, linesOf, mine, standardOf } from './votes'
import './operator.css'

export default function ProposalPage() {
  const { t } = useTranslation('operator')
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(getVote(id))
  return (
    <Loaded query={query}>
      {({ vote }) => {
        const p = vote!.proposal!
        const open = p.state === P.OPEN
        return (
          <ObjectPage
            object={`governance/proposal/${id}`} number={id} title={p.title || t('col.title')} state={<ProposalPill vote={vote!} />}
            clock={open ? <Clock dueMs={p.endsMs} totalMs={Number(p.endsMs - p.createdMs)} /> : undefined}
            action={<Ballot vote={vote!} />} overview={<Overview vote={vote!} />} schema={ProposalSchema} value={p}
            relations={[...new Set([p.proposer, ...p.ballots.map((b) => b.org)])].map(account)}
          />
        )
      }}
    </Loaded>
  )
}

function Overview({ vote }: { vote: Vote }) {
  const { t } = useTranslation('operator')
  const p = vote.proposal!
  const name = useNames([p.proposer, ...p.ballots.map((b) => b.org), ...vote.waiting, ...vote.silenced].map(account))
  const org = (id: string) => <Link to={pathOf(account(id))}>{name(account(id))}</Link>
  return (
    <div className="sheet">
      <section aria-label={t('count.title')}><VotesBar vote={vote} /></section>
      <dl className="facts">
        <dt>{t('col.proposer')}</dt><dd>{org(p.proposer)} · {exact(p.createdMs)}</dd>
        <dt>{t('col.kind')}</dt><dd>{t(`change.${p.change?.kind.case ?? 'none'}`)}</dd>
        <dt>{t('gov.reason')}</dt><dd>{p.reason || '—'}</dd>
        <dt>{p.state === P.OPEN ? t('col.ends') : t('gov.decidedAt')}</dt><dd>{exact(p.state === P.OPEN ? p.endsMs : p.decidedMs)}</dd>
      </dl>
      <Difference vote={vote} />
      <section className="diff" aria-label={t('gov.ballots')}>
        <h2>{t('gov.ballots')}</h2>
        <ul className="line">
          {p.ballots.map((b) => <li key={b.org}>{org(b.org)} <State words={t(b.yes ? 'mine.yes' : 'mine.no')} tone={b.yes ? 'green' : 'red'} /><small>{moment(b.atMs)} · {t('gov.weight', { n: b.weight })}{b.reason && ` · ${b.reason}`}</small></li>)}
          {p.state === P.OPEN && vote.waiting.map((o) => <li key={o}>{org(o)} <State words={t('gov.waits')} tone="grey" /></li>)}
          {p.state === P.OPEN && vote.silenced.map((o) => <li key={o}>{org(o)} <State words={t('gov.silenced')} tone="amber" /></li>)}
        </ul>
      </section>
    </div>
  )
}

function Difference({ vote }: { vote: Vote }) {
  const { t, i18n } = useTranslation('operator')
  const now = useQuery(getConsortium)
  const p = vote.proposal!
  const lines = now.data ? linesOf(p.change, now.data) : []
  const ids = lines.filter((l) => l.path === 'org' || l.path === 'account').flatMap((l) => [l.before, l.after]).filter((v) => !!v) as string[]
  const name = useNames(ids.map(account))
  // A code has its name beside it, and 0 what it stands for.
  const shown = (l: Line, v: string) => {
    const n = standardOf(l.path)
    if (v === '0' && n !== undefined && p.change?.kind.case === 'setParameters') return t('gov.standard', { n })
    return ids.includes(v) && name(account(v)) !== v ? `${name(account(v))} ${v}` : v
  }
  const label = (path: string) => (i18n.exists(`operator:field.${path}`) ? t(`field.${path}`) : path)
  if (!now.data) return <Bones rows={3} />
  return (
    <section className="diff" aria-label={t('gov.diff')}>
      <h2>{t('gov.diff')}</h2>
      {lines.length === 0 ? <p className="second">{t(p.state === P.ACCEPTED ? 'gov.same' : 'gov.noDiff')}</p> : (
        <table>
          <caption className="away">{t('gov.diff')}</caption>
          <thead><tr><th scope="col">{t('col.path')}</th><th scope="col">{t('col.before')}</th><th scope="col">{t('col.after')}</th></tr></thead>
          <tbody>{lines.map((l) => <tr key={l.path}><th scope="row">{label(l.path)}</th><td>{l.before ? <del>{shown(l, l.before)}</del> : '—'}</td><td>{l.after ? <ins>{shown(l, l.after)}</ins> : '—'}</td></tr>)}</tbody>
        </table>
      )}
    </section>
  )
}

/** Ballot is the signer's vote: two buttons of the same size, or why there are none. */
function Ballot({ vote }: { vote: Vote }) {
  const { t } = useTranslation('operator')
  const { signer } = useWho()
  const sign = useSign()
  const [reason, setReason] = useState('')
  const p = vote.proposal!
  const own = mine(vote, signer)
  const name = useNames(vote.waiting.map(account))
  const now = useQuery(getConsortium)
  const weight = now.data?.members.find((m) => m.org === signer?.org)?.weight ?? 0
  const settles = own === 'may' && weight > 0 ? decides(vote, weight) : undefined
  const cast = (yes: boolean) => void sign({ title: t(yes ? 'gov.yes' : 'gov.no'), about: p.title, danger: true, acts: [{ case: 'castVote', value: { proposal: p.id, yes, reason: reason.trim() } }] })
  if (own === 'waits') return <span className="second">{t('gov.notYou')}</span>
  if (own !== 'may') return p.state === P.OPEN && own !== 'none' ? <span className="second">{t('gov.voted', { how: t(`mine.${own}`) })}{vote.waiting.length > 0 && <> · {t('gov.lacks', { who: vote.waiting.map((o) => name(account(o))).join(t('gov.and')), end: moment(p.endsMs) })}</>}</span> : null
  return (
    <span className="actions">
      {settles && <span className="second">{t(`gov.decides.${settles}`)}</span>}
      <Input value={reason} onChange={(e) => setReason(e.target.value)} maxLength={300} placeholder={t('gov.why')} aria-label={t('gov.why')} style={{ width: 220 }} />
      <Button type="primary" onClick={() => cast(true)} data-testid="vote-yes">{t('gov.yes')}</Button>
      <Button danger onClick={() => cast(false)} data-testid="vote-no">{t('gov.no')}</Button>
    </span>
  )
}
