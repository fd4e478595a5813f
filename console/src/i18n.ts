// Languages. Each area has its words beside its pages (pages/<area>/zh-CN.json, en-US.json)
// under its own namespace; the frame's are in words/, namespace "shell".
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { setLanguage } from './chain/rpc'

export type Language = 'zh-CN' | 'en-US'
type Words = { default: Record<string, unknown> }

const files: Record<Language, Record<string, () => Promise<Words>>> = {
  'zh-CN': import.meta.glob<Words>(['./words/zh-CN.json', './pages/*/zh-CN.json']),
  'en-US': import.meta.glob<Words>(['./words/en-US.json', './pages/*/en-US.json']),
}

const KEY = 'mulian.language'

/** firstLanguage is the chosen one, else that of the browser. */
export function firstLanguage(): Language {
  const kept = localStorage.getItem(KEY)
  if (kept === 'zh-CN' || kept === 'en-US') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en-US'
}

async function load(l: Language): Promise<void> {
  if (i18next.hasResourceBundle(l, 'shell')) return
  await Promise.all(Object.entries(files[l]).map(async ([path, read]) => {
    const area = path.startsWith('./words/') ? 'shell' : path.split('/')[2]!
    i18next.addResourceBundle(l, area, (await read()).default)
  }))
}

/** speak switches the language of page and server, and remembers it if it was chosen. */
export async function speak(l: Language, chosen = true): Promise<void> {
  await load(l)
  if (chosen) localStorage.setItem(KEY, l)
  document.documentElement.lang = l
  setLanguage(l)
  await i18next.changeLanguage(l)
}

/** startWords makes i18next ready in the first language. */
export async function startWords(): Promise<void> {
  await i18next.use(initReactI18next).init({
    resources: {}, lng: firstLanguage(), fallbackLng: false, defaultNS: 'shell',
    interpolation: { escapeValue: false }, returnNull: false, react: { useSuspense: false },
  })
  await speak(firstLanguage(), false)
}
