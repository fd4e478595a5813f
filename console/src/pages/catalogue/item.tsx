// The page of one entry: its metadata, its fields and where they lie, what waits, who may sign what.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  type Entry, EntrySchema, EntryState as S, FormatSchema, GradeSchema, type Item, ItemState, ItemStateSchema, MethodSchema, OpenTypeSchema, PersonalSchema, ProcessingSchema, ShareType, ShareTypeSchema,
  UpdateCycleSchema,
} from '@/gen/mulian/catalogue/v1/catalogue_pb'
import type { GetEntryResponse } from '@/gen/mulian/catalogue/v1/query_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { account, duty, entry, useNames } from '@/chain/names'
import { rare } from '@/chain/rare'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact, moment } from '@/chain/words'
import { ObjectPage, State } from '@/parts/object'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { EntryDeeds } from '../deeds/entry'
import { Changes } from './changes'
import { getEntry } from './reads'
import { SignersField, useSuggestedSigners } from './signers'
import { EntryState, LockState, own, useValue } from './words'

export default function ItemPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(getEntry(id))
  const agreements = useQuery({ queryKey: ['share/agreement/', 'of', id], queryFn: () => rpc(ShareService).listAgreements({ entry: id, limit: 100 }) })
  return (
    <Loaded query={query}>
      {(r) => {
        const e = r.entry!
        return (
          <ObjectPage
            object={entry(id)} number={id} title={rare(e.name)} state={<><EntryState state={e.state} /><LockState entry={e} /></>} schema={EntrySchema} value={e}
            action={<><Actions entry={e} /><EntryDeeds read={r} /></>}
            overview={<Overview read={r} />}
            relations={[account(e.provider), ...e.duties.map(duty), ...(e.table ? [`catalogue/table/${e.table}`] : []), ...r.drifts.map((d) => `catalogue/drift/${d.id}`), ...(agreements.data?.agreements ?? []).map((a) => `share/agreement/${a.id}`)]}
          />
        )
      }}
    </Loaded>
  )
}

function Actions({ entry: e }: { entry: Entry }) {
  const { t } = useTranslation('catalogue')
  const { signer } = useWho()
  const navigate = useNavigate()
  const [locking, setLocking] = useState(false)
  if (!signer?.org || e.state === S.WITHDRAWN) return null
  if (signer.org !== e.provider) {
    return e.shareType !== ShareType.DENIED && e.state !== S.SUBMITTED && e.state !== S.RETURNED
      ? <Button type="primary" data-testid="apply" onClick={() => void navigate({ to: '/request/new' as never, search: { item: e.id } as never })}>{t('apply')}</Button> : null
  }
  return (
    <>
      {!e.lock && e.state === S.PUBLISHED && <Button onClick={() => setLocking(true)}>{t('lock.open')}</Button>}
      <Button type="primary" onClick={() => void navigate({ to: `/item/${encodeURIComponent(e.id)}/edit` as never })}>{t('edit.open')}</Button>
      {locking && <Lock entry={e} close={() => setLocking(false)} />}
    </>
  )
}

/** Lock asks who counter-signs, and signs. */
function Lock({ entry: e, close }: { entry: Entry; close: () => void }) {
  const { t } = useTranslation('catalogue')
  const { t: shell } = useTranslation('shell')
  const sign = useSign()
  const usual = useSuggestedSigners(e.provider)
  const [chosen, setChosen] = useState<string[]>()
  const signers = chosen ?? usual ?? []
  return (
    <Modal open title={t('lock.open')} onCancel={close} okText={t('lock.sign')} cancelText={shell('cancel')} okButtonProps={{ disabled: signers.length === 0 }}
      onOk={() => { close(); void sign({ title: t('lock.open'), acts: [{ case: 'lockEntries', value: { entries: [e.id], counterSigners: [...signers].sort() } }] }) }}>
      <div className="sheet"><p>{t('lock.text')}</p><SignersField org={e.provider} value={signers} change={setChosen} /></div>
    </Modal>
  )
}

const itemTone = { [ItemState.UNSPECIFIED]: 'green', [ItemState.REVIEW]: 'amber', [ItemState.FROZEN]: 'red' } as const

