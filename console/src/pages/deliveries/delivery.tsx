// The page of one delivery.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { MethodSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { DeliverySchema, DeliveryState as S } from '@/gen/mulian/share/v1/share_pb'
import { hex } from '@/chain/bytes'
import { account, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { ObjectPage } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { readObject } from '../catalogue/reads'
import { useValue } from '../catalogue/words'
import { DeliveryPill } from './deliveries'

export default function DeliveryPage() {
  const { t } = useTranslation('deliveries')
  const value = useValue()
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const [agreement = '', number = ''] = id.split(/[~/]/)
  const key = `share/delivery/${agreement}/${number.padStart(10, '0')}`
  const query = useQuery(readObject(DeliverySchema, key))
  const under = useQuery({ queryKey: [`share/agreement/${agreement}`, 'one'], queryFn: () => rpc(ShareService).getAgreement({ id: agreement }) })
  const a = under.data?.agreement
  const d = query.data
  const name = useNames(d ? [entry(d.entry), account(d.gateway), ...(a ? [account(a.consumer), account(a.consumerGateway)] : [])] : [])
  return (
    <Loaded query={query}>
      {(x) => (
        <ObjectPage
          object={key} number={`${agreement}/${x.number}`} title={t('one', { n: String(x.number), name: name(entry(x.entry)) })} state={<DeliveryPill state={x.state} />} schema={DeliverySchema} value={x}
          relations={[`share/agreement/${agreement}`, entry(x.entry), account(x.gateway), ...(a ? [account(a.consumer), account(a.consumerGateway)] : [])]}
          overview={(
            <div className="sheet">
              {x.state === S.FAILED && <p className="note red">{t('cause')}{x.cause}</p>}
              <dl className="facts">
                <dt>{t('col.entry')}</dt><dd><Link to={pathOf(entry(x.entry))}>{name(entry(x.entry))}</Link> v{String(x.entryVersion)}</dd>
                <dt>{t('agreement')}</dt><dd><Link to={pathOf(`share/agreement/${agreement}`)}>{agreement}</Link></dd>
                {a && <><dt>{t('col.consumer')}</dt><dd><Link to={pathOf(account(a.consumer))}>{name(account(a.consumer))}</Link></dd></>}
                <dt>{t('col.method')}</dt><dd>{value(MethodSchema, x.method)}</dd>
                <dt>{t('from')}</dt><dd>{name(account(x.gateway))}{a && <> → {name(account(a.consumerGateway))}</>}</dd>
                <dt>{t('col.rows')}</dt><dd>{x.state === S.STARTED ? '—' : amount(x.rows)}</dd>
                <dt>{t('col.bytes')}</dt><dd>{x.state === S.STARTED ? '—' : amount(x.bytes)}</dd>
                <dt>{t('col.started')}</dt><dd>{exact(x.startedMs)}</dd>
                <dt>{t('completed')}</dt><dd>{exact(x.completedMs)}</dd>
                <dt>{t('confirmed')}</dt><dd>{exact(x.confirmedMs)}</dd>
                {x.digest.length > 0 && <><dt>{t('digest')}</dt><dd><code>{hex(x.digest)}</code><div className="second">{t('digestText')}</div></dd></>}
              </dl>
            </div>
          )}
        />
      )}
    </Loaded>
  )
}
