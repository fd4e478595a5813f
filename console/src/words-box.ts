// The box's words, without a library: t('key', { n }), the same files and placeholders as
// the console's.
import { useSyncExternalStore } from 'react'

export type Language = 'zh-CN' | 'en-US'
type Tree = { [key: string]: string | Tree }

const files = { 'zh-CN': () => import('./box/zh-CN.json'), 'en-US': () => import('./box/en-US.json') }
const KEY = 'mulian.language'
let now: { language: Language; words: Tree } = { language: 'zh-CN', words: {} }
const listeners = new Set<() => void>()

/** speakBox loads a language and switches to it; one that was chosen is remembered. */
export async function speakBox(l?: Language): Promise<Language> {
  const kept = localStorage.getItem(KEY) as Language | null
  const language = l ?? (kept && kept in files ? kept : navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en-US')
  const words = (await files[language]()).default as Tree
  if (l) localStorage.setItem(KEY, l)
  document.documentElement.lang = language
  now = { language, words }
  for (const f of listeners) f()
  return language
}

export type T = (key: string, holes?: Record<string, string | number>) => string

/** useWords returns t and the language. */
export function useWords(): { t: T; language: Language } {
  const at = useSyncExternalStore((f) => { listeners.add(f); return () => { listeners.delete(f) } }, () => now)
  return {
    language: at.language,
    t: (key, holes = {}) => {
      let v: string | Tree | undefined = at.words
      for (const part of key.split('.')) v = typeof v === 'object' ? v[part] : undefined
      return typeof v === 'string' ? v.replace(/\{\{(\w+)\}\}/g, (_, k: string) => String(holes[k] ?? '')) : key
    },
  }
}
