// Proposals with their counts, and what a proposal would change.
import { type DescMessage, toJson, type JsonValue, type MessageShape } from '@bufbuild/protobuf'
import { queryOptions } from '@tanstack/react-query'
import { OverviewService, type Vote } from '@/gen/mulian/console/v1/overview_pb'
import { CalendarYearSchema, type Change, ChangeSchema, ClockProfileSchema, MemberSchema, ParametersSchema, ProposalState, RoleGrantSchema, SuspensionSchema, ValidatorSchema } from '@/gen/mulian/governance/v1/governance_pb'
import { type GetConsortiumResponse, GovernanceService } from '@/gen/mulian/governance/v1/query_pb'
import { hex } from '@/chain/bytes'
import type { Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'

export const listVotes = (openOnly: boolean) => queryOptions({
  queryKey: ['governance/proposal/', openOnly],
  queryFn: () => rpc(OverviewService).listVotes({ openOnly, limit: 200 }),
})

export const getVote = (id: string) => queryOptions({
  queryKey: [`governance/proposal/${id}`, 'vote'],
  queryFn: () => rpc(OverviewService).getVote({ id }),
})

export const getConsortium = queryOptions({
  queryKey: ['governance/', 'consortium'],
  queryFn: () => rpc(GovernanceService).getConsortium({}),
})

/** mine is whether the signer's organisation may still vote, or how it has. */
export function mine(v: Vote, s: Signer | undefined): 'yes' | 'no' | 'may' | 'waits' | 'none' {
  const own = v.proposal?.ballots.find((b) => b.org === s?.org)
  if (own) return own.yes ? 'yes' : 'no'
  if (!s?.org || v.proposal?.state !== ProposalState.OPEN || !v.waiting.includes(s.org)) return 'none'
  return s.account === s.org ? 'may' : 'waits' // only the member's own account votes
}

/** countMine is the badge of the menu: open proposals that an organisation has not voted on. */
export const countMine = async (org: string): Promise<number> =>
  (await rpc(OverviewService).listVotes({ openOnly: true, limit: 200 })).votes.filter((v) => v.waiting.includes(org)).length

// What a parameter that is 0 means, as the rules say it (rules/governance/limits.go).
const STANDARD: Record<string, number> = { suspensionPercent: 34, suspensionDays: 7, absenceDays: 90, recoveryCounterHours: 24, recoveryGuardianHours: 72, recoveryCodeHours: 168, recoveryOpenHours: 168, grantCoolingSeconds: 600, grantDeletionDays: 15 }
/** standardOf is what 0 stands for in a field of the parameters. */
export const standardOf = (path: string): number | undefined => STANDARD[path]

/** Line is one field of a change: what stands now, and what it becomes. */
export interface Line { path: string; before?: string; after?: string }

const plain = <S extends DescMessage>(schema: S, m: MessageShape<S> | undefined) => (m ? toJson(schema, m, { alwaysEmitImplicit: true }) : undefined)

function flat(v: JsonValue | undefined, at: string, into: Map<string, string>): Map<string, string> {
  if (v === undefined || v === null) return into
  if (Array.isArray(v)) {
    if (v.every((x) => typeof x !== 'object')) into.set(at, v.join(', '))
    else v.forEach((x, i) => flat(x, `${at}[${keyOf(x) ?? i + 1}]`, into))
  } else if (typeof v === 'object') for (const [k, x] of Object.entries(v)) flat(x, at ? `${at}.${k}` : k, into)
  else into.set(at, String(v))
  return into
}
// What names an element of a list, so that one that moves is no change.
const keyOf = (x: JsonValue): string | undefined => {
  const o = x as Record<string, JsonValue>
  const k = o.code ?? o.clock ?? o.kind
  return typeof k === 'string' ? k : undefined
}

const same = (a: Uint8Array, b: Uint8Array) => hex(a) === hex(b)

/** linesOf are the fields that a change would set otherwise; of a new thing, all that are not empty. */
export function linesOf(change: Change | undefined, now: GetConsortiumResponse): Line[] {
  const k = change?.kind
  const find = (): [JsonValue | undefined, JsonValue | undefined] => {
    switch (k?.case) {
      case 'setParameters': return [plain(ParametersSchema, now.parameters), plain(ParametersSchema, k.value)]
      case 'setClockProfile': return [plain(ClockProfileSchema, now.clockProfiles.find((p) => p.name === k.value.name)), plain(ClockProfileSchema, k.value)]
      case 'setCalendar': return [plain(CalendarYearSchema, now.calendar.find((c) => c.year === k.value.year)), plain(CalendarYearSchema, k.value)]
      case 'admitMember': return [plain(MemberSchema, now.members.find((m) => m.org === k.value.org)), plain(MemberSchema, k.value)]
      case 'removeMember': case 'removeAbsent': return [plain(MemberSchema, now.members.find((m) => m.org === k.value)), undefined]
      case 'setValidator': return [plain(ValidatorSchema, now.validators.find((v) => same(v.publicKey, k.value.publicKey))), plain(ValidatorSchema, k.value)]
      case 'grantRole': return [undefined, plain(RoleGrantSchema, k.value)]
      case 'revokeRole': return [plain(RoleGrantSchema, k.value), undefined]
      case 'suspend': case 'confirmSuspension': return [undefined, plain(SuspensionSchema, k.value)]
      case 'liftSuspension': return [plain(SuspensionSchema, k.value), undefined]
      default: return [undefined, change ? Object.values(toJson(ChangeSchema, change) as object)[0] as JsonValue : undefined]
    }
  }
  const [from, to] = find()
  const before = flat(from, '', new Map())
  const after = typeof to === 'object' ? flat(to, '', new Map()) : new Map(to === undefined ? [] : [['', String(to)]])
  const empty = (v: string | undefined) => v === undefined || v === '' || v === '0' || v === 'false' || v.endsWith('_UNSPECIFIED')
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((p) => before.get(p) !== after.get(p) && !(empty(before.get(p)) && empty(after.get(p))))
    .map((path) => ({ path, before: before.get(path), after: after.get(path) }))
}
