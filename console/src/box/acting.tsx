// Acting for somebody: whose box is shown while another one signs, under a mandate that both have
// signed. It holds for this tab alone; the ledger decides at each signature whether it counts.
import { useEffect } from 'react'
import { useBox } from './box'
import { mandateOf, mandatesOf, word } from './allowed'
import { note } from '@/chain/keys'
import { moment, useAsk } from './parts'
import { useWords } from '../words-box'

/** Acting is for whom, under which mandate, whether it lets one give and revoke or look alone, and whether of sensitive data and for long, too. */
export interface Acting { by: string; owner: string; mandate: string; grant: boolean; sensitive: boolean }

const PLACE = 'mulian.acting'
/** keepActing remembers it until the tab is closed; keptActing is what is remembered for an account. */
export const keepActing = (a?: Acting): void => (a ? sessionStorage.setItem(PLACE, JSON.stringify(a)) : sessionStorage.removeItem(PLACE))
export function keptActing(by?: string): Acting | undefined {
  const kept = sessionStorage.getItem(PLACE)
  const a = kept ? (JSON.parse(kept) as Acting) : undefined
  return a && a.by === by ? a : undefined
}

/** high says whether a use takes a yes of the highest level (rules/grant levelOf). */
export const high = (u: { sensitive?: boolean; kind: string }): boolean => !!u.sensitive || u.kind === 'GRANT_KIND_STANDING'

/** called is the note with a person's name for another account; it stays in this browser. */
export const called = (account: string): string => `called:${account}`
/** brief is a name, or the ends of an account's random number. */
export const brief = (name: string): string => (/^[pf]-[0-9a-f]{32}$/.test(name) ? `${name.slice(0, 8)}…${name.slice(-6)}` : name)

/** proofPlaces are the notes with number and salt of an owner's proofing, kept with who signs. */
export const proofPlaces = (by: string, owner: string): [string, string] => (by === owner ? ['number', 'salt'] : [`number:${owner}`, `salt:${owner}`])
/** proofIn is that proofing; undefined if it is not here. */
export function proofIn(notes: Record<string, string>, by: string, owner: string): { number: string; salt: string } | undefined {
  const [number, salt] = proofPlaces(by, owner).map((k) => notes[k])
  return number && salt ? { number, salt } : undefined
}

const STANDS = ['proposed', 'active', 'suspended']
/** forgetProofs takes out of this browser the proofing of everybody for whom its account acts no more: it holds his number. */
export async function forgetProofs(by: string): Promise<void> {
  const held = Object.keys(await note(by)).filter((k) => k.startsWith('number:')).map((k) => k.slice('number:'.length))
  if (held.length === 0) return
  const mandates = await mandatesOf('agent', by)
  for (const owner of held) {
    if (mandates.some((m) => m.principal === owner && STANDS.includes(word(m.state, 'MANDATE_STATE_')))) continue
    for (const place of proofPlaces(by, owner)) await note(by, place)
  }
}

/** ActingBar says on every page for whom one acts, until when, and leads back. */
export function ActingBar() {
  const { t } = useWords()
  const { signer, acting, act, stamp } = useBox()
  const a = acting!
  const d = useAsk(async () => ({ m: await mandateOf(a.mandate), name: (await note(signer.account))[called(a.owner)] }), [a.mandate, stamp]).data
  const state = d && word(d.m.state, 'MANDATE_STATE_')
  useEffect(() => { if (state && !STANDS.includes(state)) forgetProofs(signer.account).catch(() => undefined) }, [state]) // else the next time
  return (
    <aside className="acting" aria-label={t('act.title')}>
      <span>{t('act.for', { who: d?.name ?? brief(a.owner) })}
        {d && (state === 'active' ? <small> · {t('home.to', { at: moment(d.m.untilMs) })}</small> : <strong role="alert"> · {t(`me.mandateState.${state}`)}</strong>)}</span>
      <button type="button" className="button" onClick={() => act()} data-testid="own">{t('act.back')}</button>
    </aside>
  )
}
