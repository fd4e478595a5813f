// The page of one source: its tables with their fingerprints. On the ledger it is part of its gateway.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { EntryState, type Table, TableKindSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import { SourceSchema } from '@/gen/mulian/console/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact, moment } from '@/chain/words'
import { Copy } from '@/parts/copy'
import { ObjectPage, State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { listEntries, MOST } from '../catalogue/reads'
import { useValue } from '../catalogue/words'
import { listSources } from './reads'
import { Standing } from './sources'

export default function SourcePage() {
  const { t } = useTranslation('sources')
  const value = useValue()
  const navigate = useNavigate()
  const { signer } = useWho()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const at = id.indexOf(':')
  const [gateway, source] = [id.slice(0, at), id.slice(at + 1)]
  const org = gateway.split('/')[0] ?? ''
  const list = useQuery(listSources({ gateway }))
  const tables = useQuery({ queryKey: ['catalogue/table/', 'of', gateway], queryFn: () => rpc(CatalogueService).listTables({ gateway, limit: MOST }) })
  const entries = useQuery(listEntries({ provider: org }))
  const name = useNames([account(gateway), account(org)])
  const mine = tables.data?.tables.filter((x) => x.source === source)
  const live = (entries.data?.entries ?? []).filter((e) => e.state !== EntryState.WITHDRAWN)
  const mapped = (x: Table) => x.columns.filter((c) => live.some((e) => e.table === x.id && e.items.some((i) => i.column === c.name))).length
  const columns: Column<Table>[] = [
    { id: 'name', title: t('col.table'), card: 'title', sort: (a, b) => a.name.localeCompare(b.name), show: (x) => <span className="two">{x.name}<small>{value(TableKindSchema, x.kind)} · v{String(x.version)}</small></span> },
    { id: 'columns', title: t('col.columns'), number: true, show: (x) => `${amount(x.columns.length)} / ${amount(mapped(x))}` },
    { id: 'rows', title: t('col.rows'), number: true, sort: (a, b) => Number(a.rowsEstimate - b.rowsEstimate), show: (x) => amount(x.rowsEstimate) },
    { id: 'print', title: t('col.fingerprint'), show: (x) => <code>{short(hex(x.schemaHash))}</code> },
    { id: 'seen', title: t('col.seen'), sort: (a, b) => Number(a.seenMs - b.seenMs), show: (x) => <span className="nowrap">{moment(x.seenMs)}</span> },
    { id: 'state', title: t('col.state'), card: 'end', show: (x) => (x.gone ? <State words={t('gone')} tone="red" /> : live.some((e) => e.table === x.id) ? <State words={t('filed')} tone="green" /> : <State words={t('unfiled')} tone="amber" />) },
  ]
  return (
    <Loaded query={list}>
      {(d) => {
        const s = d.sources.find((x) => x.name === source)
        if (!s) return <><h1>{source}</h1><div className="card"><Empty text={t('nothing')} action={<Link to={'/sources' as never}>{t('title')}</Link>} /></div></>
        return (
          <ObjectPage
            object={account(gateway)} number={id} title={t('one', { name: source })} state={<Standing source={s} />} schema={SourceSchema} value={s}
            action={signer?.org === s.org && s.unfiled > 0 && <Button type="primary" onClick={() => void navigate({ to: '/catalogue/register' as never, search: { source: id } as never })}>{t('register', { n: s.unfiled })}</Button>}
            relations={[account(org), account(gateway), ...(mine ?? []).map((x) => `catalogue/table/${x.id}`)]}
            overview={(
              <div className="sheet">
                <dl className="facts">
                  <dt>{t('col.org')}</dt><dd><Link to={pathOf(account(org))}>{name(account(org))}</Link></dd>
                  <dt>{t('gateway')}</dt><dd><Link to={pathOf(account(gateway))}>{name(account(gateway))}</Link> <code className="second">{gateway}</code></dd>
                  <dt>{t('col.type')}</dt><dd>{s.kinds.map((k) => value(TableKindSchema, k)).join('、')}</dd>
                  <dt>{t('col.reach')}</dt><dd><code>{s.url}</code> <span className="second">{s.heardMs ? t('heard', { at: exact(s.heardMs) }) : t('unheard')}</span></dd>
                  <dt>{t('col.fingerprint')}</dt><dd><code>{hex(s.fingerprint)}</code> <span className="second"><Link to={pathOf(`catalogue/table/${s.seenTable}`)}>{s.seenTable.slice(s.seenTable.lastIndexOf('.') + 1)}</Link> · {exact(s.seenMs)}</span></dd>
                  {s.openDrifts > 0 && <><dt>{t('drifts')}</dt><dd><Link to={'/drift' as never}>{t('state.drift', { n: s.openDrifts })}</Link></dd></>}
                  <dt>{t('test')}</dt><dd><code>mulian source test {gateway}</code> <Copy text={`mulian source test ${gateway}`} /><div className="second">{t('testText')}</div></dd>
                </dl>
                <h2>{t('tables', { n: amount(s.tables) })}</h2>
                <DataTable caption={t('tables', { n: amount(s.tables) })} columns={columns} rows={mine} rowId={(x) => x.id} onOpen={(x) => void navigate({ to: pathOf(`catalogue/table/${x.id}`) })} whole empty={<Empty text={t('nothing')} />} />
              </div>
            )}
          />
        )
      }}
    </Loaded>
  )
}