function Overview({ read }: { read: GetEntryResponse }) {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const e = read.entry!
  const name = useNames([account(e.provider), ...(e.lock?.counterSigners ?? []).map(account), ...e.duties.map(duty)])
  const columns: Column<Item>[] = [
    { id: 'name', title: t('items.name'), card: 'title', show: (i) => <span className="two">{i.name}<small className="mono">{i.code}{i.primaryKey && ` · ${t('items.key')}`}{e.ownerItem === i.code && ` · ${t('items.owner')}`}</small></span> },
    { id: 'type', title: t('items.type'), show: (i) => `${i.type}${i.length ? `(${i.length})` : ''}` },
    { id: 'share', title: t('col.share'), show: (i) => (i.shareType ? value(ShareTypeSchema, i.shareType) : <span className="second">{t('items.asEntry')}</span>) },
    { id: 'personal', title: t('items.personal'), show: (i) => (i.personal ? value(PersonalSchema, i.personal) : <span className="second">{t('items.asEntry')}</span>) },
    { id: 'column', title: t('items.column'), show: (i) => (i.column ? <code>{i.column}</code> : <span className="second">{t('items.unmapped')}</span>) },
    { id: 'state', title: t('col.state'), card: 'end', show: (i) => <State words={value(ItemStateSchema, i.state)} tone={itemTone[i.state] ?? 'grey'} /> },
  ]
  const list = (...parts: (string | false | undefined)[]) => parts.filter(Boolean).join(' · ') || '—'
  return (
    <div className="sheet">
      {read.drifts.map((d) => <p key={d.id} className="note red">{t('item.drifted')} <Link to={pathOf(`catalogue/drift/${d.id}`)}>{d.id}</Link></p>)}
      {e.state === S.RETURNED && <p className="note amber">{t('item.returned')}{e.returnedReason}</p>}
      {e.suspendedCause && <p className="note amber">{t('item.suspended')}{e.suspendedCause}</p>}
      {read.pending && <Pending read={read} />}
      <dl className="facts">
        <dt>{t('f.provider')}</dt><dd><Link to={pathOf(account(e.provider))}>{name(account(e.provider))}</Link></dd>
        <dt>{t('f.duties')}</dt><dd>{e.duties.map((d) => <div key={d}><Link to={pathOf(duty(d))}>{name(duty(d))}</Link></div>)}</dd>
        {e.abstract && <><dt>{t('f.abstract')}</dt><dd>{e.abstract}</dd></>}
        <dt>{t('col.share')}</dt><dd>{list(value(ShareTypeSchema, e.shareType), e.conditions?.scope, e.conditions?.purposes.join('、'), e.conditions?.extra, e.denyBasis && `${e.denyBasis.law}${e.denyBasis.article}`)}</dd>
        <dt>{t('f.handing')}</dt><dd>{list(value(FormatSchema, e.format), e.methods.map((m) => value(MethodSchema, m)).join('、'), e.updateCycle ? value(UpdateCycleSchema, e.updateCycle) : undefined)}</dd>
        <dt>{t('f.grading')}</dt><dd>{list(value(GradeSchema, e.grade), value(PersonalSchema, e.personal), value(ProcessingSchema, e.processing), e.sensitivity > 0 && t('f.sensitivityIs', { n: e.sensitivity }))}</dd>
        <dt>{t('f.openType')}</dt><dd>{list(value(OpenTypeSchema, e.openType), e.openCondition)}</dd>
        {e.standingOrder?.automatic && <><dt>{t('f.standing')}</dt><dd>{t('f.standingIs', { days: e.standingOrder.maxDays || '—', calls: e.standingOrder.maxCallsPerDay || '—' })}</dd></>}
        <dt>{t('col.table')}</dt><dd>{e.table ? <Link to={pathOf(`catalogue/table/${e.table}`)}>{own(e.table)}</Link> : t('noTable')}{read.system && ` · ${read.system.name}`}</dd>
        {e.lock && <><dt>{t('lock.label')}</dt><dd>{t('lock.since', { v: String(e.lock.version), at: moment(e.lock.sinceMs) })} {t('lock.by', { who: e.lock.counterSigners.map((o) => name(account(o))).join('、') })}</dd></>}
      </dl>
      <h2>{t('items.title', { n: amount(e.items.length) })}</h2>
      <DataTable caption={t('items.title', { n: amount(e.items.length) })} columns={columns} rows={e.items} rowId={(i) => i.code} whole empty={<Empty text={t('items.empty')} />} />
      <h2>{t('versions.title', { n: read.versions.length })}</h2>
      <Versions read={read} />
    </div>
  )
}

/** Pending shows what waits and for whom; who has to sign may do it here. */
function Pending({ read }: { read: GetEntryResponse }) {
  const { t } = useTranslation('catalogue')
  const { signer } = useWho()
  const sign = useSign()
  const e = read.entry!
  const p = read.pending!
  const name = useNames([...p.needed, ...p.signed].map(account))
  const mine = signer?.org && p.needed.includes(signer.org)
  return (
    <div className="note amber">
      <strong>{t(p.unlock ? 'pending.unlock' : 'pending.change')}</strong>
      <p>{p.needsReview && t('pending.review')} {p.needed.length > 0 && t('pending.needed', { who: p.needed.map((o) => name(account(o))).join('、') })} {p.signed.length > 0 && t('pending.signed', { who: p.signed.map((o) => name(account(o))).join('、') })}</p>
      {!p.unlock && <Changes was={e} next={p.next!} same={t('pending.schema')} />}
      {mine && <p className="actions"><Button type="primary" className="sign" onClick={() => void sign({ title: t('pending.sign'), acts: [{ case: 'counterSign', value: { entry: e.id, contentHash: p.next!.contentHash } }] })}>{t('pending.sign')}</Button></p>}
    </div>
  )
}

function Versions({ read }: { read: GetEntryResponse }) {
  const { t } = useTranslation('catalogue')
  const [open, setOpen] = useState<bigint>()
  const e = read.entry!
  const name = useNames(read.versions.map((v) => account(v.by)))
  const old = useQuery({ ...getEntry(e.id, open ?? 0n), enabled: open !== undefined })
  return (
    <ol className="line">
      {read.versions.map((v) => (
        <li key={String(v.version)}>
          v{String(v.version)} · {name(account(v.by))} {v.version !== e.version && <Button size="small" type="text" aria-expanded={open === v.version} onClick={() => setOpen(open === v.version ? undefined : v.version)}>{t('versions.compare')}</Button>}
          <small>{exact(v.atMs)} · <Link to={`/block/${v.height}`}>{t('height', { n: amount(v.height) })}</Link></small>
          {open === v.version && <Loaded query={old} rows={2}>{(o) => <Changes was={o.entry} next={e} same={t('versions.same')} />}</Loaded>}
        </li>
      ))}
      {read.versions.length > 1 && <li><Link to="/trace/compare" search={{ entry: e.id } as never}>{t('versions.any')}</Link></li>}
    </ol>
  )
}
