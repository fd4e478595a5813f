// The way to the worker that checks, and what the reader trusts: the hash of the genesis.
import i18next from 'i18next'
import { useSyncExternalStore } from 'react'
import type { Bytes } from '@/chain/bytes'
import type { Answer, Question } from './worker'

let worker: Worker | undefined
let ready: Promise<void> | undefined
let next = 1
const waiting = new Map<number, (a: Answer) => void>()

/** load starts the worker; after that, checking needs no network. */
export function load(): Promise<void> {
  ready ??= new Promise((ok, no) => {
    const w = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
    w.onmessage = (e: MessageEvent<Answer>) => (e.data.id === 0 ? ok() : waiting.get(e.data.id)?.(e.data))
    w.onerror = () => { ready = undefined; no(new Error('the verifier did not load')) }
    worker = w
  })
  return ready
}

interface More { checkpoint?: string; progress?: (done: number, all: number) => void; ask?: Question['ask'] }

/** check verifies a proof file or a pack with the hash of the genesis that is trusted. */
export async function check(file: Bytes, genesis: string, more: More = {}): Promise<Answer> {
  await load()
  const id = next++
  return new Promise((done) => {
    waiting.set(id, (a) => {
      if (a.kind === 'progress') { more.progress?.(a.done, a.all); return }
      waiting.delete(id)
      done(a)
    })
    worker!.postMessage({ id, file, genesis, checkpoint: more.checkpoint, language: i18next.language, ask: more.ask ?? 'check' } satisfies Question)
  })
}

// ---- whom this browser trusts ----

/** Trust is the genesis from which everything is checked. */
export interface Trust {
  hash: string
  compared: boolean // its user has compared it with another member, or named it
  offered: string // by the node that serves these pages
}

const KEY = 'mulian.genesis.'
const listeners = new Set<() => void>()
const subscribe = (l: () => void) => { listeners.add(l); return () => { listeners.delete(l) } }

/** useTrust is what this browser trusts of a chain: the first genesis that it saw, until its user names another. */
export function useTrust(chain: string, offered: string): Trust {
  const kept = useSyncExternalStore(subscribe, () => localStorage.getItem(KEY + chain) ?? '')
  const [hash = '', how] = kept.split(' ')
  if (!hash && offered) localStorage.setItem(KEY + chain, `${offered} seen`)
  return { hash: hash || offered, compared: how === 'compared', offered }
}

/** trust keeps the genesis that the user has compared. */
export function trust(chain: string, hash: string): void {
  localStorage.setItem(KEY + chain, `${hash} compared`)
  for (const l of listeners) l()
}

/** save gives the user a file. */
export function save(name: string, bytes: Bytes, type = 'application/octet-stream'): void {
  const a = document.createElement('a')
  a.href = URL.createObjectURL(new Blob([bytes], { type }))
  a.download = name
  a.click()
  setTimeout(() => URL.revokeObjectURL(a.href), 60_000)
}

let handed: File[] = []
/** hand leaves a file for the offline check, which takes it when it opens. */
export const hand = (f: File): void => { handed = [f] }
/** takeHanded are the files that were left for it, once. */
export const takeHanded = (): File[] => { const out = handed; handed = []; return out }
