// One organisation, department, post or gateway: who it is, what it may do, with which keys.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Role } from '@/gen/mulian/governance/v1/governance_pb'
import { type Account, AccountKind as K, AccountSchema, AccountState, OrgLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount, exact } from '@/chain/words'
import { ObjectPage, State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { useWho } from '@/shell/who'
import { KeysTable } from './accounts'
import { getAccount, listUnits } from './units'
import { getConsortium } from './votes'
import './operator.css'

export default function OrgPage() {
  const { t } = useTranslation('operator')
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(getAccount(id))
  return (
    <Loaded query={query}>
      {(a) => (a === null ? <><h1>{t('org.title')}</h1><div className="card"><Empty text={t('org.none', { id })} action={<Link to="/members">{t('menu.members')}</Link>} /></div></> : (
        <ObjectPage
          object={account(id)} number={id} title={a.profile?.name || a.name || t(`kind.${K[a.kind]}`)}
          state={<State words={t(`accountState.${AccountState[a.state]}`)} tone={a.state === AccountState.ACTIVE ? 'green' : 'red'} />}
          overview={<Overview a={a} />} schema={AccountSchema} value={a} relations={[a.org !== a.id && a.org, a.profile?.parent, a.suspendedBy].filter(Boolean).map((o) => account(o as string))}
        />
      ))}
    </Loaded>
  )
}

function Overview({ a }: { a: Account }) {
  const { t } = useTranslation('operator')
  const { all } = useWho()
  const consortium = useQuery(getConsortium)
  const units = useQuery({ ...listUnits(a.id), enabled: a.kind === K.ORG })
  const name = useNames([account(a.profile?.parent ?? ''), account(a.org)])
  const member = consortium.data?.members.find((m) => m.org === a.id)
  const roles = (consortium.data?.roles ?? []).filter((r) => r.account === a.id)
  const nodes = (consortium.data?.validators ?? []).filter((v) => v.org === a.id)
  const below = (units.data?.accounts ?? []).filter((u) => u.id !== a.id)
  return (
    <div className="sheet">
      <dl className="facts">
        <dt>{t('col.kindOf')}</dt><dd>{t(`kind.${K[a.kind]}`)}</dd>
        {a.profile && <><dt>{t('col.level')}</dt><dd>{t(`level.${OrgLevel[a.profile.level]}`)} <code className="second">{a.profile.region}</code></dd></>}
        {a.profile?.parent && <><dt>{t('org.parent')}</dt><dd><Link to={pathOf(account(a.profile.parent))}>{name(account(a.profile.parent))}</Link></dd></>}
        {a.org && a.org !== a.id && <><dt>{t('org.title')}</dt><dd><Link to={pathOf(account(a.org))}>{name(account(a.org))}</Link></dd></>}
        {a.profile?.sharingOffice && <><dt>{t('org.office')}</dt><dd>{a.profile.sharingOffice}</dd></>}
        {a.gateway && <><dt>{t('org.url')}</dt><dd><code>{a.gateway.url}</code></dd></>}
        {roles.length > 0 && <><dt>{t('col.roles')}</dt><dd>{roles.map((r) => t(`role.${Role[r.role]}`)).join('、')}</dd></>}
        {member && <><dt>{t('col.weight')}</dt><dd>{t('gov.weight', { n: member.weight })}{member.actedMs > 0n && ` · ${t('org.acted', { at: exact(member.actedMs) })}`}</dd></>}
        {nodes.length > 0 && <><dt>{t('col.validator')}</dt><dd><Link to="/nodes">{nodes.map((v) => v.name).join('、')}</Link></dd></>}
        {a.suspendedCause && <><dt>{t('org.cause')}</dt><dd>{a.suspendedCause}</dd></>}
        <dt>{t('col.since')}</dt><dd>{exact(a.createdMs)}</dd>
      </dl>
      {a.kind === K.ORG && (
        <p className="actions">
          <Link to="/catalogue/map" search={{ org: a.id } as never}>{t('org.map')}</Link>
          <Link to="/requests" search={{ provider: a.id } as never}>{t('org.asked')}</Link>
          <Link to="/requests" search={{ requester: a.id } as never}>{t('org.asks')}</Link>
          <Link to="/keys" search={{ org: a.id } as never}>{t('org.keys')}</Link>
          <Link to="/explorer" search={{ account: a.id } as never}>{t('org.signed')}</Link>
        </p>
      )}
      <section aria-label={t('menu.keys')}><h2>{t('menu.keys')}</h2><KeysTable whose={false} held={a.keys.map((key) => ({ account: a, key, mine: all.some((s) => s.account === a.id && s.keyId === key.id) }))} /></section>
      {below.length > 0 && (
        <section aria-label={t('org.units')}>
          <h2>{t('org.units')} {amount(below.length)}</h2>
          <ul className="line">{below.map((u) => <li key={u.id}><Link to={pathOf(account(u.id))}>{u.name || u.id}</Link> · {t(`kind.${K[u.kind]}`)}<small className="mono">{u.id}</small></li>)}</ul>
        </section>
      )}
    </div>
  )
}
