// The page of one drift: what the table was and is, who is affected, and how it may be settled.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Button, Input, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Column, type Drift, DriftClass, DriftSchema, type Entry, EntryState, type Item, Settlement as S, SettlementSchema, type Table, TableSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { AgreementState } from '@/gen/mulian/share/v1/share_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { TraceService } from '@/gen/mulian/trace/v1/query_pb'
import { hex } from '@/chain/bytes'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { listEntries, readObject } from '../catalogue/reads'
import { useValue } from '../catalogue/words'
import { ClassPill, useKind } from './drifts'

export default function DriftPage() {
  const { t } = useTranslation('drift')
  const value = useValue()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const key = `catalogue/drift/${id}`
  const query = useQuery(readObject(DriftSchema, key))
  const table = id.slice(0, id.lastIndexOf('@'))
  const entries = useQuery(listEntries({ table }))
  const now = useQuery(readObject(TableSchema, `catalogue/table/${table}`))
  const d = query.data
  const before = useBefore(d, now.data)
  const name = useNames(d?.settledBy ? [account(d.settledBy)] : [])
  const live = (entries.data?.entries ?? []).filter((e) => e.state !== EntryState.WITHDRAWN)
  return (
    <Loaded query={query}>
      {(x) => (
        <ObjectPage
          object={key} number={id} title={t('one', { name: table.slice(table.indexOf(':') + 1) })} schema={DriftSchema} value={x}
          state={<><ClassPill of={x.class} /><State words={value(SettlementSchema, x.settlement)} tone={x.settlement === S.UNSPECIFIED ? 'red' : 'green'} /></>}
          clock={x.settlement === S.UNSPECIFIED && x.dueMs > 0n ? <Clock dueMs={x.dueMs} totalMs={Number(x.dueMs - x.atMs)} /> : undefined}
          relations={[account(x.org), `catalogue/table/${x.table}`, ...x.entries.map(entry)]}
          overview={(
            <div className="sheet">
              <Settle key={x.settlement} drift={x} table={now.data} entries={live} />
              <dl className="facts">
                <dt>{t('col.table')}</dt><dd><Link to={pathOf(`catalogue/table/${x.table}`)}>{table.slice(table.indexOf(':') + 1)}</Link></dd>
                <dt>{t('seen')}</dt><dd>{exact(x.seenMs)} → {t('onChain', { at: exact(x.atMs) })}</dd>
                <dt>{t('prints')}</dt><dd><code>{hex(x.beforeHash)}</code><br /><code>{hex(x.afterHash)}</code></dd>
                {x.settlement !== S.UNSPECIFIED && <><dt>{t('settled')}</dt><dd>{value(SettlementSchema, x.settlement)} · {exact(x.settledMs)}{x.settledBy && <> · <Link to={pathOf(account(x.settledBy))}>{name(account(x.settledBy))}</Link></>}{x.note && ` · ${x.note}`}</dd></>}
              </dl>
              <h2>{t('columns')}</h2>
              <Columns drift={x} before={before} entries={live} />
              <Affected drift={x} />
            </div>
          )}
        />
      )}
    </Loaded>
  )
}

/** useBefore is the table as the catalogue had it when the drift was seen: while it is open, that still is the ledger's. */
function useBefore(d: Drift | undefined, now: Table | undefined): Column[] | undefined {
  const key = `catalogue/drift/${d?.id ?? ''}`
  const settled = !!d && d.settlement !== S.UNSPECIFIED
  const born = useQuery({ queryKey: [key, 'born'], enabled: settled, queryFn: async () => (await rpc(TraceService).trace({ object: key, direct: true, limit: 1 })).steps[0]?.event?.height ?? 0n })
  const old = useQuery({ ...readObject(TableSchema, `catalogue/table/${d?.table ?? ''}`, (born.data ?? 1n) - 1n), enabled: settled && (born.data ?? 0n) > 1n, retry: false })
  return settled ? old.data?.columns : now?.columns
}

const shape = (c: Column | undefined): string => (c ? `${c.physicalType || c.type}${c.nullable ? '' : ' NOT NULL'}${c.primaryKey ? ' PRIMARY KEY' : ''}` : '')

