// /dev/api: every call of the API, from the OpenAPI document that this node ships: what it
// takes and gives, the same call in four languages, and a button that makes it.
import { useQuery } from '@tanstack/react-query'
import { Button, Input, Tabs } from 'antd'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { HEADER, passOf } from '@/chain/pass'
import { amount } from '@/chain/words'
import { Command } from '@/parts/command'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { body, type Document, fieldsOf, follow, lister, type Method, methods, openapi, type Schema, typeOf } from './document'
import { languages, snippet } from './snippets'

export default function Api() {
  const { t } = useTranslation('dev')
  const query = useQuery(openapi)
  return (
    <>
      <div className="titles"><h1>{t('api')}</h1><span className="end actions"><a href="/openapi.yaml" download>openapi.yaml</a><a href="/openapi.json" download>openapi.json</a></span></div>
      <p className="second">{t('apiText')}</p>
      <Loaded query={query}>{(d) => <Calls d={d} />}</Loaded>
    </>
  )
}

function Calls({ d }: { d: Document }) {
  const { t } = useTranslation('dev')
  const [address, change] = useAddress({ q: '', call: '' })
  const all = methods(d)
  const words = address.q.toLowerCase().split(/\s+/).filter(Boolean)
  const rows = all.filter((m) => words.every((w) => `${m.path} ${m.text} ${fieldsOf(d, m.request).map(([n]) => n).join(' ')}`.toLowerCase().includes(w)))
  const chosen = all.find((m) => m.path === address.call) ?? rows[0]
  const columns: Column<Method>[] = [
    { id: 'name', title: t('call'), card: 'title', sort: (a, b) => a.name.localeCompare(b.name), show: (m) => <span className="two">{m.name}<small>{m.text.split('\n')[0]!.slice(0, 90) || m.full}</small></span> },
    { id: 'service', title: t('service'), sort: (a, b) => a.full.localeCompare(b.full), show: (m) => m.service },
  ]
  return (
    <div className="split even">
      <section className="card" aria-label={t('calls')}>
        <header><Input value={address.q} onChange={(e) => change({ q: e.target.value })} placeholder={t('search')} aria-label={t('search')} maxLength={100} style={{ maxWidth: 300 }} id="q" /><span className="end second">{t('nCalls', { n: amount(rows.length), total: amount(all.length) })}</span></header>
        <DataTable caption={t('calls')} columns={columns} rows={rows} rowId={(m) => m.path} selected={chosen?.path} onSelect={(m) => change({ call: m.path })} empty={<Empty text={t('noCalls', { q: address.q })} action={<Button onClick={() => change({ q: '' })}>{t('clear')}</Button>} />} />
      </section>
      {chosen && <One key={chosen.path} d={d} all={all} method={chosen} />}
    </div>
  )
}

function One({ d, all, method: m }: { d: Document; all: Method[]; method: Method }) {
  const { t } = useTranslation('dev')
  return (
    <section className="card" aria-label={m.name}>
      <header><h2>{m.name}</h2><span className="pill grey square">{m.service}</span>{m.stream && <span className="pill square">{t('stream')}</span>}</header>
      <div className="body sheet">
        <p><code>POST {m.path}</code></p>
        {m.text && <p style={{ whiteSpace: 'pre-line' }}>{m.text}</p>}
        {m.elsewhere ? <p className="note">{t(m.service === 'ControlService' ? 'atSocket' : 'atGateway')}</p> : m.stream ? <p className="note">{t('streamText')}</p> : <Try d={d} all={all} method={m} />}
        <h3>{t('request')}</h3><FieldList d={d} schema={m.request} />
        <h3>{t('answer')}</h3><FieldList d={d} schema={m.response} />
      </div>
    </section>
  )
}

const LONGEST = 20_000

