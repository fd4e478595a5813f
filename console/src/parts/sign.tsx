// SignSheet: the one way in which these pages write. It decodes the bytes that it signs,
// shows the node's sentence for exactly those bytes, asks the key, and waits for the block.
//
//   sign({ acts }) ─▶ bytes ─▶ sentence ─▶ key ─▶ pending ─▶ on chain (height) | failed (reason)
//
// With a passkey the device's own question is the confirmation and comes at once; a key of
// the browser asks nothing, so the sheet's button does.
import { SafetyCertificateOutlined } from '@ant-design/icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Drawer } from 'antd'
import { createContext, type ReactNode, useCallback, useContext, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { caughtUp, usePulse } from '@/chain/live'
import { type Refused, refusal, rpc } from '@/chain/rpc'
import { rare } from '@/chain/rare'
import { type Act, type Committed, type Draft, draft, fields, send } from '@/chain/tx'
import { amount } from '@/chain/words'
import { useWho } from '@/shell/who'
import { Copy } from './copy'
import { Failed } from './failed'
import { tell } from './toasts'
import { useSmall } from './table'

/** Ask is what a page wants to have signed. */
export interface Ask {
  title: string // what the button said
  about?: string // what it is done to, by the name that the page shows
  acts: Act[]
  danger?: boolean // cannot be undone
  beside?: ReactNode // differences to what stands now
}

type Sign = (ask: Ask) => Promise<Committed | undefined>
const Context = createContext<Sign>(async () => undefined)

/** useSign returns sign(ask): the block's answer, or undefined if nothing was signed or it was refused. */
export const useSign = (): Sign => useContext(Context)

type Stage = { at: 'ready' } | { at: 'key' } | { at: 'pending' } | { at: 'failed'; why: Refused | string; committed?: Committed }

export function SignProvider({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState<{ ask: Ask; done: (c?: Committed) => void }>()
  const sign = useCallback<Sign>((ask) => new Promise((done) => setOpen({ ask, done })), [])
  return (
    <Context value={sign}>
      {children}
      {open && <Sheet ask={open.ask} close={(c) => { setOpen(undefined); open.done(c) }} />}
    </Context>
  )
}

function Sheet({ ask, close }: { ask: Ask; close: (c?: Committed) => void }) {
  const { t } = useTranslation('shell')
  const { signer, here } = useWho()
  const { offsetMs, connected, height } = usePulse()
  const [opened] = useState(height) // what has changed since, the signer has not seen
  const small = useSmall()
  const client = useQueryClient()
  const headed = [ask.title, ask.about].filter(Boolean).join(' · ')
  const [made, setMade] = useState<Draft>()
  const [stage, setStage] = useState<Stage>({ at: 'ready' })
  const told = useQuery({
    queryKey: ['sentence', made && hex(made.id)], enabled: !!made, staleTime: Infinity,
    queryFn: () => rpc(ConsoleService).readBody({ body: made!.bytes }),
  })
  useEffect(() => {
    if (signer) void draft(here.chainId, signer.account, ask.acts, offsetMs).then(setMade)
  }, []) // one draft for each opening: what was shown is what is signed

  const go = async () => {
    if (!signer || !made) return
    setStage({ at: 'key' })
    try {
      const c = await send(signer, made, () => setStage({ at: 'pending' }))
      if (c.code !== 0) {
        setStage({ at: 'failed', why: c.text || `MUL-${c.code}`, committed: c })
        return
      }
      await caughtUp(client) // so that nobody signs again what the page still shows as open
      tell({ text: `${headed} ${t('sign.done', { height: amount(c.height) })}`, to: `/tx/${hex(c.id)}`, link: t('sign.look') })
      close(c)
    } catch (err) {
      if (err instanceof DOMException) setStage({ at: 'failed', why: t('sign.device', { why: err.message }) })
      else setStage({ at: 'failed', why: refusal(err) })
    }
  }
  const asked = useRef(false)
  const ready = !!made && !!told.data && connected
  useEffect(() => {
    if (ready && signer?.method === 'passkey' && !asked.current) {
      asked.current = true
      void go()
    }
  }, [ready])

  const waits = stage.at === 'key' || stage.at === 'pending'
  return (
    <Drawer
      open title={headed} onClose={() => { if (stage.at !== 'pending') close() }} placement={small ? 'bottom' : 'right'} size={small ? '88%' : 480}
      mask={{ closable: false }} keyboard={!waits}
      footer={signer && (
        <div className="actions">
          <Button type="primary" danger={ask.danger} autoFocus loading={waits} disabled={!ready} onClick={() => void go()} data-testid="sign">
            {stage.at === 'key' ? t('sign.atKey') : stage.at === 'pending' ? t('sign.pending') : stage.at === 'failed' ? t('sign.again') : t('sign.go')}
          </Button>
          <Button disabled={stage.at === 'pending'} onClick={() => close()}>{t('cancel')}</Button>
        </div>
      )}
    >
      {!signer ? <p className="note amber">{t('sign.nobody')} <Link to="/seats" onClick={() => close()}>{t('signIn')}</Link></p> : (
        <div className="sheet">
          {told.isError && <p className="note red" role="alert">{t('sign.unread', { why: refusal(told.error).text })}</p>}
          <div className="sentence" aria-live="polite">
            {told.data?.lines.map((l, i) => (i === 0 ? <span key={i} className="second">{rare(l)}</span> : <b key={i}>{rare(l)}</b>))}
          </div>
          {ask.beside}
          {ask.danger && <p className="note amber">{t('sign.final')}</p>}
          {stage.at === 'failed' && <Failed {...stage} acts={ask.acts} opened={opened} />}
          <dl className="facts">
            <dt>{t('sign.method')}</dt><dd>{t(`method.${signer.method}`)} <code>{signer.keyId}</code></dd>
            {made && <><dt>{t('sign.tx')}</dt><dd><code title={hex(made.id)}>{short(hex(made.id))}</code> <Copy text={hex(made.id)} /></dd></>}
          </dl>
          {made && (
            <details>
              <summary className="second"><SafetyCertificateOutlined /> {t('sign.decoded', { n: made.bytes.length })}</summary>
              {fields(made.bytes).map((m, i) => (
                <dl className="facts" key={i}>
                  <dt>{i + 1}</dt><dd><code>{m.verb}</code></dd>
                  {m.fields.map((f) => [<dt key={f.path + 'k'}><code>{f.path}</code></dt>, <dd key={f.path}>{rare(f.value)}</dd>])}
                </dl>
              ))}
            </details>
          )}
        </div>
      )}
    </Drawer>
  )
}
