// The page of one grant: what an owner allows, how often it was used, and that no use is left
// out: the counter on the ledger says how many there are.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { GrantSchema, GrantState as G, GrantUseOutcome as O, type Use } from '@/gen/mulian/grant/v1/grant_pb'
import { type GetGrantResponse, GrantService } from '@/gen/mulian/grant/v1/query_pb'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, date, moment } from '@/chain/words'
import { Command } from '@/parts/command'
import { ObjectPage, State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { getEntry } from '../inbox/requests'

const tones: Partial<Record<G, 'blue' | 'green' | 'amber' | 'red'>> = { [G.ACTIVE]: 'green', [G.COOLING]: 'blue', [G.PAUSED]: 'amber', [G.REVOKED]: 'red', [G.VOIDED]: 'red' }

export default function GrantPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery({ queryKey: [`grant/grant/${id}`, 'one'], queryFn: () => rpc(GrantService).getGrant({ id }) })
  return <Loaded query={query}>{(d) => <Page d={d} />}</Loaded>
}

function Page({ d }: { d: GetGrantResponse }) {
  const { t } = useTranslation('user')
  const g = d.grant!
  return (
    <ObjectPage
      object={`grant/grant/${g.id}`} number={g.id} title={d.use?.title || t('grant')} state={<State words={t(`grantState.${G[g.state]}`)} tone={tones[g.state] ?? 'grey'} />}
      overview={<Overview d={d} />} schema={GrantSchema} value={g}
      relations={[`grant/request/${g.request}`, account(g.owner), account(g.grantee), ...(g.entry ? [entry(g.entry)] : [])]}
    />
  )
}

function Overview({ d }: { d: GetGrantResponse }) {
  const { t } = useTranslation('user')
  const { signer } = useWho()
  const g = d.grant!
  const name = useNames([account(g.grantee), account(g.actor), entry(g.entry), ...g.providers.map(account)])
  const read = useQuery({ ...getEntry(g.entry), enabled: g.entry !== '' })
  const left = g.maxUses ? Math.max(0, g.maxUses - g.uses) : undefined
  return (
    <div className="sheet">
      <dl className="facts">
        <dt>{t('grantee')}</dt><dd><Link to={pathOf(account(g.grantee))}>{name(account(g.grantee))}</Link></dd>
        <dt>{t('owner')}</dt><dd><code>{g.owner}</code></dd>
        {g.actor !== g.owner && <><dt>{t('givenBy')}</dt><dd>{name(account(g.actor))} · <Link to={pathOf(`mandate/mandate/${g.mandate}`)}>{t('underMandate')}</Link></dd></>}
        <dt>{t('ofAsk')}</dt><dd><Link to={`/datarequest/${g.request}`}><code>{g.request}</code></Link></dd>
        {g.entry && <><dt>{t('item')}</dt><dd><Link to={pathOf(entry(g.entry))}>{name(entry(g.entry))}</Link></dd><dt>{t('field.items')}</dt><dd>{g.itemCodes.map((c) => read.data?.entry?.items.find((it) => it.code === c)?.name || c).join('、')}</dd></>}
        <dt>{t('term')}</dt><dd>{date(g.notBeforeMs)} – {date(g.notAfterMs)}</dd>
        <dt>{t('left')}</dt><dd>{left === undefined ? t('hint.unbounded') : t('leftOf', { n: left, of: g.maxUses })}</dd>
      </dl>
      {signer?.org === g.grantee && g.state === G.ACTIVE && (
        <div className="field"><strong>{t('fetchHead')}</strong><small className="second">{t('fetchGrant')}</small><Command text={`mulian share by-grant ${g.id} --gateway ${g.gateway}`} /></div>
      )}
      <Log id={g.id} />
      <Receipt id={g.id} />
    </div>
  )
}

function Log({ id }: { id: string }) {
  const { t } = useTranslation('user')
  const navigate = useNavigate()
  const query = useQuery({ queryKey: [`grant/grant/${id}`, 'uses'], queryFn: () => rpc(GrantService).findUsage({ grant: id, limit: 200 }) })
  const columns: Column<Use>[] = [
    { id: 'n', title: t('number'), card: 'title', show: (u) => t('nth', { n: String(u.number) }) },
    { id: 'outcome', title: t('state'), show: (u) => <State words={t(`outcome.${O[u.outcome]}`)} tone={u.outcome === O.RELEASED ? 'green' : u.outcome === O.FAILED ? 'red' : 'grey'} /> },
    { id: 'provider', title: t('gave'), show: (u) => <code>{u.provider}</code> },
    { id: 'height', title: t('height'), number: true, show: (u) => amount(u.height) },
    { id: 'at', title: t('at'), card: 'end', show: (u) => moment(u.atMs) },
  ]
  return (
    <section className="card" aria-label={t('uses')}>
      <Loaded query={query} rows={3}>
        {(d) => <><header><h2>{t('uses')} {amount(d.total)}</h2><span className="second">{BigInt(d.uses.length) === d.sequence ? t('noneMissing', { n: String(d.sequence) }) : t('ofSequence', { n: String(d.sequence) })}</span></header>
          <DataTable whole caption={t('uses')} columns={columns} rows={d.uses} rowId={(u) => String(u.number)} onOpen={(u) => void navigate({ to: `/block/${u.height}` })} empty={<Empty text={t('noGrantUses')} />} /></>}
      </Loaded>
    </section>
  )
}

function Receipt({ id }: { id: string }) {
  const { t, i18n } = useTranslation('user')
  const query = useQuery({ queryKey: [`grant/grant/${id}`, 'receipt', i18n.language], queryFn: () => rpc(GrantService).getReceipt({ grant: id, language: i18n.language.slice(0, 2) }) })
  const r = query.data?.receipt
  if (!r) return query.isError ? <p className="second">{t('noReceipt')}</p> : null
  return <p>{t('receipt')} <code>{r.id}</code> · {moment(r.atMs)} · <a href={`/v/${id}`}>{t('publicPage')}</a></p>
}
