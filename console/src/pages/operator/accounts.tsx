// Keys of accounts: what each may sign, since when and until when.
import { useTranslation } from 'react-i18next'
import { type Account, type Key, KeyAlgorithm, KeyLevel, KeyState } from '@/gen/mulian/identity/v1/identity_pb'
import { date } from '@/chain/words'
import { now } from '@/chain/live'
import { State } from '@/parts/object'
import { Empty } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'

export interface Held { account: Account; key: Key; mine: boolean }

const WARN_MS = 60 * 86_400_000

/** stateOf is whether a key signs: revoked, lost and suspended ones do not, nor one that has run out. */
export function stateOf(k: Key): { words: 'active' | 'revoked' | 'lost' | 'suspended' | 'over' | 'soon'; tone: 'green' | 'grey' | 'amber' | 'red' } {
  if (k.state === KeyState.REVOKED) return { words: 'revoked', tone: 'grey' }
  if (k.lostMs > 0n) return { words: 'lost', tone: 'red' }
  if (k.suspended) return { words: 'suspended', tone: 'red' }
  if (k.endsMs > 0n && Number(k.endsMs) <= now()) return { words: 'over', tone: 'red' }
  if (k.endsMs > 0n && Number(k.endsMs) - now() < WARN_MS) return { words: 'soon', tone: 'amber' }
  return { words: 'active', tone: 'green' }
}

export function KeysTable({ held, whose }: { held: Held[]; whose: boolean }) {
  const { t } = useTranslation('operator')
  const ends = (h: Held) => Number(h.key.endsMs) || Infinity
  const columns: Column<Held>[] = [
    ...(whose ? [{ id: 'account', title: t('col.account'), card: 'title' as const, sort: (a: Held, b: Held) => a.account.id.localeCompare(b.account.id), show: (h: Held) => <span className="two">{h.account.name || h.account.profile?.shortName || h.account.profile?.name}<small className="mono">{h.account.id}</small></span> }] : []),
    { id: 'key', title: t('col.key'), card: 'title', show: (h) => <span className="two"><code>{h.key.id}</code><small>{[h.key.label, h.mine ? t('keys.here') : ''].filter(Boolean).join(' · ')}</small></span> },
    { id: 'algorithm', title: t('col.algorithm'), show: (h) => t(`algorithm.${KeyAlgorithm[h.key.algorithm]}`) },
    { id: 'may', title: t('col.may'), sort: (a, b) => a.key.level - b.key.level, show: (h) => t(`keyLevel.${KeyLevel[h.key.level]}`) },
    { id: 'state', title: t('col.state'), card: 'end', show: (h) => { const s = stateOf(h.key); return <State words={t(`keyState.${s.words}`)} tone={s.tone} /> } },
    { id: 'since', title: t('col.since'), sort: (a, b) => Number(a.key.addedMs - b.key.addedMs), show: (h) => <span className="nowrap">{date(h.key.addedMs)}</span> },
    { id: 'expires', title: t('col.expires'), sort: (a, b) => ends(a) - ends(b), show: (h) => <span className="nowrap">{h.key.endsMs ? date(h.key.endsMs) : t('keys.noEnd')}</span> },
  ]
  return <DataTable whole caption={t('menu.keys')} columns={columns} rows={held} rowId={(h) => `${h.account.id}#${h.key.id}`} empty={<Empty text={t('keys.none')} />} />
}
