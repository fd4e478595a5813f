// The words of this page come with it, and not with the first page that somebody opens.
import i18next from 'i18next'
import en from './en-US.json'
import zh from './zh-CN.json'

/** NAMESPACE of these words. */
export const NAMESPACE = 'hooks'
i18next.addResourceBundle('zh-CN', NAMESPACE, zh)
i18next.addResourceBundle('en-US', NAMESPACE, en)
