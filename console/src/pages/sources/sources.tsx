// Sources: the databases behind an organisation's gateways, as the ledger knows them.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { TableKindSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import type { Source } from '@/gen/mulian/console/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { amount, moment } from '@/chain/words'
import { State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { useValue } from '../catalogue/words'
import { listSources, sourceId } from './reads'

/** host is where a gateway is reached, without what everybody's has. */
export const host = (url: string): string => url.replace(/^https?:\/\//, '')

export default function Sources() {
  const { t } = useTranslation('sources')
  const value = useValue()
  const navigate = useNavigate()
  const { signer } = useWho()
  const all = !signer?.org || signer.role === 'operator'
  const list = useQuery(listSources(all ? {} : { org: signer.org }))
  const name = useNames((list.data?.sources ?? []).flatMap((s) => [account(s.gateway), account(s.org)]))
  const columns: Column<Source>[] = [
    { id: 'name', title: t('col.source'), card: 'title', sort: (a, b) => a.name.localeCompare(b.name), show: (s) => <span className="two">{s.name}<small>{name(account(s.gateway))}</small></span> },
    ...(all ? [{ id: 'org', title: t('col.org'), show: (s: Source) => name(account(s.org)) }] : []),
    { id: 'type', title: t('col.type'), show: (s) => s.kinds.map((k) => value(TableKindSchema, k)).join('、') },
    { id: 'reach', title: t('col.reach'), show: (s) => <span className="two"><code>{host(s.url)}</code><small>{s.heardMs ? t('heard', { at: moment(s.heardMs) }) : t('unheard')}</small></span> },
    { id: 'print', title: t('col.fingerprint'), show: (s) => <span className="two"><code>{short(hex(s.fingerprint))}</code><small>{moment(s.seenMs)}</small></span> },
    { id: 'tables', title: t('col.tables'), number: true, sort: (a, b) => a.tables - b.tables, show: (s) => amount(s.tables) },
    { id: 'columns', title: t('col.columns'), number: true, show: (s) => `${amount(s.columns)} / ${amount(s.mapped)}` },
    { id: 'state', title: t('col.state'), card: 'end', show: (s) => <Standing source={s} /> },
  ]
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <section className="card" aria-label={t('title')}>
        <Loaded query={list}>{(d) => (
          <DataTable
            caption={t('title')} columns={columns} rows={d.sources} rowId={sourceId} onOpen={(s) => void navigate({ to: `/source/${encodeURIComponent(sourceId(s))}` as never })} whole
            empty={<Empty text={t('empty')} action={<span className="actions"><code>mulian source add NAME URL</code><Link to={'/catalogue' as never}>{t('toCatalogue')}</Link></span>} />}
          />
        )}</Loaded>
        {list.data?.more && <p className="tablefoot">{t('more')}</p>}
      </section>
      <p className="second">{t('text')}</p>
    </>
  )
}

/** Standing says the worst that the ledger knows of a source. */
export function Standing({ source: s }: { source: Source }) {
  const { t } = useTranslation('sources')
  if (s.openDrifts > 0) return <State words={t('state.drift', { n: s.openDrifts })} tone="red" />
  if (s.unfiled > 0) return <State words={t('state.unfiled', { n: s.unfiled })} tone="amber" />
  return <State words={t('state.good')} tone="green" />
}
