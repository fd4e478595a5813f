// The page of one duty: what it is, what rests on it.
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { DutySchema, type Entry, PowerTypeSchema, ShareTypeSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { account, duty, entry } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount, date } from '@/chain/words'
import { ObjectPage, State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { listEntries, listMatters, readObject } from './reads'
import { EntryState, LockState, own, useValue } from './words'

export default function DutyPage() {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const navigate = useNavigate()
  const { signer } = useWho()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery(readObject(DutySchema, duty(id)))
  const entries = useQuery(listEntries({ duty: id }))
  const matters = useQuery(listMatters(id))
  const columns: Column<Entry>[] = [
    { id: 'name', title: t('col.name'), card: 'title', sort: (a, b) => a.name.localeCompare(b.name), show: (e) => <span className="two">{e.name}<small className="mono">{own(e.id)} · v{String(e.version)}</small></span> },
    { id: 'lock', title: t('col.lock'), card: 'end', show: (e) => <LockState entry={e} /> },
    { id: 'state', title: t('col.state'), show: (e) => <EntryState state={e.state} /> },
    { id: 'share', title: t('col.share'), show: (e) => value(ShareTypeSchema, e.shareType) },
    { id: 'items', title: t('col.items'), number: true, show: (e) => amount(e.items.length) },
  ]
  return (
    <Loaded query={query}>
      {(d) => (
        <ObjectPage
          object={duty(id)} number={d.id} title={d.title} schema={DutySchema} value={d}
          state={<State words={t(d.retired ? 'duty.retired' : 'duty.inForce')} tone={d.retired ? 'grey' : 'green'} />}
          action={signer?.org === d.org && !d.retired && <Button type="primary" onClick={() => void navigate({ to: '/catalogue/new' as never, search: { duty: d.id } as never })}>{t('edit.new')}</Button>}
          relations={[account(d.org), ...(entries.data?.entries ?? []).map((e) => entry(e.id)), ...(matters.data?.matters ?? []).map((m) => `catalogue/matter/${m.id}`)]}
          overview={(
            <div className="sheet">
              <dl className="facts">
                <dt>{t('duty.power')}</dt><dd>{value(PowerTypeSchema, d.powerType)}</dd>
                {d.source && <><dt>{t('duty.source')}</dt><dd>{d.source}{d.article && ` · ${d.article}`}</dd></>}
                {d.matterCode && <><dt>{t('duty.matter')}</dt><dd><code>{d.matterCode}</code></dd></>}
                {(d.validFromMs > 0n || d.validToMs > 0n) && <><dt>{t('duty.valid')}</dt><dd>{date(d.validFromMs)} – {date(d.validToMs)}</dd></>}
                <dt>{t('col.version')}</dt><dd>v{String(d.version)}</dd>
              </dl>
              <h2>{t('duty.entries', { n: Number(entries.data?.total ?? 0) })}</h2>
              <DataTable caption={t('duty.entries', { n: Number(entries.data?.total ?? 0) })} columns={columns} rows={entries.data?.entries} rowId={(e) => e.id} onOpen={(e) => void navigate({ to: pathOf(entry(e.id)) })} total={Number(entries.data?.total ?? 0)} whole empty={<Empty text={t('duty.empty')} />} />
            </div>
          )}
        />
      )}
    </Loaded>
  )
}
