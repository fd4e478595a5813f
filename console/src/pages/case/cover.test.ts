// Where a matter's inputs come from.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { type Entry, EntrySchema, EntryState, ItemState } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { IntendedUseSchema } from '@/gen/mulian/grant/v1/grant_pb'
import { both, byEntry, byUse, partsOf, setOf } from './cover'

const entry = (provider: string, name: string, items: string[], frozen = ''): Entry => create(EntrySchema, {
  id: `${provider}:${name}`, provider, name, state: EntryState.PUBLISHED, items: items.map((n) => ({ code: n, name: n, state: n === frozen ? ItemState.FROZEN : ItemState.UNSPECIFIED })),
})
const use = (id: string, e: Entry, ...positions: number[]) => ({ entry: e, use: create(IntendedUseSchema, { id, entry: e.id, items: setOf(positions) }) })

describe('the bitmap of items', () => {
  it('has the lowest bit first and no empty byte at its end', () => {
    expect([...setOf([0, 2])]).toEqual([5])
    expect([...setOf([8])]).toEqual([0, 1])
    expect([...setOf([])]).toEqual([])
    expect([...both(setOf([0, 9]), setOf([9, 10]))]).toEqual([0, 2])
  })
})

describe('an input', () => {
  const insured = entry('a', '参保', ['证件号码', '参保险种', '累计月数'])
  const estate = entry('b', '登记簿', ['坐落', '建筑面积'], '坐落')
  const known = [use('h', insured, 1, 2), use('e', estate, 0, 1)]
  it('is asked for by the use that covers the item of its name', () => expect(byUse('累计月数', known)).toMatchObject({ by: 'use', items: [2] }))
  it('that names the entry means all that may be asked for', () => expect(byUse('参保', known)).toMatchObject({ items: [1, 2] }))
  it('beyond the registered items is not covered', () => expect(byUse('证件号码', known)).toBeUndefined())
  it('whose item is frozen is not covered', () => expect(byUse('坐落', known)).toBeUndefined())
  it('is in an own entry, in one that no use covers, or on paper', () => {
    expect(byEntry('坐落', [estate], 'b').by).toBe('own')
    expect(byEntry('坐落', [estate], 'c').by).toBe('unused')
    expect(byEntry('户口簿', [estate], 'c').by).toBe('paper')
  })
  it('shares a request with the others of its use', () => {
    const parts = partsOf(['累计月数', '建筑面积', '参保险种'].map((i) => byUse(i, known)!))
    expect(parts.map((p) => [p.known.use.id, p.inputs.join(), [...p.items].join()])).toEqual([['h', '累计月数,参保险种', '6'], ['e', '建筑面积', '2']])
  })
})