function Try({ d, all, method: m }: { d: Document; all: Method[]; method: Method }) {
  const { t } = useTranslation('dev')
  const { signer, here } = useWho()
  const org = signer?.org ?? ''
  const own = org ? `identity/account/${org}` : ''
  const known: Record<string, unknown> = { text: '许可', ...(org && { org, account: signer!.account, key: own, object: own, keys: [own] }), code: 13018, ...(m.name === 'GetHeader' && { height: String(here.height) }) }
  const ids = lister(all, m)
  const id = useQuery({
    queryKey: ['example', m.path], enabled: !!ids, staleTime: Infinity,
    queryFn: async () => {
      const list = Object.values((await (await fetch(ids!.path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"limit":1}' })).json()) as Record<string, unknown>).find(Array.isArray)
      return String((list?.[0] as { id?: string } | undefined)?.id ?? '')
    },
  })
  const [typed, setTyped] = useState<string>()
  const [language, setLanguage] = useState<(typeof languages)[number]>('curl')
  const [answer, setAnswer] = useState<{ status: number; ms: number; text: string; code: string }>()
  const [busy, setBusy] = useState(false)
  useEffect(() => setAnswer(undefined), [m.path])
  const text = typed ?? JSON.stringify({ ...body(d, m, known), ...(id.data && { id: id.data }) })
  const wrong = invalid(text)
  const guarded = m.service === 'GrantService' || (m.service === 'HookService' && m.name !== 'ListHookTypes')
  const send = async () => {
    setBusy(true)
    const began = performance.now()
    try {
      const pass = guarded && signer ? await passOf(signer) : ''
      const res = await fetch(m.path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...(pass && { [HEADER]: pass }) }, body: text })
      const raw = await res.text()
      setAnswer({ status: res.status, ms: Math.round(performance.now() - began), text: invalid(raw) ? raw : JSON.stringify(JSON.parse(raw), null, 2), code: res.headers.get('Mulian-Code') ?? '' })
    } catch (err) {
      setAnswer({ status: 0, ms: 0, text: String(err), code: '' })
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      {guarded && <p className="note">{t('guarded', { header: HEADER })}</p>}
      <div className="field"><label htmlFor="json">{t('body')}</label><Input.TextArea id="json" className="mono" rows={3} value={text} status={wrong ? 'error' : undefined} onChange={(e) => setTyped(e.target.value)} spellCheck={false} /></div>
      {wrong && <p className="note red" role="alert">{t('notJson')} {wrong}</p>}
      <Tabs size="small" destroyOnHidden activeKey={language} onChange={(l) => setLanguage(l as typeof language)} items={languages.map((l) => ({ key: l, label: t(`language.${l}`), children: <Command text={snippet(l, location.origin + m.path, text)} /> }))} />
      <p className="actions"><Button type="primary" loading={busy} disabled={!!wrong} onClick={() => void send()} data-testid="send">{t('send')}</Button>{m.name === 'Submit' && <span className="second">{t('signed')}</span>}</p>
      {answer && (
        <div aria-live="polite">
          <p><span className={answer.status === 200 ? 'pill square green' : 'pill square red'}>{answer.status || t('noAnswer')}</span> {answer.ms} ms {answer.code && <a href={`/dev/codes?q=${answer.code}`}>{answer.code}</a>}</p>
          <pre className="json" tabIndex={0} data-testid="answer">{answer.text.slice(0, LONGEST)}{answer.text.length > LONGEST ? '\n…' : ''}</pre>
        </div>
      )}
    </>
  )
}

/** invalid is why a text is no JSON; undefined if it is. */
function invalid(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (err) {
    return (err as Error).message
  }
}

const DEEPEST = 6

function FieldList({ d, schema, depth = 0 }: { d: Document; schema?: Schema; depth?: number }) {
  const { t } = useTranslation('dev')
  const list = fieldsOf(d, schema)
  const one = follow(d, schema)
  if (one.enum) return <p className="second"><code>{one.enum.join(' · ')}</code></p>
  if (list.length === 0) return <p className="second">{t('noFields')}</p>
  return (
    <dl className="facts fields">
      {list.map(([name, s], i) => {
        const { words, inner } = typeOf(s)
        return [
          <dt key={`${name}-${i}`}><code>{name}</code></dt>,
          <dd key={`${name}-${i}-type`}>
            {inner && depth < DEEPEST ? <Nested d={d} words={words} inner={inner} depth={depth + 1} /> : <code className="second">{words}</code>} {s.description}
          </dd>,
        ]
      })}
    </dl>
  )
}

function Nested({ d, words, inner, depth }: { d: Document; words: string; inner: Schema; depth: number }) {
  const [open, setOpen] = useState(false)
  return <details onToggle={(e) => setOpen(e.currentTarget.open)}><summary><code>{words}</code></summary>{open && <FieldList d={d} schema={inner} depth={depth} />}</details>
}
