// The words of these pages come with them, and not with the first page that somebody opens.
import i18next from 'i18next'
import { useTranslation } from 'react-i18next'
import { useNames } from '@/chain/names'
import { kindOf } from '@/chain/paths'
import en from './en-US.json'
import zh from './zh-CN.json'

/** NAMESPACE of these words. */
export const NAMESPACE = 'ladder'
i18next.addResourceBundle('zh-CN', NAMESPACE, zh)
i18next.addResourceBundle('en-US', NAMESPACE, en)

/** useCalled names objects; what nobody has named is its kind and its id. */
export function useCalled(keys: string[]): (key: string) => string {
  const { t } = useTranslation('shell')
  const name = useNames(keys)
  return (key) => (name(key) === key.split('/').slice(2).join('/') ? `${t(`kinds.${kindOf(key)}`)} ${name(key)}` : name(key))
}
