// /dev/codes: every code with which a call may be refused, and what to do then.
import { useQuery } from '@tanstack/react-query'
import { Button, Input } from 'antd'
import { useTranslation } from 'react-i18next'
import { amount } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'

export interface Code { code: string; name: string; title: string; fix: string }

export const codes = (language: string) => ({
  queryKey: ['codes', language], staleTime: Infinity,
  queryFn: async () => {
    const res = await fetch(`/api/codes?lang=${language.slice(0, 2)}`)
    if (!res.ok) throw new Error(`codes: ${res.status}`)
    return (await res.json()) as Code[]
  },
})

export default function Codes() {
  const { t, i18n } = useTranslation('dev')
  const [address, change] = useAddress({ q: '' })
  const query = useQuery(codes(i18n.language))
  const words = address.q.toLowerCase().split(/\s+/).filter(Boolean)
  const columns: Column<Code>[] = [
    { id: 'code', title: t('code'), card: 'title', sort: (a, b) => a.code.localeCompare(b.code), show: (c) => <span className="two nowrap"><code>{c.code}</code><small>{c.name}</small></span> },
    { id: 'title', title: t('means'), show: (c) => c.title },
    { id: 'fix', title: t('whatToDo'), show: (c) => c.fix },
  ]
  return (
    <>
      <div className="titles"><h1>{t('codes')}</h1><span className="end"><a href="/api/codes" download="codes.json">codes.json</a></span></div>
      <p className="second">{t('codesText')}</p>
      <Loaded query={query}>
        {(all) => {
          const rows = all.filter((c) => words.every((w) => `${c.code} ${c.name} ${c.title} ${c.fix}`.toLowerCase().includes(w)))
          return (
            <section className="card" aria-label={t('codes')}>
              <header><Input value={address.q} onChange={(e) => change({ q: e.target.value })} placeholder={t('searchCodes')} aria-label={t('searchCodes')} maxLength={100} style={{ maxWidth: 300 }} /><span className="end second">{t('nCodes', { n: amount(rows.length), total: amount(all.length) })}</span></header>
              <DataTable whole={rows.length < 100} caption={t('codes')} columns={columns} rows={rows} rowId={(c) => c.code} empty={<Empty text={t('noCodes', { q: address.q })} action={<Button onClick={() => change({ q: '' })}>{t('clear')}</Button>} />} />
            </section>
          )
        }}
      </Loaded>
    </>
  )
}
