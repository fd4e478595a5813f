// Why a signature came to nothing: the code at once, as people say it on the telephone, then
// in words what it means and what to do; and who was faster, where the object has moved on since
// it was opened, or how it stands, where it has not.
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { TraceService } from '@/gen/mulian/trace/v1/query_pb'
import type { TraceStep } from '@/gen/mulian/trace/v1/query_pb'
import { hex } from '@/chain/bytes'
import { rare } from '@/chain/rare'
import { type Refused, rpc } from '@/chain/rpc'
import type { Act, Committed } from '@/chain/tx'
import { amount, exact } from '@/chain/words'
import { moved } from './moved'

// Refusals that say that the object is not as it was: illegal transition, version conflict, vote closed.
const MOVED = [13022, 13025, 13028]
// Fields by which messages name the object that they change, and how much is looked at of it.
const NAMES = ['request', 'agreement', 'amendment', 'correction', 'objection', 'dispute', 'drift', 'delivery', 'proposal', 'entry', 'table', 'duty', 'id']
const MOST_ACTS = 20
const MOST_PAGES = 10

const objectOf = (act: Act): string => {
  const value = act.value as Record<string, unknown> | undefined
  const field = NAMES.find((n) => typeof value?.[n] === 'string' && value[n] !== '')
  return field ? String(value![field]) : ''
}

/** Failed says why what was asked for is not on the chain, or is there as a refusal. */
export function Failed({ why, committed, acts, opened }: { why: Refused | string; committed?: Committed; acts: Act[]; opened: bigint }) {
  const { t } = useTranslation('shell')
  const code = committed?.code ?? (typeof why === 'string' ? 0 : Number(why.code.replace('MUL-', '')) || 0)
  const words = useQuery({ queryKey: ['explain', code], enabled: !!code, staleTime: Infinity, queryFn: () => rpc(ConsoleService).explain({ code }) })
  const { step, tx } = useLatest(MOVED.includes(code) ? acts : [], committed) ?? {}
  const how = step && moved(step, opened)
  const faster = how === 'faster' ? tx : undefined
  const cut = typeof why !== 'string' && why.offline // nobody has answered: it may be on the chain
  const said = typeof why === 'string' ? why : [why.text, why.reference].filter(Boolean).join(' · ')
  return (
    <div className="note red" role="alert" data-state="failed">
      <strong>{cut ? t('sign.unknown') : words.data?.title ?? t('sign.failed')}{code ? ` (MUL-${code})` : ''}</strong>
      {faster ? (
        <>
          <p>{t('sign.faster', { who: faster.accountName || faster.account, key: faster.key, height: amount(faster.height), when: exact(faster.timeMs) })}</p>
          {faster.lines.map((l) => <p key={l}>{rare(l)}</p>)}
          <p>{t('sign.fasterThen')}</p>
          <p><Link to={`/tx/${hex(faster.txId)}`}>{t('sign.fasterLook')}</Link></p>
        </>
      ) : step && how !== 'faster' && <p>{t(how === 'clock' ? 'sign.moved' : 'sign.asIs', { what: rare(step.title), height: amount(step.event!.height), when: exact(step.event!.timeMs) })}</p>}
      {!faster && <p>{cut ? t('sign.unknownThen') : words.data?.fix}</p>}
      {faster ? <details><summary>{t('details')}</summary>{said}</details> : <p>{said}</p>}
      {committed && <Link to={`/tx/${hex(committed.id)}`}>{t('sign.refusedAt', { height: amount(committed.height) })}</Link>}
    </div>
  )
}

// The last step of what the acts are about, with the transaction that made it; none if the ledger did by itself.
function useLatest(acts: Act[], own?: Committed) {
  const objects = [...new Set(acts.slice(0, MOST_ACTS).map(objectOf).filter(Boolean))]
  return useQuery({
    queryKey: ['faster', ...objects, own && hex(own.id)], enabled: objects.length > 0, staleTime: Infinity, retry: false,
    queryFn: async () => {
      const step = (await Promise.all(objects.map(latest))).filter((s) => !!s).sort((a, b) => Number(b.seq - a.seq))[0]
      if (!step) return {}
      return { step, tx: step.event!.txId.length > 0 ? (await rpc(ConsoleService).getTransaction({ txId: step.event!.txId })).transaction : undefined }
    },
  }).data
}

// latest is the last step of an object.
async function latest(object: string): Promise<TraceStep | undefined> {
  let last: TraceStep | undefined
  for (let page = 0, after = ''; page < MOST_PAGES; page++) {
    const got = await rpc(TraceService).trace({ object, direct: true, after, limit: 500 })
    last = got.steps.findLast((s) => s.event) ?? last
    if (!got.next) break
    after = got.next
  }
  return last
}
