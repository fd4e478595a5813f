// ObjectPage: every object has one page, and all have the same skeleton: number, title,
// state, clock, one primary action; tabs overview, relations, history, proof, JSON.
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Tabs } from 'antd'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { TraceService } from '@/gen/mulian/trace/v1/query_pb'
import { type DescMessage, type MessageShape, toJsonString } from '@bufbuild/protobuf'
import { hex, short } from '@/chain/bytes'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { useNames } from '@/chain/names'
import { Copy } from './copy'
import { Empty, Loaded } from './states'
import { Proof } from './proof'
import { useAddress } from './table'

/** State is a state pill: tone says whether somebody has to do something. */
export function State({ words, tone = 'blue' }: { words: string; tone?: 'blue' | 'green' | 'amber' | 'red' | 'grey' }) {
  return <span className={`pill square ${tone}`}>{words}</span>
}

/** History is what happened to an object, oldest first, each step with its transaction. */
export function History({ object, direct = false }: { object: string; direct?: boolean }) {
  const { t } = useTranslation('shell')
  const steps = useQuery({
    queryKey: [object, 'trace', direct], // asked again when the object changes
    queryFn: () => rpc(TraceService).trace({ object, direct, limit: 200 }),
  })
  return (
    <Loaded query={steps}>
      {(d) => d.steps.length === 0 ? <Empty text={t('object.noHistory')} /> : (
        <ol className="line">
          {d.steps.map((s) => {
            const e = s.event!
            const id = hex(e.txId)
            return (
              <li key={String(s.seq)}>
                {s.title}
                <small>
                  {exact(e.timeMs)} · <Link to={`/block/${e.height}`}>{t('height')} {amount(e.height)}</Link>
                  {id && <> · <Link to={`/tx/${id}`} className="mono">{short(id)}</Link></>}
                </small>
              </li>
            )
          })}
        </ol>
      )}
    </Loaded>
  )
}

/** Related lists objects by their names, each with its page. */
export function Related({ keys }: { keys: string[] }) {
  const { t } = useTranslation('shell')
  const name = useNames(keys)
  if (keys.length === 0) return <Empty text={t('object.noRelations')} />
  return <ul className="line">{keys.map((k) => <li key={k}><Link to={pathOf(k)}>{name(k)}</Link><small className="mono">{k}</small></li>)}</ul>
}

export interface ObjectPageProps<S extends DescMessage> {
  object: string // state key
  number: string
  title: string
  state?: ReactNode
  clock?: ReactNode
  action?: ReactNode // the one primary action
  overview: ReactNode
  relations?: string[] // state keys
  schema: S
  value: MessageShape<S>
}

export function ObjectPage<S extends DescMessage>(p: ObjectPageProps<S>) {
  const { t } = useTranslation('shell')
  const [address, change] = useAddress({ tab: 'overview' })
  const [json] = useState(() => () => toJsonString(p.schema, p.value, { prettySpaces: 2 }))
  return (
    <>
      <div className="titles">
        <h1>{p.title}</h1>{p.state}{p.clock}
        <span className="end">{p.action}</span>
      </div>
      <p className="second"><code>{p.number}</code> <Copy text={p.number} /></p>
      <div className="card"><div className="body">
        <Tabs
          activeKey={address.tab} onChange={(tab) => change({ tab })} destroyOnHidden
          items={[
            { key: 'overview', label: t('object.overview'), children: p.overview },
            { key: 'relations', label: t('object.relations'), children: <Related keys={p.relations ?? []} /> },
            { key: 'history', label: t('object.history'), children: <History object={p.object} /> },
            { key: 'proof', label: t('object.proof'), children: <Proof object={p.object} /> },
            { key: 'json', label: 'JSON', children: <><Copy text={json} /><pre className="json" tabIndex={0}>{json()}</pre></> },
          ]}
        />
      </div></div>
    </>
  )
}
