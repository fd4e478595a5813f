// Languages. Each area has its words beside its pages (pages/<area>/zh-CN.json, en-US.json)
// under its own namespace: they come with the first page that says something of the area. The
// frame's are in words/, namespace "shell", and what the menu says of each area, "menus".
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { patient } from './chain/patient'
import { setLanguage } from './chain/rpc'

export type Language = 'zh-CN' | 'en-US'
type Words = { default: Record<string, unknown> }

const areas: Record<Language, Record<string, () => Promise<Words>>> = {
  'zh-CN': import.meta.glob<Words>('./pages/*/zh-CN.json'),
  'en-US': import.meta.glob<Words>('./pages/*/en-US.json'),
}
const frame: Record<Language, Record<string, () => Promise<Words>>> = {
  'zh-CN': { shell: () => import('./words/zh-CN.json'), menus: () => import('virtual:menus/zh-CN') },
  'en-US': { shell: () => import('./words/en-US.json'), menus: () => import('virtual:menus/en-US') },
}

const KEY = 'mulian.language'

/** firstLanguage is the chosen one, else that of the browser. */
export function firstLanguage(): Language {
  const kept = localStorage.getItem(KEY)
  if (kept === 'zh-CN' || kept === 'en-US') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en-US'
}

// i18next asks for a namespace when the first component wants it, which waits in the meantime.
const files = {
  type: 'backend' as const,
  init: () => undefined,
  read: (l: Language, area: string, done: (err: unknown, words: Words['default'] | null) => void) => {
    const read = frame[l][area] ?? areas[l][`./pages/${area}/${l}.json`]
    if (read) patient(read)().then((words) => done(null, words.default), (err: unknown) => done(err, null))
    else done(`no words of ${area}`, null)
  },
}

/** speak switches the language of page and server, and remembers it if it was chosen. */
export async function speak(l: Language, chosen = true): Promise<void> {
  if (chosen) localStorage.setItem(KEY, l)
  setLanguage(l)
  await i18next.changeLanguage(l) // with the words of all areas that were seen
  document.documentElement.lang = l
}

/** startWords makes i18next ready in the first language. */
export async function startWords(): Promise<void> {
  await i18next.use(files).use(initReactI18next).init({
    lng: firstLanguage(), load: 'currentOnly', fallbackLng: false, ns: ['shell', 'menus'], defaultNS: 'shell',
    interpolation: { escapeValue: false }, returnNull: false, react: { useSuspense: true },
  })
  await speak(firstLanguage(), false)
}
