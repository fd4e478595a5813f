// Words and pills of the catalogue that several pages show.
import type { DescEnum } from '@bufbuild/protobuf'
import { LockOutlined, UnlockOutlined } from '@ant-design/icons'
import { useTranslation } from 'react-i18next'
import { type Entry, EntryState as S, EntryStateSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { State } from '@/parts/object'

/** useValue returns the word for a value of an enum of the schema. */
export function useValue(): (of: DescEnum, n: number) => string {
  const { t } = useTranslation('catalogue')
  return (of, n) => t(`value.${of.value[n]?.name ?? 'OTHER'}`)
}

const tones = {
  [S.UNSPECIFIED]: 'grey', [S.SUBMITTED]: 'blue', [S.RETURNED]: 'amber', [S.PUBLISHED]: 'green', [S.UPDATING]: 'amber', [S.DRIFTED]: 'red', [S.SUSPENDED]: 'amber', [S.WITHDRAWN]: 'grey',
} as const

export function EntryState({ state }: { state: S }) {
  const value = useValue()
  return <State words={value(EntryStateSchema, state)} tone={tones[state] ?? 'grey'} />
}

/** LockState says whether an entry is locked, and on which version. */
export function LockState({ entry }: { entry: Entry }) {
  const { t } = useTranslation('catalogue')
  return entry.lock
    ? <span className="pill square green"><LockOutlined />{t('lock.on', { v: String(entry.lock.version) })}</span>
    : <span className="pill square grey"><UnlockOutlined />{t('lock.off')}</span>
}

/** own is the part of an id behind its organisation. */
export const own = (id: string): string => id.slice(id.indexOf(':') + 1)
