// Who is on board: organisations with their roles, their votes and their nodes.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Input, Switch } from 'antd'
import { useTranslation } from 'react-i18next'
import { Role } from '@/gen/mulian/governance/v1/governance_pb'
import { type Account, AccountKind, AccountState, OrgLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { date } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { State } from '@/parts/object'
import { getConsortium } from './votes'
import './operator.css'

export default function Members() {
  const { t } = useTranslation('operator')
  const navigate = useNavigate()
  const [address, change] = useAddress({ q: '', votes: '' })
  const consortium = useQuery(getConsortium)
  const query = useInfiniteQuery({
    queryKey: ['identity/account/', 'orgs', address.q], initialPageParam: '', placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) => rpc(IdentityService).listAccounts({ kind: AccountKind.ORG, text: address.q, after: pageParam, limit: 500 }),
    getNextPageParam: (last) => last.next || undefined,
  })
  const weight = (a: Account) => consortium.data?.members.find((m) => m.org === a.id)?.weight ?? 0
  const roles = (a: Account) => (consortium.data?.roles ?? []).filter((r) => r.account === a.id).map((r) => t(`role.${Role[r.role]}`)).join('、')
  const nodes = (a: Account) => (consortium.data?.validators ?? []).filter((v) => v.org === a.id && v.power > 0n).map((v) => v.name).join('、')
  const all = query.data?.pages.flatMap((p) => p.accounts)
  const rows = address.votes ? all?.filter((a) => weight(a) > 0) : all
  const columns: Column<Account>[] = [
    { id: 'name', title: t('col.name'), card: 'title', sort: (a, b) => (a.profile?.name ?? '').localeCompare(b.profile?.name ?? '', 'zh'), show: (a) => <span className="two">{a.profile?.shortName || a.profile?.name}<small>{a.profile?.name}</small></span> },
    { id: 'code', title: t('col.code'), show: (a) => <code>{a.id}</code> },
    { id: 'level', title: t('col.level'), sort: (a, b) => (a.profile?.level ?? 0) - (b.profile?.level ?? 0), show: (a) => t(`level.${OrgLevel[a.profile?.level ?? 0]}`) },
    { id: 'roles', title: t('col.roles'), show: (a) => roles(a) || '—' },
    { id: 'weight', title: t('col.weight'), number: true, sort: (a, b) => weight(a) - weight(b), show: (a) => weight(a) || '—' },
    { id: 'validator', title: t('col.validator'), show: (a) => nodes(a) || '—' },
    { id: 'state', title: t('col.state'), card: 'end', show: (a) => <State words={t(`accountState.${AccountState[a.state]}`)} tone={a.state === AccountState.ACTIVE ? 'green' : 'red'} /> },
    { id: 'since', title: t('col.since'), sort: (a, b) => Number(a.createdMs - b.createdMs), show: (a) => <span className="nowrap">{date(a.createdMs)}</span> },
  ]
  return (
    <>
      <div className="titles"><h1>{t('menu.members')}</h1></div>
      <section className="card" aria-label={t('menu.members')}>
        <div className="filters">
          <Input.Search style={{ width: 260 }} defaultValue={address.q} onSearch={(q) => change({ q: q.trim() })} allowClear placeholder={t('members.find')} aria-label={t('members.find')} />
          <Switch id="votes" size="small" checked={address.votes !== ''} onChange={(on) => change({ votes: on ? '1' : '' })} /><label htmlFor="votes">{t('members.voting', { n: consortium.data?.members.length ?? 0 })}</label>
        </div>
        {query.isError && !all ? <Loaded query={query}>{() => null}</Loaded> : (
          <DataTable
            caption={t('menu.members')} columns={columns} rows={rows} rowId={(a) => a.id} onOpen={(a) => void navigate({ to: pathOf(account(a.id)) })} total={address.votes ? undefined : Number(query.data?.pages[0]?.total ?? 0)}
            more={query.hasNextPage ? () => void query.fetchNextPage() : undefined} busy={query.isFetchingNextPage} empty={<Empty text={t('members.none')} />}
          />
        )}
      </section>
    </>
  )
}
