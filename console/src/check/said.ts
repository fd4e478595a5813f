// What the verifier says, in Chinese: it speaks English; the sentences are those of the
// command line (client/prooffile, which writes sentences.json).
import sentences from './sentences.json'

interface Form { find: RegExp; zh: string; weight: number; order: number[] }

const escape = (s: string) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const VERB = /%(?:\[(\d+)\])?[a-z]/g

// A sentence with more fixed letters is looked for first: "%s: %s" is everything.
const forms: Form[] = Object.entries(sentences.said as Record<string, string>).map(([en, zh]) => {
  const parts = en.split(/%[a-z]/)
  let next = 0
  const order = [...zh.matchAll(VERB)].map((m) => (m[1] ? (next = Number(m[1])) - 1 : next++))
  return { find: new RegExp(`^${parts.map(escape).join('([\\s\\S]*?)')}$`), zh, weight: parts.join('').length, order }
}).sort((a, b) => b.weight - a.weight)

const inner = (sentences.inner as [string, string][]).map(([find, put]): [RegExp, string] => [
  new RegExp(find.replace('(?s)', ''), find.includes('(?s)') ? 'gs' : 'g'), put.replace(/\$\{(\d+)\}/g, '$$$1'),
])

function word(s: string): string {
  const known = (sentences.words as Record<string, string>)[s]
  if (known) return known
  const power = /^(\d+) of (\d+)$/.exec(s)
  if (power) return `${power[1]}/${power[2]}`
  return inner.reduce((t, [find, put]) => t.replace(find, put), s).trim()
}

/** said returns what the verifier says in the page's language. */
export function said(english: string, language: string): string {
  if (!language.startsWith('zh')) return english
  for (const f of forms) {
    const m = f.find.exec(english)
    if (!m) continue
    if (f.weight < 4) break
    let at = 0
    return f.zh.replace(VERB, () => word(m[1 + f.order[at++]!] ?? ''))
  }
  return word(english)
}
