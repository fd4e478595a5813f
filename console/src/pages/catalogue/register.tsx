// From a source into the catalogue: tables that a gateway sees and no entry covers are ticked,
// get a duty that the steward accepts, and are filed and locked with one signature.
import { create } from '@bufbuild/protobuf'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button, Checkbox, Input, Select } from 'antd'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Duty, type Entry, EntrySchema, EntryState, Method, ShareConditionsSchema, ShareType, ShareTypeSchema, type Table } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { duty as dutyKey, entry as entryKey } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import type { Act } from '@/chain/tx'
import { amount, exact } from '@/chain/words'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { blank } from './edit'
import { itemOf } from './form'
import { getConsortium, listDuties, listEntries, listTables } from './reads'
import { SignersField, useSuggestedSigners } from './signers'
import { own, useValue } from './words'

/** Plan is what the steward says of one table. */
interface Plan { name: string; local: string; share: ShareType; scope: string; duty?: string; accepted: boolean }

export default function Register() {
  const { t } = useTranslation('catalogue')
  const { signer } = useWho()
  const org = signer?.org ?? ''
  const tables = useQuery(listTables(org))
  const entries = useQuery(listEntries({ provider: org }))
  const duties = useQuery(listDuties(org))
  const title = <div className="titles"><h1>{t('register.title')}</h1></div>
  if (!org) return <>{title}<div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{t('signIn')}</Link>} /></div></>
  return (
    <>
      {title}
      <Loaded query={tables}>{(x) => <Loaded query={entries}>{(e) => <Loaded query={duties}>{(d) => <Tables org={org} tables={x.tables} entries={e.entries} duties={d.duties.filter((y) => !y.retired)} />}</Loaded>}</Loaded>}</Loaded>
    </>
  )
}

/** pairs are what of a text is compared: two letters that stand together. */
const pairs = (s: string): Set<string> => new Set([...s.toLowerCase().replace(/[\s_.,，。、()（）]/g, '')].map((c, i, all) => c + (all[i + 1] ?? '')).filter((p) => p.length > 1))

/** suggest is the duty that shares most with a table's words; entries of the same source count, too. */
function suggest(duties: Duty[], entries: Entry[], table: Table, name: string): Duty | undefined {
  const words = pairs([name, table.name, ...table.columns.map((c) => c.comment || c.name)].join(' '))
  const source = `${table.gateway}:${table.source}.`
  const score = (d: Duty) => [...pairs(d.title)].filter((p) => words.has(p)).length * 2 + (entries.some((e) => e.table.startsWith(source) && e.duties.includes(d.id)) ? 1 : 0)
  return [...duties].sort((a, b) => score(b) - score(a))[0]
}

