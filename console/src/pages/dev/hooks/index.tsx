// /dev/hooks: where the node posts the events that concern the own organisation, how far it is,
// and what became of the last posts. A hook is no act on the ledger: the calls say with a reading
// pass who asks.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Input, Modal, Select, Tabs } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Hook, HookService, HookState } from '@/gen/mulian/console/v1/hooks_pb'
import { refusal, rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Command } from '@/parts/command'
import { State } from '@/parts/object'
import { Empty, Loaded, Trouble } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { One, Secret } from './one'
import { languages, type Language, verify } from './verify'
import { NAMESPACE } from './words'

const EVERY_MS = 2000

const tones = { [HookState.ACTIVE]: 'green', [HookState.FAILING]: 'amber', [HookState.PAUSED]: 'grey', [HookState.OFF]: 'red', [HookState.UNSPECIFIED]: 'grey' } as const

export default function Hooks() {
  const { t } = useTranslation(NAMESPACE)
  const { t: shell } = useTranslation('shell')
  const { signer } = useWho()
  const [open, setOpen] = useState(false)
  const [address, change] = useAddress({ hook: '' })
  const account = signer?.account ?? ''
  const query = useQuery({ queryKey: ['hooks', account], enabled: !!signer?.org, refetchInterval: EVERY_MS, queryFn: () => rpc(HookService).listHooks({}) })
  const columns: Column<Hook>[] = [
    { id: 'hook', title: t('hook'), card: 'title', show: (h) => <span className="two">{h.label || h.id}<small className="mono">{h.url}</small></span> },
    { id: 'state', title: t('state'), card: 'end', show: (h) => <State words={t(`is.${HookState[h.state]}`)} tone={tones[h.state]} /> },
    { id: 'last', title: t('last'), show: (h) => (h.takenMs ? exact(h.takenMs) : t('never')) },
    { id: 'lag', title: t('lag'), number: true, show: (h) => t('nEvents', { n: amount(h.lag) }) },
    { id: 'failures', title: t('failures'), number: true, show: (h) => t('nTimes', { n: amount(h.failures) }) },
  ]
  if (!signer?.org) return <><h1>{t('title')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></>
  const add = <Button type="primary" disabled={!query.data?.allow.length} onClick={() => setOpen(true)} data-testid="add">{t('add')}</Button>
  const hooks = query.data?.hooks ?? []
  const chosen = hooks.find((h) => h.id === address.hook) ?? hooks[0]
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1><span className="end">{hooks.length > 0 && add}</span></div>
      <p className="second">{t('text')}</p>
      <Loaded query={query}>{(d) => (
        <>
          {d.allow.length === 0 && <p className="note amber">{t('noneAllowed')}</p>}
          <section className="card" aria-label={t('title')}>
            <DataTable whole caption={t('title')} columns={columns} rows={d.hooks} rowId={(h) => h.id} selected={chosen?.id} onSelect={(h) => change({ hook: h.id })} empty={<Empty text={t('none')} action={add} />} />
          </section>
          {chosen && <One key={chosen.id} hook={chosen} height={d.height} />}
          {open && <Add allow={d.allow} close={() => setOpen(false)} />}
        </>
      )}</Loaded>
      <Verify />
    </>
  )
}

function Verify() {
  const { t } = useTranslation(NAMESPACE)
  const [language, setLanguage] = useState<Language>('go')
  return (
    <section className="card" aria-label={t('verify')}>
      <header><h2>{t('verify')}</h2></header>
      <div className="body sheet">
        <p>{t('verifyText')}</p>
        <Tabs size="small" destroyOnHidden activeKey={language} onChange={(l) => setLanguage(l as Language)} items={languages.map((l) => ({ key: l, label: t(`language.${l}`), children: <Command text={verify[l]} /> }))} />
      </div>
    </section>
  )
}

const good = (url: string): boolean => {
  try {
    const u = new URL(url)
    return u.protocol === 'https:' || (u.protocol === 'http:' && (u.hostname === 'localhost' || u.hostname === '[::1]' || u.hostname.startsWith('127.')))
  } catch {
    return false
  }
}

function Add({ allow, close }: { allow: string[]; close: () => void }) {
  const { t } = useTranslation(NAMESPACE)
  const client = useQueryClient()
  const [url, setUrl] = useState('')
  const [label, setLabel] = useState('')
  const [types, setTypes] = useState<string[]>([])
  const [secret, setSecret] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const known = useQuery({ queryKey: ['hook types'], staleTime: Infinity, queryFn: () => rpc(HookService).listHookTypes({}) })
  const areas = [...new Set((known.data?.types ?? []).map((x) => x.type.split('.')[0]!))]
  const options = areas.map((area) => ({
    label: area,
    options: [{ value: `${area}.*`, label: `${area}.*  ${t('wholeArea', { area })}` }, ...known.data!.types.filter((x) => x.type.startsWith(`${area}.`)).map((x) => ({ value: x.type, label: `${x.type}  ${x.title}` }))],
  }))
  const go = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const res = await rpc(HookService).createHook({ url: url.trim(), label: label.trim(), types })
      await client.invalidateQueries({ queryKey: ['hooks'] })
      setSecret(res.secret)
    } catch (err) {
      setError(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal
      open title={t('add')} onCancel={close} mask={{ closable: !secret }} width={640}
      footer={secret ? <Button type="primary" onClick={close} data-testid="kept">{t('kept')}</Button> : <><Button onClick={close}>{t('cancel')}</Button><Button type="primary" loading={busy} disabled={!good(url.trim())} onClick={() => void go()} data-testid="create">{t('create')}</Button></>}
    >
      {secret ? <Secret secret={secret} /> : (
        <div className="sheet">
          <div className="field"><label htmlFor="h-url">{t('url')}</label><Input id="h-url" value={url} onChange={(e) => setUrl(e.target.value)} maxLength={2048} placeholder="https://hooks.bank.example.cn/mulian" aria-describedby="h-allow" status={url && !good(url.trim()) ? 'error' : undefined} />
            {url && !good(url.trim()) && <small className="second">{t('urlBad')}</small>}
            <small id="h-allow" className="second">{t('allowed', { list: allow.join('、') })}</small>
          </div>
          <div className="field"><label htmlFor="h-label">{t('label')}</label><Input id="h-label" value={label} onChange={(e) => setLabel(e.target.value)} maxLength={64} placeholder={t('labelHint')} /></div>
          <div className="field"><label htmlFor="h-types">{t('types')}</label><Select id="h-types" mode="multiple" aria-label={t('types')} value={types} onChange={setTypes} options={options} placeholder={t('allTypes')} maxCount={64} /></div>
          {error !== undefined && <Refused error={error} />}
        </div>
      )}
    </Modal>
  )
}

/** Why a hook was not made, in the words of this page where they know it. */
function Refused({ error }: { error: unknown }) {
  const { t } = useTranslation(NAMESPACE)
  const r = refusal(error)
  const words = { 'MUL-12004': t('forbidden'), 'MUL-19002': t('unreachable'), 'MUL-11006': t('many') }[r.code]
  if (!words) return <Trouble error={error} />
  return <div className="note red" role="alert"><p>{words}</p><small>{[r.code, r.text, r.reference].filter(Boolean).join(' · ')}</small></div>
}
