// What stands in a request before anybody has typed.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { DutySchema, EntrySchema, ItemState, MatterSchema, Method, Personal, ShareType } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { RequestSchema } from '@/gen/mulian/share/v1/share_pb'
import { bar, type Known, prefill } from './prefill'

const entry = create(EntrySchema, {
  id: 'B:1', provider: 'B', shareType: ShareType.CONDITIONAL, methods: [Method.BATCH, Method.QUERY],
  items: [
    { code: 'no', name: '许可证编号', column: 'no' }, { code: 'name', name: '项目名称', column: 'name' },
    { code: 'secret', name: '举报人', column: 'who', shareType: ShareType.DENIED }, { code: 'moved', name: '面积', column: 'area', state: ItemState.FROZEN },
    { code: 'health', name: '病史', column: 'h', personal: Personal.SENSITIVE }, { code: 'loose', name: '备注' },
  ],
})
const duties = [create(DutySchema, { id: 'A:1', org: 'A', title: '取水许可', source: '中华人民共和国水法', article: '第四十八条' }), create(DutySchema, { id: 'A:2', org: 'A', title: '节水' })]
const known: Known = { entry, duties, matters: [], gateways: ['A/g/main'], asked: [] }
const asked = (id: string, at: number, part: string, duty: string, items: string[]) => create(RequestSchema, { id, requester: 'A', gateway: 'A/g/main', createdMs: BigInt(at), terms: { parts: [{ entry: part, items }], duty, purpose: 'p', legalBasis: 'law', appSystem: 'sys' } })

describe('prefill', () => {
  it('leaves out what is not shared, frozen, sensitive or on no column', () => {
    const { form } = prefill(known)
    expect(form.items).toEqual(['no', 'name'])
    expect(entry.items.map((it) => bar(entry, it))).toEqual([undefined, undefined, 'denied', 'frozen', undefined, undefined])
    expect([form.duty, form.purpose, form.gateway, form.method]).toEqual(['', '', 'A/g/main', Method.QUERY])
  })
  it('takes the items that the matter needs', () => {
    const matters = [create(MatterSchema, { id: 'A:m', name: '取水许可', duties: ['A:1'], inputs: ['项目名称', '营业执照'] })]
    const { form, from } = prefill({ ...known, duties: duties.slice(0, 1), matters })
    expect([form.items, form.duty, form.matter, form.basis]).toEqual([['name'], 'A:1', '取水许可', '《中华人民共和国水法》第四十八条'])
    expect([from.items?.what, from.duty?.what, from.basis?.what]).toEqual(['matter', 'only', 'duty'])
  })
  it('follows the newest request for the same entry, as far as it can still be asked', () => {
    const { form, from } = prefill({ ...known, asked: [asked('r1', 1, 'B:1', 'A:1', ['no']), asked('r2', 2, 'B:1', 'A:2', ['name', 'secret']), asked('r3', 3, 'C:1', 'A:1', ['x'])] })
    expect([form.items, form.duty, form.basis]).toEqual([['name'], 'A:2', 'law'])
    expect(from.duty).toEqual({ what: 'request', id: 'r2' })
    expect(form.purpose).toBe('') // each request says itself what it is for
  })
  it('takes the duty of the newest request of all, if there is none for the entry', () => {
    const { form, from } = prefill({ ...known, asked: [asked('r3', 3, 'C:1', 'A:1', ['x'])] })
    expect([form.duty, form.system, from.duty?.what]).toEqual(['A:1', 'sys', 'last'])
  })
})
