// How people call objects: asked of the server in one call for all that a page shows.
import { useEffect, useSyncExternalStore } from 'react'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { rare } from './rare'
import { rpc } from './rpc'

const known = new Map<string, string>()
const wanted = new Set<string>()
const listeners = new Set<() => void>()
let version = 0
let timer: ReturnType<typeof setTimeout> | undefined

async function ask(): Promise<void> {
  timer = undefined
  const keys = [...wanted].slice(0, 500)
  keys.forEach((k) => wanted.delete(k))
  try {
    const { names } = await rpc(ConsoleService).listNames({ keys })
    keys.forEach((k, i) => known.set(k, names[i] ?? ''))
    version++
    for (const l of listeners) l()
  } catch {
    keys.forEach((k) => wanted.add(k)) // with the next page that asks
  }
  if (wanted.size > 0 && !timer) timer = setTimeout(() => void ask(), 2000)
}

const subscribe = (l: () => void) => { listeners.add(l); return () => { listeners.delete(l) } }

/** useNames returns a function from state keys to names; ids stand until they are known. */
export function useNames(keys: string[]): (key: string) => string {
  useSyncExternalStore(subscribe, () => version)
  const joined = keys.join('\n')
  useEffect(() => {
    for (const k of joined.split('\n')) if (k && !known.has(k)) wanted.add(k)
    if (wanted.size > 0 && !timer) timer = setTimeout(() => void ask(), 10)
  }, [joined])
  return (key) => rare(known.get(key) ?? '') || key.split('/').slice(2).join('/')
}

export const account = (id: string): string => `identity/account/${id}`
export const entry = (id: string): string => `catalogue/entry/${id}`
export const duty = (id: string): string => `catalogue/duty/${id}`
