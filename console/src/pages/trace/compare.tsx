// Two versions of a catalogue entry, side by side: what stood at one height and at another.
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Select } from 'antd'
import { useTranslation } from 'react-i18next'
import { CatalogueService, type GetEntryResponse } from '@/gen/mulian/catalogue/v1/query_pb'
import { account, entry, useNames } from '@/chain/names'
import { pathOf, pathOfTrace } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { Changes } from '../catalogue/changes'

const read = (id: string, version: bigint) => ({
  queryKey: [entry(id), 'version', String(version)], enabled: id !== '',
  queryFn: () => rpc(CatalogueService).getEntry({ id, version }),
})

export default function Compare() {
  const { t } = useTranslation('trace')
  const [address, change] = useAddress({ entry: '', a: '', b: '' })
  const now = useQuery(read(address.entry, 0n))
  return (
    <>
      <div className="titles"><h1>{t('compare.title')}</h1></div>
      {address.entry === '' ? <div className="card"><Empty text={t('compare.none')} action={<Link to="/trace">{t('title')}</Link>} /></div>
        : <Loaded query={now}>{(d) => <Two now={d} a={address.a} b={address.b} pick={change} />}</Loaded>}
    </>
  )
}

function Two({ now, a, b, pick }: { now: GetEntryResponse; a: string; b: string; pick: (x: { a?: string; b?: string }) => void }) {
  const { t } = useTranslation('trace')
  const e = now.entry!
  const versions = [...now.versions].sort((x, y) => Number(x.version - y.version))
  const of = (text: string, other: number) => versions.find((v) => String(v.version) === text) ?? versions.at(other) ?? versions[0]!
  const first = of(a, -2), second = of(b, -1)
  const was = useQuery(read(e.id, first.version)), next = useQuery(read(e.id, second.version))
  const name = useNames(versions.map((v) => account(v.by)))
  const options = versions.map((v) => ({ value: String(v.version), label: `v${v.version} · ${exact(v.atMs)}` }))
  return (
    <section className="card" aria-label={e.name}>
      <header><h2>{e.name}</h2><Link to={pathOf(entry(e.id))}>{t('open', { kind: t('shell:kinds.entry') })}</Link><Link to={pathOfTrace(entry(e.id))}>{t('title')}</Link></header>
      <div className="body sheet">
        <dl className="facts">
          {([['a', first], ['b', second]] as const).map(([side, v]) => [
            <dt key={`${side}t`}>{t(`compare.${side}`)}</dt>,
            <dd key={side}>
              <Select size="small" aria-label={t(`compare.${side}`)} style={{ width: 240 }} value={String(v.version)} options={options} onChange={(to: string) => pick({ [side]: to })} />{' '}
              <Link to={`/block/${v.height}`}>{t('height', { height: amount(v.height) })}</Link> · {name(account(v.by)) || v.by}
            </dd>,
          ])}
        </dl>
        {versions.length < 2 && <p className="note">{t('compare.one')}</p>}
        <Loaded query={was}>{(x) => <Loaded query={next}>{(y) => <Changes was={x.entry} next={y.entry!} same={t('compare.same')} />}</Loaded>}</Loaded>
      </div>
    </section>
  )
}
