// The one form: who applies, and what the matter asks for. What a registered use covers is asked
// of the applicant in one transaction, one request for each source; the rest is said in words.
import { QrcodeOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button, Input, Select } from 'antd'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Matter, MatterSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import { hex, random } from '@/chain/bytes'
import { now } from '@/chain/live'
import { account, entry as entryKey, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, date, moment } from '@/chain/words'
import { useSign } from '@/parts/sign'
import { Bones, Loaded, Trouble } from '@/parts/states'
import { useWho } from '@/shell/who'
import { readObject } from '../catalogue/reads'
import { commit } from '../user/owners'
import { coverOf, dropCase, keepCase, knownUses } from './cases'
import { both, type Cover, type Part, partsOf } from './cover'
import { Counter } from './kiosk'
import { accountIn, textOf } from './scan'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const WAITS = [15, 30, 60, 24 * 60 - 1]

export default function Apply() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(readObject(MatterSchema, `catalogue/matter/${id}`))
  return <Counter><Loaded query={query}>{(m) => <Form matter={m} />}</Loaded></Counter>
}

/** request is what the ledger gets of a part: nothing that is not registered, nothing of the person but the account. */
export const request = (p: Part, owner: string, reference: Uint8Array, gateway: { id: string; key: string }, at: number, minutes: number) => ({ case: 'requestData' as const, value: { request: {
  use: p.known.use.id, owner, items: p.items, optionalItems: both(p.items, p.known.use.optionalItems), maxUses: p.known.use.maxUses, minIntervalSeconds: p.known.use.minIntervalSeconds,
  dataLifeDays: p.known.use.dataLifeDays, toMs: BigInt(at + p.known.use.maxDays * DAY_MS - MINUTE_MS), notAfterMs: BigInt(at + minutes * MINUTE_MS), noticeHash: p.known.use.noticeHash,
  businessReference: reference as Uint8Array<ArrayBuffer>, nonce: random(16), gateway: gateway.id, recipientKey: gateway.key,
} } })

/** gatewayOf is the gateway that receives for an organisation. */
export const listGateways = (org: string) => ({ queryKey: ['identity/account/', 'gateways', org], queryFn: () => rpc(IdentityService).listAccounts({ kind: AccountKind.GATEWAY, org, limit: 50 }) })

function Form({ matter }: { matter: Matter }) {
  const { t } = useTranslation('case')
  const { signer } = useWho()
  const sign = useSign()
  const navigate = useNavigate()
  const org = signer?.org ?? ''
  const known = useQuery(knownUses(org))
  const covers = useQuery(coverOf(org, matter.inputs, known.data))
  const gateways = useQuery({ ...listGateways(org), enabled: org !== '' })
  const [scanned, setScanned] = useState('')
  const [number, setNumber] = useState(() => `${matter.code}-${date(now()).replaceAll('-', '')}-${String(crypto.getRandomValues(new Uint16Array(1))[0]! % 10_000).padStart(4, '0')}`)
  const [minutes, setMinutes] = useState(60)
  const owner = accountIn(scanned)
  const gateway = gateways.data?.accounts[0]
  const parts = partsOf(covers.data ?? [])
  const sources = new Set(parts.map((p) => p.known.entry.provider)).size
  const may = org !== '' && org === matter.org
  const ready = may && owner !== '' && number.trim() !== '' && parts.length > 0 && !!gateway
  const submit = async () => {
    if (!ready) return
    const { sum, salt } = await commit(number.trim())
    const reference = hex(sum)
    const at = now()
    const paper = (covers.data ?? []).filter((c) => c.by !== 'use' && c.by !== 'own').map((c) => c.input)
    await keepCase({ reference, org, matter: matter.id, name: matter.name, number: number.trim(), salt: hex(salt), paper, atMs: at })
    const done = await sign({ title: t('submit'), acts: parts.map((p) => request(p, owner, sum, { id: gateway.id, key: gateway.gateway?.sealingKey?.id ?? '' }, at, minutes)) })
    if (done) void navigate({ to: `/case/${reference}` })
    else await dropCase(reference)
  }
  return (
    <>
      <div className="titles"><h1>{matter.name}</h1><code>{matter.code}</code><span className="end"><Link to="/matters">{t('matters')}</Link></span></div>
      {org !== '' && !may && <p className="note amber">{t('otherOrg')}</p>}
      {org === '' && <p className="note amber">{t('nobody')} <Link to="/seats">{t('toSeats')}</Link></p>}
      {may && <Applicant text={scanned} owner={owner} change={setScanned} go={() => void submit()} />}
      <section className="card" aria-labelledby="form">
        <header><h2 id="form">{t('form')} {amount(matter.inputs.length)}</h2>{covers.data && <span className="second">{t('covered', { n: covers.data.filter((c) => c.by === 'use').length, sources })}</span>}</header>
        {known.isError ? <Trouble error={known.error} /> : covers.isError ? <Trouble error={covers.error} retry={() => void covers.refetch()} /> : covers.data ? <Inputs covers={covers.data} seen={new Map(known.data?.map((k) => [k.use.id, k.seenMs]))} /> : org !== '' && <Bones />}
      </section>
      {may && (
        <section className="card" aria-labelledby="sending"><header><h2 id="sending">{t('sending')}</h2></header><div className="body sheet">
          <div className="pairs">
            <div className="field"><label htmlFor="c-number">{t('number')}</label><Input id="c-number" value={number} onChange={(e) => setNumber(e.target.value)} maxLength={100} /><small className="second">{t('numberText')}</small></div>
            <div className="field"><label htmlFor="c-minutes">{t('answerWithin')}</label><Select id="c-minutes" aria-label={t('answerWithin')} value={minutes} onChange={setMinutes} options={WAITS.map((n) => ({ value: n, label: n > 60 ? t('oneDay') : t('nMinutes', { n }) }))} /></div>
          </div>
          {gateways.data && !gateway && <p className="note amber">{t('noGateway')} <code>mulian gateway init main --name NAME --as {org}</code></p>}
          {covers.data && parts.length === 0 && <p className="note amber">{t('nothingCovered')}</p>}
          <p className="actions"><Button type="primary" size="large" disabled={!ready} onClick={() => void submit()} data-testid="submit">{t('submit')}</Button>{parts.length > 0 && <span className="second">{t('oneSignature', { n: parts.length, sources })}</span>}</p>
        </div></section>
      )}
    </>
  )
}

