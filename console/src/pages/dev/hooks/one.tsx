// One hook: what can be done with it, and what became of its last posts.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Button, InputNumber, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Hook, type HookAttempt, HookEnd, HookService, HookState, type ReplayHookRequest } from '@/gen/mulian/console/v1/hooks_pb'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Command } from '@/parts/command'
import { State } from '@/parts/object'
import { Empty, Loaded, Trouble } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { tell } from '@/parts/toasts'
import { NAMESPACE } from './words'

type From = Pick<ReplayHookRequest, 'from'>['from']
type Asked = 'height' | 'rotate' | 'remove'

/** Secret shows a secret, the only time. */
export function Secret({ secret, more }: { secret: string; more?: string }) {
  const { t } = useTranslation(NAMESPACE)
  return <div className="sheet"><p className="note amber"><strong>{t('once')}</strong> {t('onceText')} {more}</p><Command text={secret} /></div>
}

/** One shows a hook with its buttons and its posts. */
export function One({ hook: h, height }: { hook: Hook; height: bigint }) {
  const { t } = useTranslation(NAMESPACE)
  const client = useQueryClient()
  const [busy, setBusy] = useState('')
  const [error, setError] = useState<unknown>()
  const [asked, setAsked] = useState<Asked>()
  const [shown, setShown] = useState<HookAttempt>()
  const posts = useQuery({ queryKey: ['hooks', 'attempts', h.id], refetchInterval: 2000, queryFn: async () => (await rpc(HookService).listHookAttempts({ id: h.id, limit: 200 })).attempts })
  const does = async (what: string, call: () => Promise<string>) => {
    setBusy(what)
    setError(undefined)
    try {
      const text = await call()
      await client.invalidateQueries({ queryKey: ['hooks'] })
      tell({ text })
    } catch (err) {
      setError(err)
    } finally {
      setBusy('')
    }
  }
  const result = (a?: HookAttempt) => (a?.error ? t('notTaken', { why: a.error }) : t('taken', { status: a?.status, ms: a?.tookMs }))
  const replay = async (from: From) => {
    const res = await rpc(HookService).replayHook({ id: h.id, from })
    return res.attempt ? result(res.attempt) : t('fromSet', { event: amount(res.hook?.next) })
  }
  const set = (state: HookState) => does('state', async () => {
    await rpc(HookService).updateHook({ id: h.id, state })
    return t(state === HookState.PAUSED ? 'paused' : 'resumed')
  })
  const columns: Column<HookAttempt>[] = [
    { id: 'time', title: t('time'), show: (a) => exact(a.atMs) },
    { id: 'event', title: t('event'), card: 'title', show: (a) => <span className="two">{a.type}<small>{a.event < 0n ? t('testEvent') : `${amount(a.event)} · ${t('height')} ${amount(a.height)}`}{a.again && ` · ${t('byHand')}`}</small></span> },
    {
      id: 'result', title: t('result'), card: 'end', show: (a) => <span title={a.error}><State words={a.status ? `HTTP ${a.status}` : a.error} tone={a.error ? 'red' : 'green'} /></span>,
      act: (a) => (a.event < 0n ? null : <Button size="small" onClick={() => void does('only', () => replay({ case: 'only', value: a.event }))} data-testid="again">{t('one')}</Button>),
    },
    { id: 'took', title: t('took'), number: true, show: (a) => `${amount(a.tookMs)} ms` },
  ]
  return (
    <section className="card" aria-label={h.label || h.url}>
      <header><h2>{h.label || h.id}</h2><span className="end second">{h.account}</span></header>
      <div className="body sheet">
        <p><code style={{ overflowWrap: 'anywhere' }}>{h.url}</code> {h.types.map((x) => <span key={x} className="pill grey square">{x}</span>)}</p>
        {h.state === HookState.OFF && <p className="note red">{t(`end.${HookEnd[h.end]}`)} <small>{h.error}</small></p>}
        {h.state === HookState.FAILING && <p className="note amber">{t('since', { at: exact(h.failingMs) })} · {t('again', { at: exact(h.againMs) })} <small>{h.error}</small></p>}
        {h.oldSecretMs > 0n && <p className="second">{t('oldSecret', { at: exact(h.oldSecretMs) })}</p>}
        <p className="actions">
          <Button type="primary" loading={busy === 'test'} onClick={() => void does('test', async () => result((await rpc(HookService).testHook({ id: h.id })).attempt))} data-testid="test">{t('test')}</Button>
          {h.state !== HookState.ACTIVE && <Button loading={busy === 'state'} onClick={() => void set(HookState.ACTIVE)} data-testid="resume">{t(h.state === HookState.FAILING ? 'now' : 'resume')}</Button>}
          {(h.state === HookState.ACTIVE || h.state === HookState.FAILING) && <Button loading={busy === 'state'} onClick={() => void set(HookState.PAUSED)} data-testid="pause">{t('pause')}</Button>}
          <Button onClick={() => setAsked('height')} data-testid="from-height">{t('fromHeight')}</Button>
          <Button onClick={() => setAsked('rotate')} data-testid="rotate">{t('rotate')}</Button>
          <Button danger onClick={() => setAsked('remove')} data-testid="remove">{t('remove')}</Button>
        </p>
        {error !== undefined && <Trouble error={error} />}
      </div>
      <header><h2>{t('attempts')}</h2><span className="end second">{t('attemptsText')}</span></header>
      <Loaded query={posts}>{(rows) => <DataTable caption={t('attempts')} columns={columns} rows={rows} rowId={(a) => `${a.id} ${a.atMs}`} onOpen={setShown} empty={<Empty text={t('noAttempts')} />} />}</Loaded>
      {asked && <Ask what={asked} hook={h} height={height} close={() => setAsked(undefined)} does={does} replay={replay} />}
      {shown && (
        <Modal open title={shown.type} onCancel={() => setShown(undefined)} width={640} footer={<><Button onClick={() => setShown(undefined)}>{t('close')}</Button>{shown.event >= 0n && <Button type="primary" onClick={() => { void does('from', () => replay({ case: 'event', value: shown.event })); setShown(undefined) }} data-testid="from-here">{t('here')}</Button>}</>}>
          <dl className="facts">
            <dt>webhook-id</dt><dd><code>{shown.id}</code></dd>
            <dt>{t('time')}</dt><dd>{exact(shown.atMs)}</dd>
            <dt>{t('result')}</dt><dd>{result(shown)}</dd>
          </dl>
          <h3>{t('payload')}</h3>
          <pre className="json" tabIndex={0}>{JSON.stringify(JSON.parse(shown.body || '{}'), null, 2)}</pre>
        </Modal>
      )}
    </section>
  )
}

