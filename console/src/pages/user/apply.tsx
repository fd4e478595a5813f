// /request/new?item=ID: apply for an entry. What is known already stands in the form, with
// where it is from; the purpose is what the asker has to say himself. /request/new?supplement=ID
// is the same form for a request that was found incomplete.
import { create } from '@bufbuild/protobuf'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import type { Entry } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { AgreementState as A, type Request, RequestState as R, TermsSchema } from '@/gen/mulian/share/v1/share_pb'
import { entry as entryKey, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { getEntry, getRequest } from '../inbox/requests'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { Checks } from './checks'
import { Fields } from './fields'
import { listAgreements, listRequests } from './ours'
import { type Form, type Known, prefill } from './prefill'

const ALL = [R.RECEIVED, R.INCOMPLETE, R.ACCEPTED, R.REFUSED, R.WITHDRAWN]

export default function Apply() {
  const { t } = useTranslation('user')
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const [address] = useAddress({ item: '', supplement: '' })
  const old = useQuery({ ...getRequest(address.supplement), enabled: address.supplement !== '' })
  const item = address.item || old.data?.request?.terms?.parts[0]?.entry || ''
  const title = address.supplement ? t('supplement') : t('apply')
  const stop = (text: string, action: React.ReactNode) => <><h1>{title}</h1><div className="card"><Empty text={text} action={action} /></div></>
  if (!signer?.org) return stop(t('nobody'), <Link to="/seats">{shell('signIn')}</Link>)
  if (address.supplement && !old.data) return <><h1>{title}</h1><div className="card"><Loaded query={old}>{() => null}</Loaded></div></>
  if (!item) return stop(t('noItem'), <Link to="/catalogue">{t('toCatalogue')}</Link>)
  return <Ready key={item} org={signer.org} item={item} old={old.data?.request} title={title} />
}

function Ready({ org, item, old, title }: { org: string; item: string; old?: Request; title: string }) {
  const { t } = useTranslation('user')
  const entry = useQuery(getEntry(item))
  const duties = useQuery({ queryKey: ['catalogue/duty/', 'of', org], queryFn: () => rpc(CatalogueService).listDuties({ org, limit: 500 }) })
  const matters = useQuery({ queryKey: ['catalogue/matter/', 'of', org], queryFn: () => rpc(CatalogueService).listMatters({ org, limit: 500 }) })
  const gateways = useQuery({ queryKey: ['identity/account/', 'gateways', org], queryFn: () => rpc(IdentityService).listAccounts({ kind: AccountKind.GATEWAY, org, limit: 50 }) })
  const asked = useQuery(listRequests(org, ALL))
  const late = [entry, duties, matters, gateways, asked].find((q) => q.data === undefined)
  if (late) return <><h1>{title}</h1><div className="card"><Loaded query={late as typeof entry}>{() => null}</Loaded></div></>
  const e = entry.data!.entry
  if (!e) return <><h1>{title}</h1><div className="card"><Empty text={t('noItem')} action={<Link to="/catalogue">{t('toCatalogue')}</Link>} /></div></>
  if (e.provider === org) return <><h1>{title}</h1><div className="card"><Empty text={t('ownItem')} action={<Link to={pathOf(entryKey(item))}>{e.name}</Link>} /></div></>
  return (
    <Sheet
      org={org} title={title} old={old}
      known={{ entry: e, duties: duties.data!.duties.filter((d) => !d.retired), matters: matters.data!.matters.filter((m) => !m.retired), gateways: gateways.data!.accounts.map((a) => a.id), asked: asked.data!.requests }}
    />
  )
}

/** useDraft keeps what somebody has typed until it is signed. */
function useDraft(key: string): [Partial<Form>, (change: Partial<Form>) => void, () => void] {
  const [typed, set] = useState<Partial<Form>>(() => JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Form>)
  const change = (c: Partial<Form>) => set((old) => {
    const next = { ...old, ...c }
    localStorage.setItem(key, JSON.stringify(next))
    return next
  })
  return [typed, change, () => { localStorage.removeItem(key); set({}) }]
}

function Sheet({ org, known, old, title }: { org: string; known: Known; old?: Request; title: string }) {
  const { t } = useTranslation('user')
  const sign = useSign()
  const navigate = useNavigate()
  const { entry } = known
  const [first] = useState(() => prefill(old ? { ...known, asked: [old] } : known)) // a refresh does not move what somebody reads
  const [typed, change, forget] = useDraft(`mulian.draft.request.${org}.${old?.id ?? entry.id}`)
  const [tried, setTried] = useState(false)
  const form: Form = { ...first.form, ...(old && { purpose: old.terms!.purpose }), ...typed }
  const missing = useMemo(() => lacking(form, entry), [form, entry])
  const { $typeName: _, ...before } = old?.terms ?? create(TermsSchema)
  const terms = create(TermsSchema, {
    ...before, // what the form does not show stays as it was asked: masks, windows, bounds
    parts: [{ entry: entry.id, items: entry.items.map((it) => it.code).filter((c) => form.items.includes(c)) }, ...before.parts.slice(1)],
    purpose: form.purpose.trim(), duty: form.duty, matter: form.matter.trim(), legalBasis: form.basis.trim(), appSystem: form.system.trim(), scopeOfUse: form.scope.trim(),
    method: form.method, days: form.days ?? 0, maxCallsPerDay: form.perDay ?? 0, dataLifeDays: form.life ?? 0,
  })
  const go = async () => {
    setTried(true)
    if (missing.length > 0) {
      document.getElementById(`f-${missing[0]}`)?.focus()
      return
    }
    const done = await sign(old
      ? { title, acts: [{ case: 'supplement', value: { request: old.id, terms } }] }
      : { title, acts: [{ case: 'fileRequest', value: { terms, gateway: form.gateway } }] })
    if (!done) return
    forget()
    void navigate({ to: `/request/${old?.id ?? done.ids[0]}` })
  }
  return (
    <>
      <div className="titles"><h1>{title} · {entry.name}</h1></div>
      <Already org={org} entry={entry} known={known} hide={!!old} />
      {old && <p className="note amber">{t('missing')} {old.missing.join('；')}</p>}
      <div className="split">
        <section className="card" aria-label={t('form')}><div className="body"><Fields known={known} form={form} from={first.from} typed={typed} change={change} missing={tried ? missing : []} /></div></section>
        <section className="card" aria-label={t('before')}>
          <header><h2>{t('before')}</h2></header>
          <div className="body sheet">
            <Checks org={org} entry={entry} form={form} />
            <p className="actions">
              <Button type="primary" onClick={() => void go()} data-testid="file">{t('file')}</Button>
              {Object.keys(typed).length > 0 && <Button onClick={forget}>{t('reset')}</Button>}
            </p>
            {tried && missing.length > 0 && <p className="note red" role="alert">{t('lacking')} {missing.map((f) => t(`field.${f}`)).join('、')}</p>}
          </div>
        </section>
      </div>
    </>
  )
}

/** lacking are the fields without which nothing can be filed, in the order of the form. */
function lacking(f: Form, e: Entry): (keyof Form)[] {
  const out: (keyof Form)[] = []
  if (!f.purpose.trim()) out.push('purpose')
  if (!f.duty) out.push('duty')
  if (!e.items.some((it) => f.items.includes(it.code))) out.push('items')
  if (!f.gateway) out.push('gateway')
  return out
}

/** Already says what is there: the same may be asked, or agreed, so that nobody asks twice. */
function Already({ org, entry, known, hide }: { org: string; entry: Entry; known: Known; hide: boolean }) {
  const { t } = useTranslation('user')
  const held = useQuery(listAgreements(org, [A.OFFERED, A.ACTIVE, A.AMENDING, A.RENEWING, A.SUSPENDED], entry.id, 20))
  const open = known.asked.filter((r) => (r.state === R.RECEIVED || r.state === R.INCOMPLETE) && r.terms?.parts.some((p) => p.entry === entry.id))
  const agreements = held.data?.agreements ?? []
  const name = useNames([entryKey(entry.id)])
  if (hide || open.length + agreements.length === 0) return null
  return (
    <p className="note amber">
      {t('already', { name: name(entryKey(entry.id)) })}{' '}
      {open.map((r) => <Link key={r.id} to={`/request/${r.id}`}>{t('openRequest')} <code>{r.id}</code> </Link>)}
      {agreements.map((a) => <Link key={a.id} to={`/agreement/${a.id}`}>{t('heldAgreement')} <code>{a.id}</code> </Link>)}
    </p>
  )
}
