// The page of one table as its gateway sees it: columns, and which items lie on them.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Column as Col, type Entry, EntryState, TableKindSchema, TableSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import { hex } from '@/chain/bytes'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { ObjectPage, State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { listEntries, readObject } from './reads'
import { own, useValue } from './words'

const lies = (entries: Entry[], column: string) => entries.filter((e) => e.state !== EntryState.WITHDRAWN).flatMap((e) => e.items.filter((i) => i.column === column).map((i) => ({ e, i })))

export default function ResourcePage() {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const navigate = useNavigate()
  const { signer } = useWho()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const key = `catalogue/table/${id}`
  const query = useQuery(readObject(TableSchema, key))
  const entries = useQuery(listEntries({ table: id }))
  const drifts = useQuery({ queryKey: ['catalogue/drift/', 'of', id], queryFn: () => rpc(CatalogueService).listDrifts({ table: id, limit: 100 }) })
  const name = useNames([account(id.split(':')[0] ?? '')])
  const all = entries.data?.entries ?? []
  const columns: Column<Col>[] = [
    { id: 'name', title: t('columns.name'), card: 'title', show: (c) => <span className="two"><code>{c.name}</code>{(c.comment || c.primaryKey) && <small>{[c.primaryKey && t('items.key'), c.comment].filter(Boolean).join(' · ')}</small>}</span> },
    { id: 'type', title: t('columns.type'), show: (c) => <>{c.type} <span className="second">{c.physicalType}</span></> },
    { id: 'null', title: t('columns.nullable'), card: 'none', show: (c) => (c.nullable ? t('yes') : t('no')) },
    { id: 'item', title: t('columns.item'), card: 'end', show: (c) => { const on = lies(all, c.name); return on.length ? on.map(({ e, i }) => <div key={e.id + i.code}><Link to={pathOf(entry(e.id))}>{e.name}</Link> · {i.name}</div>) : <span className="second">{t('columns.free')}</span> } },
  ]
  return (
    <Loaded query={query}>
      {(x) => (
        <ObjectPage
          object={key} number={id} title={x.name} schema={TableSchema} value={x}
          state={<><State words={value(TableKindSchema, x.kind)} tone="blue" />{x.gone && <State words={t('table.gone')} tone="red" />}</>}
          action={signer?.org === x.org && !x.gone && entries.isSuccess && all.length === 0 && <Button type="primary" onClick={() => void navigate({ to: '/catalogue/register' as never, search: { tick: x.id } as never })}>{t('register.this')}</Button>}
          relations={[account(x.org), account(x.gateway), ...all.map((e) => entry(e.id)), ...(drifts.data?.drifts ?? []).map((d) => `catalogue/drift/${d.id}`)]}
          overview={(
            <div className="sheet">
              <dl className="facts">
                <dt>{t('table.gateway')}</dt><dd><Link to={`/source/${encodeURIComponent(`${x.gateway}:${x.source}`)}` as never}>{name(account(x.gateway))} · {x.source}</Link></dd>
                <dt>{t('table.fingerprint')}</dt><dd><code>{hex(x.schemaHash)}</code></dd>
                <dt>{t('table.seen')}</dt><dd>{exact(x.seenMs)} · v{String(x.version)}</dd>
                <dt>{t('table.rows')}</dt><dd>{x.rowsEstimate > 0n ? t('table.about', { n: amount(x.rowsEstimate) }) : '—'}</dd>
                {x.watermarkColumn && <><dt>{t('table.watermark')}</dt><dd><code>{x.watermarkColumn}</code></dd></>}
                <dt>{t('table.entries')}</dt><dd>{all.length === 0 ? t('table.unfiled') : all.map((e) => <div key={e.id}><Link to={pathOf(entry(e.id))}>{e.name}</Link> <span className="second">{own(e.id)}</span></div>)}</dd>
                {(drifts.data?.drifts ?? []).length > 0 && <><dt>{t('table.drifts')}</dt><dd>{drifts.data!.drifts.map((d) => <div key={d.id}><Link to={pathOf(`catalogue/drift/${d.id}`)}>{d.id.slice(d.id.lastIndexOf('@'))} · {exact(d.atMs)}</Link></div>)}</dd></>}
              </dl>
              <h2>{t('columns.title', { n: amount(x.columns.length), mapped: amount(x.columns.filter((c) => lies(all, c.name).length > 0).length) })}</h2>
              <DataTable caption={t('columns.caption')} columns={columns} rows={x.columns} rowId={(c) => c.name} whole empty={<Empty text={t('table.gone')} />} />
            </div>
          )}
        />
      )}
    </Loaded>
  )
}