interface AskProps { what: Asked; hook: Hook; height: bigint; close: () => void; does: (what: string, call: () => Promise<string>) => Promise<void>; replay: (from: From) => Promise<string> }

/** Ask is what is asked before a hook is changed. */
function Ask({ what, hook: h, height, close, does, replay }: AskProps) {
  const { t } = useTranslation(NAMESPACE)
  const [from, setFrom] = useState(Number(height))
  const [secret, setSecret] = useState('')
  const go = (): void => {
    if (what === 'height') void does('from', () => replay({ case: 'height', value: BigInt(from) })).then(close)
    if (what === 'remove') void does('remove', async () => { await rpc(HookService).deleteHook({ id: h.id }); return t('removed') }).then(close)
    if (what === 'rotate') void does('rotate', async () => { setSecret((await rpc(HookService).rotateHookSecret({ id: h.id })).secret); return t('rotated') })
  }
  const words = { height: ['fromHeight', 'fromHeightText', 'replayGo'], rotate: ['rotate', 'rotateText', 'rotateGo'], remove: ['remove', 'removeText', 'removeGo'] }[what]
  return (
    <Modal
      open title={t(words[0]!)} onCancel={close} mask={{ closable: !secret }} width={560}
      footer={secret ? <Button type="primary" onClick={close} data-testid="kept">{t('kept')}</Button> : <><Button onClick={close}>{t('cancel')}</Button><Button type="primary" danger={what === 'remove'} onClick={go} data-testid="ask-go">{t(words[2]!)}</Button></>}
    >
      {secret ? <Secret secret={secret} more={t('rotated')} /> : (
        <div className="sheet">
          <p>{t(words[1]!)}</p>
          {what === 'height' && <div className="field"><label htmlFor="h-height">{t('height')}</label><InputNumber id="h-height" min={1} max={Number(height)} precision={0} value={from} onChange={(n) => setFrom(n ?? 1)} /></div>}
        </div>
      )}
    </Modal>
  )
}
