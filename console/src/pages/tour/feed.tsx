// What is happening: the latest transactions as sentences of the node, new ones within a
// second, each with the object that it is about. The gateways' anchors in a row are one line.
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Block, ConsoleService, type Transaction } from '@/gen/mulian/console/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { usePulse } from '@/chain/live'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { exact } from '@/chain/words'
import { Bones, Empty, Trouble } from '@/parts/states'

const SHOWN = 30
const FIRST = 15

interface Line { tx: Transaction; anchors: number } // anchors > 0: so many in a row, tx is the latest of them

const routine = (tx: Transaction) => tx.verbs.length > 0 && tx.verbs.every((v) => v === 'anchor_head')

/** merged lays new transactions, newest first, over the lines that are there. */
export function merged(lines: Line[], blocks: Block[]): Line[] {
  const out = [...lines]
  const fresh = blocks.flatMap((b) => [...b.transactions].reverse())
  for (const tx of fresh.reverse()) {
    const top = out[0]
    if (routine(tx) && top && top.anchors > 0) out[0] = { tx, anchors: top.anchors + 1 }
    else out.unshift({ tx, anchors: routine(tx) ? 1 : 0 })
  }
  return out.slice(0, SHOWN)
}

function useFeed(): { lines?: Line[]; error?: unknown } {
  const { height } = usePulse()
  const [state, setState] = useState<{ lines?: Line[]; error?: unknown }>({})
  const at = useRef(0n)
  const busy = useRef(false)
  const wanted = useRef(height)
  wanted.current = height
  useEffect(() => {
    const ask = async () => {
      if (busy.current) return
      busy.current = true
      try {
        while (wanted.current > at.current) {
          const first = at.current === 0n
          const to = wanted.current
          const r = await rpc(ConsoleService).listBlocks(first ? { quiet: true, objects: true, limit: FIRST } : { filled: true, objects: true, above: at.current, limit: 50 })
          const top = r.blocks[0]?.height ?? 0n
          const blocks = r.blocks
          setState((s) => ({ lines: merged(s.lines ?? [], blocks) }))
          at.current = top > to ? top : to
        }
      } catch (error) {
        setState((s) => ({ ...s, error })) // asked again with the next block
      } finally { busy.current = false }
    }
    void ask()
  }, [height])
  return state
}

export function Feed() {
  const { t } = useTranslation('tour')
  const { lines, error } = useFeed()
  if (!lines) return error !== undefined ? <Trouble error={error} /> : <Bones rows={5} />
  if (lines.length === 0) return <Empty text={t('feed.none')} />
  return (
    <ol className="line feed" aria-label={t('feed.title')} aria-live="off">
      {lines.map((l) => <One key={`${l.tx.height}.${l.tx.index}`} line={l} />)}
    </ol>
  )
}

function One({ line: { tx, anchors } }: { line: Line }) {
  const { t } = useTranslation('tour')
  const id = hex(tx.txId)
  const about = tx.objects[0]
  const who = tx.accountName || short(tx.account, 10, 6)
  return (
    <li>
      {anchors > 1 ? <Link to={`/tx/${id}`}>{t('feed.anchors', { n: anchors, who })}</Link>
        : <><strong>{who}</strong> <Link to={about ? pathOf(about) : `/tx/${id}`}>{tx.lines.slice(0, 2).join('；')}</Link>{tx.verbs.length > 2 && <> {t('feed.more', { n: tx.verbs.length - 2 })}</>}</>}
      {tx.refusal && <> <span className="pill square red">{t('feed.refused')} {tx.refusal}</span></>}
      <small>{exact(tx.timeMs)} · <Link to={`/block/${tx.height}`}>{t('feed.block', { height: String(tx.height) })}</Link> · <Link to={`/tx/${id}`} className="mono">{short(id)}</Link></small>
    </li>
  )
}
