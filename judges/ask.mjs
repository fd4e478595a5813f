// What every judge begins with: the question from stdin, and the answer to stdout.
import { readFileSync } from 'node:fs'

export const question = JSON.parse(readFileSync(0, 'utf8'))
export const answer = (value) => process.stdout.write(JSON.stringify(value))

// attempt runs f and turns what it throws into {error}.
export const attempt = async (f) => {
  try {
    return { ok: await f() }
  } catch (e) {
    return { error: `${e?.name ?? 'Error'}: ${e?.message ?? e}` }
  }
}
