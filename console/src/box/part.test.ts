// What is given of a content is cut out of it letter by letter.
import { describe, expect, it } from 'vitest'
import { utf8 } from '@/chain/bytes'
import { CREDENTIAL, members, narrowed, partsOf } from './part'

const text = (b: Uint8Array) => new TextDecoder().decode(b)
const object = ' { "name" : "张·𠮷" , "sum":3200.10, "big":12345678901234567890, "deep":{"a":[1,{"b":"},"}],"c":"\\"x\\\\"}, "last": null }\n'

describe('a copy', () => {
  it('cuts a JSON object without changing a value', () => {
    expect(members(object)).toEqual([
      { name: 'name', value: '"张·𠮷"' }, { name: 'sum', value: '3200.10' }, { name: 'big', value: '12345678901234567890' },
      { name: 'deep', value: '{"a":[1,{"b":"},"}],"c":"\\"x\\\\"}' }, { name: 'last', value: 'null' },
    ])
    const given = narrowed('application/json', utf8(object), ['last', 'sum', 'big'])
    expect(text(given.bytes)).toBe('{"sum":3200.10,"big":12345678901234567890,"last":null}')
    expect(text(narrowed('application/json', utf8(object), []).bytes)).toBe(object)
  })
  it.each(['[1]', '3', '', '{"a":1', '{"a":1,"a":2}', '{}'])('is whole where there are no fields to choose: %s', (json) => {
    expect(partsOf('application/json', utf8(json))).toBeUndefined()
  })
  it('keeps of a credential the claims that are chosen, and never its key', () => {
    const claim = (...d: unknown[]) => btoa(JSON.stringify(d)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    const [a, b] = [claim('s1', 'name', 'Li'), claim('s2', 'no', 7)]
    const held = utf8(JSON.stringify({ credential: `h.p.s~${a}~${b}~`, key: 'secret' }))
    expect(partsOf(CREDENTIAL, held)?.map((p) => p.name)).toEqual(['name', 'no'])
    expect(text(narrowed(CREDENTIAL, held, ['no']).bytes)).toBe(`h.p.s~${b}~`)
    expect(text(narrowed(CREDENTIAL, held, []).bytes)).toBe(`h.p.s~${a}~${b}~`)
    expect(narrowed(CREDENTIAL, held, []).mediaType).toBe('application/dc+sd-jwt')
    const nested = utf8(`h.p.s~${claim('s', 'address', { _sd: ['x'] })}~${claim('s', 'city', 'J')}~`)
    expect(partsOf('application/dc+sd-jwt', nested)).toBeUndefined()
  })
})
