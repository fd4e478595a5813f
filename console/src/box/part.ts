// What is given of a content: the whole, or fields of a JSON object or of a credential, as
// safebox/owner/credential.go narrows them. Nothing is written anew: it is cut out.
import { type Bytes, utf8 } from '@/chain/bytes'

/** CREDENTIAL is a credential together with the holder's key in it: of that only a copy without the key goes. */
export const CREDENTIAL = 'application/vnd.mulian.credential+json'
const SDJWT = 'application/dc+sd-jwt'
const MAX_FIELDS = 200

/** Part is one thing of a content that can be given alone; value is as it stands there. */
export interface Part { name: string; value: string }

/** partsOf are the members of a JSON object or the disclosed claims of a credential; undefined if it is given whole. */
export function partsOf(mediaType: string, bytes: Uint8Array): Part[] | undefined {
  try {
    if (mediaType === CREDENTIAL || mediaType === SDJWT) {
      const claims = disclosures(credentialOf(mediaType, bytes))
      return claims.every((c) => c.name !== '' && !c.value.includes('"_sd"') && !c.value.includes('"..."')) && unique(claims) ? claims : undefined
    }
    const parts = members(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return parts.length <= MAX_FIELDS && unique(parts) ? parts : undefined
  } catch {
    return undefined
  }
}
const unique = (parts: Part[]) => parts.length > 0 && new Set(parts.map((p) => p.name)).size === parts.length

const credentialOf = (mediaType: string, bytes: Uint8Array): string => {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  return mediaType === CREDENTIAL ? (JSON.parse(text) as { credential: string }).credential : text.trim()
}

// Disclosures of an SD-JWT: the texts between its tildes, each salt, name and value.
const disclosures = (sdjwt: string): (Part & { text: string })[] => sdjwt.split('~').slice(1, -1).map((text) => {
  const d = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)))) as unknown[]
  return { text, name: d.length === 3 ? String(d[1]) : '', value: JSON.stringify(d[2] ?? '') }
})

/** members cuts the text of a JSON object: every value stays letter for letter as it is, numbers too. It throws for what is none. */
export function members(text: string): Part[] {
  const whole = JSON.parse(text) as unknown
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) throw new Error('no object')
  const out: Part[] = []
  let [depth, from, name] = [0, 0, '']
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!
    if (c === '"') {
      const begin = i
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++
      if (depth === 1 && from === 0) name = JSON.parse(text.slice(begin, i + 1)) as string
    } else if (c === ':' && depth === 1 && from === 0) from = i + 1
    else if (c === '{' || c === '[') depth++
    else if (c === '}' || c === ']' || (c === ',' && depth === 1)) {
      if (depth === 1 && from > 0) out.push({ name, value: text.slice(from, i).trim() })
      if (depth === 1) from = 0
      if (c !== ',') depth--
    }
  }
  return out
}

/** narrowed is what goes along of a content: these fields, or the whole if none are named. A holder's key never does. */
export function narrowed(mediaType: string, bytes: Bytes, fields: string[]): { bytes: Bytes; mediaType: string } {
  if (mediaType === CREDENTIAL || mediaType === SDJWT) {
    const text = credentialOf(mediaType, bytes)
    if (fields.length === 0) return { bytes: utf8(text), mediaType: SDJWT }
    const kept = disclosures(text).filter((d) => fields.includes(d.name)).map((d) => `${d.text}~`)
    return { bytes: utf8(`${text.slice(0, text.indexOf('~') + 1)}${kept.join('')}`), mediaType: SDJWT }
  }
  if (fields.length === 0) return { bytes, mediaType }
  const parts = members(new TextDecoder().decode(bytes)).filter((p) => fields.includes(p.name))
  return { bytes: utf8(`{${parts.map((p) => `${JSON.stringify(p.name)}:${p.value}`).join(',')}}`), mediaType }
}
