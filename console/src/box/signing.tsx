// A button that signs: it shows what the bytes say, asks the key, waits for the block.
// With a passkey the device asks at once; a key of the browser needs a second press.
import { useEffect, useRef, useState } from 'react'
import type { Committed, Draft } from '@/chain/tx'
import { base64, call, Refusal } from './api'
import { useBox } from './box'
import { useWords } from '../words-box'
import { Trouble } from './parts'

interface Props { label: string; className: string; make: () => Promise<Draft>; done: (c: Committed) => void; undone?: () => void; testid?: string; disabled?: boolean }

/** SignButton: undone is called when the sheet is closed and nothing was sent. */
export function SignButton({ label, className, make, done, undone, testid, disabled = false }: Props) {
  const [made, setMade] = useState<Draft>()
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const press = async () => {
    setBusy(true)
    setError(undefined)
    try { setMade(await make()) } catch (err) { setError(err) } finally { setBusy(false) }
  }
  return (
    <>
      <button type="button" className={className} disabled={busy || disabled} onClick={() => void press()} data-testid={testid}>{label}</button>
      {error !== undefined && <Trouble error={error} />}
      {made && <Sheet label={label} draft={made} close={(sent) => { setMade(undefined); if (!sent) undone?.() }} done={(c) => { setMade(undefined); done(c) }} />}
    </>
  )
}

function Sheet({ label, draft, close, done }: { label: string; draft: Draft; close: (sent: boolean) => void; done: (c: Committed) => void }) {
  const { t } = useWords()
  const { signer } = useBox()
  const [lines, setLines] = useState<string[]>()
  const [list, setList] = useState<{ path: string; value: string }[]>([])
  const [stage, setStage] = useState<'ready' | 'key' | 'pending'>('ready')
  const [error, setError] = useState<unknown>()
  const dialog = useRef<HTMLDialogElement>(null)
  const asked = useRef(false)
  const sent = useRef(false)
  const go = async () => {
    setError(undefined)
    setStage('key')
    try {
      const { send } = await import('./sign')
      const c = await send(signer, draft, () => { sent.current = true; setStage('pending') })
      if (c.code !== 0) throw new Refusal(`MUL-${c.code}`, c.text, '')
      done(c)
    } catch (err) {
      const { refusal } = await import('@/chain/rpc')
      const r = err instanceof Error && err.name === 'ConnectError' ? refusal(err) : undefined // what the node refused before a block
      setError(r?.code ? new Refusal(r.code, r.text, r.reference) : err)
      setStage('ready')
    }
  }
  useEffect(() => {
    dialog.current?.showModal()
    void (async () => {
      try {
        const { fields } = await import('./sign')
        setList(fields(draft.bytes).flatMap((m) => m.fields))
        const said = await call<{ lines: string[] }>('mulian.console.v1.ConsoleService/ReadBody', { body: base64(draft.bytes) })
        setLines(said.lines)
        if (signer.method === 'passkey' && !asked.current) {
          asked.current = true
          void go()
        }
      } catch (err) { setError(err) }
    })()
  }, [])
  return (
    <dialog ref={dialog} className="sheet" aria-label={label} onClose={() => close(sent.current)} onCancel={(e) => { if (stage === 'pending') e.preventDefault() }}>
      <h2>{label}</h2>
      {lines?.map((l, i) => <p key={i} className={i === 0 ? 'second' : 'sentence'}>{l}</p>)}
      <details><summary>{t('sign.all', { n: draft.bytes.length })}</summary><dl>{list.map((f) => [<dt key={`${f.path}k`}>{f.path}</dt>, <dd key={f.path}>{f.value}</dd>])}</dl></details>
      {error !== undefined && <Trouble error={error} />}
      <div className="foot">
        <button type="button" className="button" disabled={stage === 'pending'} onClick={() => dialog.current?.close()}>{t('cancel')}</button>
        <button type="button" className="button first" disabled={!lines || stage !== 'ready'} onClick={() => void go()} data-testid="sign">{stage === 'pending' ? t('sign.pending') : stage === 'key' ? t('sign.key') : t('sign.go')}</button>
      </div>
    </dialog>
  )
}
