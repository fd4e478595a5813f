// What happens on the chain while a page is open: one stream of the server, at most one
// message a second. A query whose first key is a state table ("share/request/") is asked
// again when an object of that table has changed; "block" with every block.
import type { QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { clock } from './pass'
import { rpc } from './rpc'

export interface Pulse {
  height: bigint
  timeMs: number // of the latest block, the chain's time
  heardMs: number // our clock when the server last spoke
  connected: boolean
  offsetMs: number // how far the server's clock is ahead of ours
}

let pulse: Pulse = { height: 0n, timeMs: 0, heardMs: 0, connected: true, offsetMs: 0 }
const listeners = new Set<() => void>()
const set = (p: Partial<Pulse>) => {
  pulse = { ...pulse, ...p }
  for (const l of listeners) l()
}
const subscribe = (l: () => void) => { listeners.add(l); return () => { listeners.delete(l) } }

/** usePulse is the chain's height and age as far as this page knows. */
export const usePulse = (): Pulse => useSyncExternalStore(subscribe, () => pulse)

/** now is the server's clock. */
export const now = (): number => Date.now() + pulse.offsetMs
/** begin is what the page knows before the stream speaks. */
export const begin = (height: bigint, timeMs: number, serverMs: number): void => {
  if (height > pulse.height) set({ height, timeMs })
  set({ offsetMs: serverMs - Date.now(), heardMs: Date.now() })
  clock(serverMs - Date.now())
}

/** stale makes queries old whose objects have changed. */
function stale(client: QueryClient, objects: string[], all: boolean): void {
  void client.invalidateQueries({
    predicate: (q) => {
      const table = q.queryKey[0]
      if (typeof table !== 'string') return false
      if (table === 'block') return true
      return table.includes('/') && (all || objects.some((o) => o.startsWith(table)))
    },
  })
}

/** caughtUp asks again for all that a page shows of the ledger, and waits for it, three seconds at most. */
export async function caughtUp(client: QueryClient): Promise<void> {
  const asked = client.invalidateQueries({ predicate: (q) => typeof q.queryKey[0] === 'string' && q.queryKey[0].includes('/') })
  await Promise.race([asked, new Promise((done) => setTimeout(done, 3000))])
}

/** follow keeps the stream open until the signal ends it. A device that says that it has no line is believed at once: what is open then ends by itself only after minutes. */
export async function follow(client: QueryClient, signal: AbortSignal): Promise<void> {
  let from = -1n
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, 8000)) {
    const cut = new AbortController()
    const stop = () => cut.abort()
    addEventListener('offline', stop)
    signal.addEventListener('abort', stop)
    try {
      for await (const m of rpc(ConsoleService).follow({ from }, { signal: cut.signal })) {
        const back = !pulse.connected
        set({ height: m.height || pulse.height, timeMs: Number(m.timeMs) || pulse.timeMs, heardMs: Date.now(), connected: true })
        if (m.next > 0n) from = m.next
        if (m.objects.length > 0 || m.all || back) stale(client, m.objects, m.all || back)
        wait = 500
      }
    } catch {
      if (signal.aborted) return
    } finally {
      removeEventListener('offline', stop)
      signal.removeEventListener('abort', stop)
    }
    set({ connected: false })
    await new Promise<void>((done) => {
      const go = () => { removeEventListener('online', go); clearTimeout(timer); done() }
      const timer = setTimeout(go, wait)
      addEventListener('online', go)
    })
  }
}
