// Proposals: those that wait for votes first, then what was decided.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import type { Vote } from '@/gen/mulian/console/v1/overview_pb'
import { ProposalState as P } from '@/gen/mulian/governance/v1/governance_pb'
import { account, useNames } from '@/chain/names'
import { amount, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { ProposalPill, VotesBar } from './count'
import { listVotes, mine } from './votes'
import './operator.css'

export default function Governance() {
  const { t } = useTranslation('operator')
  const { signer } = useWho()
  const navigate = useNavigate()
  const [address, change] = useAddress({ box: 'open' })
  const query = useQuery(listVotes(false))
  const all = query.data?.votes ?? []
  const name = useNames(all.map((v) => account(v.proposal!.proposer)))
  const kept = {
    open: all.filter((v) => v.proposal!.state === P.OPEN).sort((a, b) => Number(a.proposal!.endsMs - b.proposal!.endsMs)),
    decided: all.filter((v) => v.proposal!.state !== P.OPEN).sort((a, b) => Number(b.proposal!.decidedMs - a.proposal!.decidedMs)),
  }
  const box = address.box === 'decided' ? 'decided' : 'open'
  const columns: Column<Vote>[] = [
    { id: 'title', title: t('col.title'), card: 'title', show: (v) => <span className="two">{v.proposal!.title}<small className="mono">{v.proposal!.id}</small></span> },
    { id: 'kind', title: t('col.kind'), show: (v) => t(`change.${v.proposal!.change?.kind.case ?? 'none'}`) },
    { id: 'proposer', title: t('col.proposer'), show: (v) => name(account(v.proposal!.proposer)) },
    { id: 'votes', title: t('col.votes'), show: (v) => <VotesBar vote={v} words={false} /> },
    box === 'open'
      ? { id: 'ends', title: t('col.ends'), card: 'end', sort: (a, b) => Number(a.proposal!.endsMs - b.proposal!.endsMs), show: (v) => <Clock dueMs={v.proposal!.endsMs} totalMs={Number(v.proposal!.endsMs - v.proposal!.createdMs)} /> }
      : { id: 'state', title: t('col.state'), card: 'end', show: (v) => <span className="two"><ProposalPill vote={v} /><small>{moment(v.proposal!.decidedMs)}</small></span> },
    ...(signer?.org ? [{ id: 'mine', title: t('col.mine'), show: (v: Vote) => t(`mine.${mine(v, signer)}`) }] : []),
  ]
  return (
    <>
      <div className="titles"><h1>{t('menu.gov')}</h1></div>
      <Tabs activeKey={box} onChange={(k) => change({ box: k })} items={(['open', 'decided'] as const).map((k) => ({ key: k, label: `${t(`gov.${k}`)} ${query.data ? amount(kept[k].length) : ''}` }))} />
      <section className="card" aria-label={t(`gov.${box}`)}>
        <Loaded query={query}>
          {(d) => (
            <DataTable
              caption={t(`gov.${box}`)} columns={columns} rows={kept[box]} rowId={(v) => v.proposal!.id} total={d.next ? Number(d.total) : undefined}
              onOpen={(v) => void navigate({ to: `/proposal/${v.proposal!.id}` })} empty={<Empty text={t(`gov.empty.${box}`)} />}
            />
          )}
        </Loaded>
      </section>
    </>
  )
}