/** Columns compares the table column by column; what is the same stands at the end. */
function Columns({ drift: d, before, entries }: { drift: Drift; before?: Column[]; entries: Entry[] }) {
  const { t } = useTranslation('drift')
  const kind = useKind()
  const names = [...new Set([...(before ?? []).map((c) => c.name), ...d.columns.map((c) => c.name), ...d.changes.map((c) => c.column).filter(Boolean)])]
  const rows = names.map((n) => {
    const was = before?.find((c) => c.name === n)
    const is = d.columns.find((c) => c.name === n)
    const changes = d.changes.filter((c) => c.column === n)
    return { n, was, is, changes, differs: changes.length > 0 || (before && shape(was) !== shape(is)) }
  }).sort((a, b) => Number(!!b.differs) - Number(!!a.differs))
  const items = (n: string) => entries.flatMap((e) => e.items.filter((i) => i.column === n).map((i) => `${e.name} · ${i.name}`))
  return (
    <>
      {d.changes.filter((c) => !c.column).map((c, i) => <p key={i} className="note">{kind(c.kind)}{(c.before || c.after) && `：${c.before} → ${c.after}`}</p>)}
      {!before && d.settlement !== S.UNSPECIFIED && <p className="note">{t('noBefore')}</p>}
      <div className="table whole" tabIndex={0} role="region" aria-label={t('columns')}>
        <table className="diff">
          <caption>{t('columns')}</caption>
          <thead><tr><th scope="col">{t('column')}</th><th scope="col">{t('before')}</th><th scope="col">{t('after')}</th><th scope="col">{t('what')}</th><th scope="col">{t('items')}</th></tr></thead>
          <tbody>
            {rows.map((r) => (
              <tr key={r.n}>
                <th scope="row"><code>{r.n}</code></th>
                <td>{r.differs && shape(r.was) ? <del>{shape(r.was)}</del> : shape(r.was) || (r.changes[0]?.before && <del>{r.changes[0].before}</del>)}</td>
                <td>{r.differs && shape(r.is) ? <ins>{shape(r.is)}</ins> : shape(r.is)}</td>
                <td>{r.changes.map((c, i) => <div key={i}>{kind(c.kind)}{c.candidate && ` · ${t('maybe', { name: c.candidate })}`}</div>)}{r.changes.length === 0 && <span className="second">{t('same')}</span>}</td>
                <td>{items(r.n).map((x) => <div key={x}>{x}</div>)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

/** Affected are the shares and grants that rest on the entries of a drift. */
function Affected({ drift: d }: { drift: Drift }) {
  const { t } = useTranslation('drift')
  const read = useQuery({
    queryKey: ['share/agreement/', 'drift', d.id], enabled: d.entries.length > 0,
    queryFn: async () => {
      const shares = await Promise.all(d.entries.slice(0, 20).map((e) => rpc(ShareService).listAgreements({ entry: e, limit: 100, states: [AgreementState.ACTIVE, AgreementState.SUSPENDED, AgreementState.AMENDING, AgreementState.RENEWING, AgreementState.RECTIFYING, AgreementState.ENDING] })))
      const grants = await rpc(ConsoleService).countGrants({ entries: d.entries.slice(0, 100) })
      return { shares: [...new Map(shares.flatMap((s) => s.agreements).map((a) => [a.id, a])).values()], grants: grants.live }
    },
  })
  const name = useNames([...d.entries.map(entry), ...(read.data?.shares ?? []).map((a) => account(a.consumer))])
  return (
    <>
      <h2>{t('affected')}</h2>
      {d.entries.length === 0 ? <Empty text={t('nobody')} /> : (
        <Loaded query={read} rows={2}>{(x) => (
          <dl className="facts">
            <dt>{t('col.entries')}</dt><dd>{d.entries.map((e) => <div key={e}><Link to={pathOf(entry(e))}>{name(entry(e))}</Link></div>)}</dd>
            <dt>{t('shares', { n: amount(x.shares.length) })}</dt><dd>{x.shares.length === 0 ? t('noShares') : x.shares.map((a) => <div key={a.id}><Link to={pathOf(`share/agreement/${a.id}`)}>{name(account(a.consumer))}</Link> <span className="second">{a.terms?.purpose} · <code>{a.id}</code></span></div>)}</dd>
            <dt>{t('grants')}</dt><dd>{t('grantsText', { n: amount(x.grants) })}</dd>
          </dl>
        )}</Loaded>
      )}
    </>
  )
}

interface Lost { entry: Entry; item: Item; candidate: string }

const lostItems = (d: Drift, entries: Entry[]): Lost[] => entries.flatMap((e) => e.items
  .filter((i) => i.column && d.class !== DriftClass.STALE && !d.columns.some((c) => c.name === i.column))
  .map((item) => ({ entry: e, item, candidate: d.changes.find((c) => c.column === item.column && c.candidate)?.candidate ?? '' })))

const NONE = '\u0000' // the item lies on no column from now on

/** Settle offers what the rules allow for this drift. */
function Settle({ drift: d, table, entries }: { drift: Drift; table?: Table; entries: Entry[] }) {
  const { t } = useTranslation('drift')
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const sign = useSign()
  const lost = lostItems(d, entries)
  const [moved, setMoved] = useState<Record<string, string>>({})
  const [alarm, setAlarm] = useState(false)
  const [note, setNote] = useState('')
  const name = useNames(entries.flatMap((e) => (e.lock?.counterSigners ?? []).map(account)))
  if (d.settlement !== S.UNSPECIFIED) {
    const waits = entries.filter((e) => d.entries.includes(e.id) && e.lock && (e.state === EntryState.DRIFTED || e.state === EntryState.UPDATING))
    return waits.length === 0 ? null : <p className="note amber">{t('waits')} {waits.map((e) => <Link key={e.id} to={pathOf(entry(e.id))}>{e.name} </Link>)}</p>
  }
  if (signer?.org !== d.org) return <p className="note">{t('notYours')}</p>
  const at = (l: Lost) => moved[`${l.entry.id} ${l.item.code}`] ?? l.candidate
  const go = (title: string, settlement: S, words = '') => sign({
    title, acts: [{ case: 'settleDrift', value: {
      drift: d.id, settlement, note: words,
      remaps: settlement === S.UPDATED ? lost.map((l) => ({ entry: l.entry.id, item: l.item.code, column: at(l) === NONE ? '' : at(l) })) : [],
    } }],
  })
  const back = !!table && table.seenMs > d.atMs
  const signers = [...new Set(entries.filter((e) => e.lock && d.entries.includes(e.id)).flatMap((e) => e.lock!.counterSigners))]
  return (
    <section className={d.class === DriftClass.BREAKING ? 'note red' : 'note amber'} aria-label={t('settle.title')}>
      <div className="sheet">
        <p><strong>{t(d.class === DriftClass.BREAKING ? 'settle.frozen' : 'settle.open')}</strong> {signers.length > 0 && t('settle.locked', { who: signers.map((o) => name(account(o))).join('、') })}</p>
        {lost.map((l) => (
          <label key={`${l.entry.id} ${l.item.code}`} className="field">{t('settle.lost', { entry: l.entry.name, item: l.item.name, column: l.item.column })}
            <select className="plain" style={{ maxWidth: 420 }} value={at(l)} onChange={(e) => setMoved({ ...moved, [`${l.entry.id} ${l.item.code}`]: e.target.value })}>
              {at(l) === '' && <option value="">{t('settle.choose')}</option>}
              {d.columns.filter((c) => c.name === at(l) || !l.entry.items.some((i) => i.column === c.name)).map((c) => <option key={c.name} value={c.name}>{c.name} · {shape(c)}{c.name === l.candidate ? ` · ${t('settle.candidate')}` : ''}</option>)}
              <option value={NONE}>{t('settle.none')}</option>
            </select>
          </label>
        ))}
        <p className="actions">
          <Button type="primary" disabled={lost.some((l) => at(l) === '')} data-testid="settle" onClick={() => void go(t('settle.update'), S.UPDATED)}>{t('settle.update')}</Button>
          {back && <Button onClick={() => void go(t('settle.back'), S.ROLLED_BACK)}>{t('settle.back')}</Button>}
          {lost.length === 0 && <Button onClick={() => setAlarm(true)}>{t('settle.alarm')}</Button>}
        </p>
        <p>{t(lost.length > 0 ? 'settle.textLost' : 'settle.text')}{!back && ` ${t('settle.notBack')}`}</p>
      </div>
      <Modal open={alarm} title={t('settle.alarm')} okText={t('settle.next')} cancelText={shell('cancel')} onCancel={() => setAlarm(false)} onOk={() => { setAlarm(false); void go(t('settle.alarm'), S.FALSE_ALARM, note) }}>
        <label className="field">{t('settle.note')}<Input.TextArea rows={3} maxLength={500} value={note} onChange={(e) => setNote(e.target.value)} /></label>
      </Modal>
    </section>
  )
}
