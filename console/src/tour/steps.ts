// The guided tour of the demo: two stories as steps through real pages and real acts. Where a
// newcomer is stands in this browser alone; what he has done is read from the blocks.
//
//	begin ─▶ step ─▶ (own transaction in a block | page opened) ─▶ done ─▶ next … ─▶ end
//	            └─ skipped ──────────────────────────────────────────▲     put away, resumed
//
// The box uses this file, too: nothing of antd, of the schema or of the router here.
import { useSyncExternalStore } from 'react'

export type Story = 'share' | 'box'

/** Step is one thing to do, in the seat of who does it. */
export interface Step {
  id: string // key of its words
  role: string // seat
  path: string // where it is done; "$subject": the page of what the last act made
  near?: RegExp // pages from which it can be done, too
  needs?: string // route that has to be there, else the step is left out
  verb?: string // done when an account of this browser has this in a block
  visit?: RegExp // done when this page is open
  held?: boolean // done when this browser has an account for the seat
}

export const stories: Record<Story, Step[]> = {
  share: [
    { id: 'apply', role: 'user', path: '/catalogue', near: /^\/(item\/|request\/new)/, needs: '/request/new', verb: 'file_request' },
    { id: 'authorise', role: 'steward', path: '/inbox', verb: 'answer' },
    { id: 'prove', role: 'steward', path: '$subject', visit: /^\/(request|agreement|object)\// },
    { id: 'confirm', role: 'user', path: '/applications', needs: '/applications', verb: 'confirm_agreement' },
    { id: 'trace', role: 'auditor', path: '/trace', needs: '/trace', visit: /^\/trace/ },
    { id: 'blocks', role: 'auditor', path: '/explorer', visit: /^\/(explorer|block|tx)/ },
  ],
  box: [
    { id: 'open', role: 'citizen', path: '/box', held: true },
    { id: 'consent', role: 'citizen', path: '/box', near: /^\/box\/ask\//, verb: 'give_grant' },
    { id: 'seen', role: 'citizen', path: '/box/seen', visit: /^\/box\/seen/ },
    { id: 'revoke', role: 'citizen', path: '/box', near: /^\/box\/grant/, verb: 'revoke_grant' },
    { id: 'receipt', role: 'citizen', path: '/box/certs', visit: /^\/box\/certs/ },
  ],
}

/** Tour is where a newcomer is. */
export interface Tour {
  story: Story
  at: number // step, from 0; the number of steps = through
  since: number // height from which on own acts count
  done: boolean // the step's act is there
  away: boolean // put away: resumed from the banner
  subject?: string // state key of what the last act made
}

const KEY = 'mulian.tour'
const listeners = new Set<() => void>()
const read = (): Tour | undefined => {
  try {
    const t = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Tour | null
    return t && t.story in stories && Number.isInteger(t.at) && t.at >= 0 ? t : undefined
  } catch { return undefined }
}
let now = read()
addEventListener('storage', (e) => { if (e.key === KEY) { now = read(); listeners.forEach((f) => f()) } })

const put = (t: Tour | undefined) => {
  now = t
  if (t) localStorage.setItem(KEY, JSON.stringify(t))
  else localStorage.removeItem(KEY)
  listeners.forEach((f) => f())
}

/** tour is where the newcomer is now; useTour follows it. */
export const tour = (): Tour | undefined => now
export const useTour = (): Tour | undefined => useSyncExternalStore((f) => { listeners.add(f); return () => { listeners.delete(f) } }, () => now)

/** stepsOf are the steps of a story that can be taken here; there tells which routes are. */
export const stepsOf = (story: Story, there: (route: string) => boolean): Step[] => stories[story].filter((s) => !s.needs || there(s.needs))

export const beginTour = (story: Story, height: number): void => put({ story, at: 0, since: height, done: false, away: false })
export const nextStep = (height: number): void => { if (now) put({ ...now, at: now.at + 1, since: height, done: false }) }
export const putAway = (away: boolean): void => { if (now) put({ ...now, away }) }
export const endTour = (): void => put(undefined)
export const stepDone = (subject?: string): void => { if (now && !now.done) put({ ...now, done: true, ...(subject && { subject }) }) }

interface Answer { blocks?: { transactions?: { txId?: string; verbs?: string[]; refusal?: string; objects?: string[] }[] }[] }

/** acted looks for a step's act in the blocks over a height, signed by one of the accounts. */
export async function acted(verb: string, accounts: string[], above: number): Promise<{ subject?: string } | undefined> {
  for (const account of accounts) {
    const res = await fetch('/mulian.console.v1.ConsoleService/ListBlocks', {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ account, above: String(above), limit: 20, objects: true }),
    })
    if (!res.ok) continue
    for (const b of ((await res.json()) as Answer).blocks ?? []) {
      for (const tx of b.transactions ?? []) {
        if (tx.verbs?.includes(verb) && !tx.refusal) return { subject: tx.objects?.[0] }
      }
    }
  }
  return undefined
}