function Tables({ org, tables, entries, duties }: { org: string; tables: Table[]; entries: Entry[]; duties: Duty[] }) {
  const { t } = useTranslation('catalogue')
  const sign = useSign()
  const navigate = useNavigate()
  const [address] = useAddress({ tick: '', source: '' })
  const consortium = useQuery(getConsortium())
  const usual = useSuggestedSigners(org)
  const [chosenSigners, setSigners] = useState<string[]>()
  const covered = useMemo(() => new Set(entries.filter((e) => e.state !== EntryState.WITHDRAWN).map((e) => e.table)), [entries])
  const open = tables.filter((x) => !x.gone && !covered.has(x.id) && (!address.source || `${x.gateway}:${x.source}` === address.source))
  const first = (x: Table): Plan => ({ name: x.name, local: x.name.replace(/\s/g, '-').slice(0, 60), share: ShareType.UNCONDITIONAL, scope: '', accepted: false })
  const [plans, setPlans] = useState<ReadonlyMap<string, Plan>>(() => new Map(open.filter((x) => x.id === address.tick).map((x) => [x.id, first(x)])))
  const set = (id: string, p?: Plan) => setPlans((was) => { const next = new Map(was); if (p) next.set(id, p); else next.delete(id); return next })
  const signers = chosenSigners ?? usual ?? []
  const reviewed = consortium.data?.parameters?.publishNeedsReview ?? false
  const dutyOf = (x: Table, p: Plan) => p.duty ?? suggest(duties, entries, x, p.name)?.id
  const ready = plans.size > 0 && signers.length > 0 && consortium.isSuccess && [...plans.values()].every((p) => p.accepted && p.name.trim() && p.local.trim() && (p.share !== ShareType.CONDITIONAL || p.scope.trim()))
  const entryOf = (x: Table, p: Plan): Entry => create(EntrySchema, {
    ...blank(org), id: `${org}:${p.local.trim()}`, name: p.name.trim(), duties: [dutyOf(x, p)!], table: x.id, system: x.system, methods: [Method.QUERY, Method.BATCH], shareType: p.share,
    conditions: p.share === ShareType.CONDITIONAL ? create(ShareConditionsSchema, { scope: p.scope.trim() }) : undefined, items: x.columns.map(itemOf),
  })
  const go = async () => {
    const next = open.filter((x) => plans.has(x.id)).map((x) => entryOf(x, plans.get(x.id)!))
    const acts: Act[] = [{ case: 'submitEntries', value: { entries: next } }]
    if (!reviewed) acts.push({ case: 'lockEntries', value: { entries: next.map((e) => e.id), counterSigners: [...signers].sort() } })
    const done = await sign({ title: t(reviewed ? 'register.file' : 'register.sign'), acts })
    if (done) void navigate({ to: next.length === 1 ? pathOf(entryKey(next[0]!.id)) : '/catalogue' })
  }
  if (open.length === 0) return <div className="card"><Empty text={t(tables.length === 0 ? 'register.noSource' : 'register.none')} action={tables.length === 0 ? <code>mulian source add NAME URL</code> : <Link to="/catalogue">{t('title')}</Link>} /></div>
  return (
    <>
      <p className="second">{t('register.text')}</p>
      {open.map((x) => {
        const p = plans.get(x.id)
        return (
          <section key={x.id} className="card" aria-label={x.name}>
            <header>
              <Checkbox checked={!!p} onChange={(e) => set(x.id, e.target.checked ? first(x) : undefined)} data-testid="tick"><strong>{x.name}</strong></Checkbox>
              <span className="second">{x.source} · {t('register.columns', { n: x.columns.length })} · {t('table.about', { n: amount(x.rowsEstimate) })} · {t('register.seen', { at: exact(x.seenMs) })}</span>
              <span className="end"><Link to={pathOf(`catalogue/table/${x.id}`)}>{t('register.look')}</Link></span>
            </header>
            {p && <div className="body"><One plan={p} duty={dutyOf(x, p)} duties={duties} org={org} set={(next) => set(x.id, next)} columns={x.columns.map((c) => c.comment || c.name)} /></div>}
          </section>
        )
      })}
      {plans.size > 0 && (
        <section className="card" aria-label={t('lock.label')}><div className="body sheet">
          {reviewed ? <p className="note amber">{t('register.reviewed')}</p> : <SignersField org={org} value={signers} change={setSigners} />}
          <p className="actions"><Button type="primary" disabled={!ready} onClick={() => void go()} data-testid="register">{t(reviewed ? 'register.file' : 'register.sign')}</Button>{!ready && <span className="second">{t('register.notYet')}</span>}</p>
        </div></section>
      )}
    </>
  )
}

function One({ plan, duty, duties, org, set, columns }: { plan: Plan; duty?: string; duties: Duty[]; org: string; set: (p: Plan) => void; columns: string[] }) {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const chosen = duties.find((d) => d.id === duty)
  return (
    <div className="sheet">
      <div className="pairs">
        <label className="field">{t('f.name')}<Input value={plan.name} maxLength={200} data-testid="name" onChange={(e) => set({ ...plan, name: e.target.value })} /></label>
        <label className="field">{t('f.id')}<Input addonBefore={`${org}:`} value={plan.local} maxLength={60} onChange={(e) => set({ ...plan, local: e.target.value })} /></label>
        <label className="field">{t('col.share')}<Select aria-label={t('col.share')} value={plan.share} onChange={(share) => set({ ...plan, share })} options={ShareTypeSchema.values.filter((v) => v.number === 1 || v.number === 2).map((v) => ({ value: v.number as ShareType, label: value(ShareTypeSchema, v.number) }))} /></label>
        {plan.share === ShareType.CONDITIONAL && <label className="field">{t('f.scope')}<Input value={plan.scope} maxLength={1000} onChange={(e) => set({ ...plan, scope: e.target.value })} /></label>}
      </div>
      <p className="second">{t('register.items', { list: columns.slice(0, 12).join('、') + (columns.length > 12 ? '…' : '') })}</p>
      <div className={plan.accepted ? 'note green' : 'note'}>
        <strong>{t(plan.accepted ? 'register.accepted' : plan.duty ? 'register.chosen' : 'register.suggested')}</strong>
        {chosen ? <p><Link to={pathOf(dutyKey(chosen.id))}>{chosen.title}</Link> <span className="second">{own(chosen.id)} {chosen.source}{chosen.article}</span></p> : <p>{t('tree.empty')}</p>}
        <p className="actions">
          {!plan.accepted && chosen && <Button type="primary" size="small" data-testid="accept" onClick={() => set({ ...plan, duty: chosen.id, accepted: true })}>{t('register.accept')}</Button>}
          <Select size="small" showSearch aria-label={t('register.other')} placeholder={t('register.other')} value={undefined} optionFilterProp="label" style={{ minWidth: 220 }} onChange={(d: string) => set({ ...plan, duty: d, accepted: false })} options={duties.map((d) => ({ value: d.id, label: d.title }))} />
        </p>
      </div>
    </div>
  )
}