function Applicant({ text, owner, change, go }: { text: string; owner: string; change: (text: string) => void; go: () => void }) {
  const { t } = useTranslation('case')
  const file = useRef<HTMLInputElement>(null)
  const [trouble, setTrouble] = useState('')
  const read = async (picture?: Blob) => {
    if (!picture) return
    setTrouble('')
    try {
      const said = await textOf(picture)
      change(said)
      if (!accountIn(said)) setTrouble(t('noAccount'))
    } catch { setTrouble(t('noCode')) }
  }
  return (
    <section className="card" aria-labelledby="whom"><header><h2 id="whom">{t('applicant')}</h2></header><div className="body">
      <div className="field">
        <label htmlFor="c-owner">{t('scanLabel')}</label>
        <div className="who">
          <Input id="c-owner" className="mono" size="large" autoFocus autoComplete="off" value={text} onChange={(e) => { change(e.target.value); setTrouble('') }} maxLength={300} placeholder="p-…" status={text.trim() && !owner ? 'error' : undefined} onPressEnter={go} />
          <Button size="large" icon={<QrcodeOutlined />} onClick={() => file.current?.click()}>{t('picture')}</Button>
          <input ref={file} type="file" accept="image/*" capture="environment" hidden data-testid="picture" onChange={(e) => { void read(e.target.files?.[0]); e.target.value = '' }} />
        </div>
        <small role="status">{trouble ? <span className="pill red square">{trouble}</span> : text.trim() && !owner ? <span className="pill red square">{t('wrongOwner')}</span> : owner ? <span className="pill green square">{t('found', { who: owner })}</span> : <span className="second">{t('scanText')}</span>}</small>
      </div>
    </div></section>
  )
}

function Inputs({ covers, seen }: { covers: Cover[]; seen: Map<string, bigint> }) {
  const { t } = useTranslation('case')
  const name = useNames(covers.flatMap((c) => (c.by === 'paper' ? [] : [account(c.by === 'use' ? c.known.entry.provider : c.entry.provider)])))
  return (
    <div className="table whole"><table>
      <caption>{t('form')}</caption>
      <thead><tr><th scope="col">{t('input')}</th><th scope="col">{t('from')}</th><th scope="col">{t('how')}</th></tr></thead>
      <tbody>{covers.map((c) => {
        const e = c.by === 'use' ? c.known.entry : c.by === 'paper' ? undefined : c.entry
        return (
          <tr key={c.input} data-by={c.by}>
            <th scope="row" style={{ position: 'static' }}>{c.input}</th>
            <td>{e ? <span className="two"><Link to={pathOf(entryKey(e.id))}>{e.name}</Link><small>{name(account(e.provider))} · {t('version', { n: String(e.version) })}{c.by === 'use' && seen.get(c.known.use.id) ? ` · ${t('seen', { at: moment(seen.get(c.known.use.id)) })}` : ''}</small></span> : <span className="second">{t('noEntry')}</span>}</td>
            <td>{c.by === 'use' ? <span className="two"><span className="pill square green">{t('by.use')}</span><small>{c.known.use.title}</small></span>
              : <span className="two"><span className={`pill square ${c.by === 'own' ? 'blue' : 'amber'}`}>{t(`by.${c.by}`)}</span><small>{t(`what.${c.by}`)}</small></span>}</td>
          </tr>
        )
      })}</tbody>
    </table></div>
  )
}
