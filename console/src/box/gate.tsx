// The gate before what lies in the box: making the vault, once; opening it with the passkey or
// the recovery code. Behind it are pages that need open keys.
import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { Vault } from '@/gen/mulian/safebox/v1/safebox_pb'
import { useWords } from '../words-box'
import { call } from './api'
import { useBox } from './box'
import { Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { byCode, byPasskey, caller, lock, type Made, make, newCode, onLedger, type Open, openNow, unlock, watch } from './vault'

/** Gate shows its content when the vault is open. */
export function Gate({ children }: { children: (open: Open, vault: Vault) => ReactNode }) {
  const { at, signer, stamp, refresh } = useBox()
  const open = useSyncExternalStore(watch, () => openNow(signer.account))
  const [left, setLeft] = useState<{ error: unknown; made: Made }>() // on the ledger, but not yet behind the door
  const read = useAsk(async () => ({ vault: await onLedger(signer.account) }), [signer.account, stamp, open])
  if (!read.data) return read.error !== undefined ? <Trouble error={read.error} again={refresh} /> : <Wait />
  const { vault } = read.data
  // Make is gone from the page as soon as the ledger has the vault, so what fails after that is said here.
  const finish = (made: Made) => {
    setLeft(undefined)
    made.signed().then(() => (at.demo ? returned(signer.account) : undefined)).then(refresh, (error: unknown) => setLeft({ error, made }))
  }
  const trouble = left && <Trouble error={left.error} again={() => finish(left.made)} />
  if (!vault) return <>{trouble}<Make finish={finish} /></>
  if (!open || open.keyVersion !== vault.keyVersion) return <>{trouble}<Unlock vault={vault} /></>
  return <>{trouble}{open.admit && <Admit open={open} admitted={refresh} />}{children(open, vault)}</>
}

/** Lock closes the vault by hand. */
export function Lock() {
  const { t } = useWords()
  return <button type="button" className="button" onClick={lock}>{t('vault.lock')}</button>
}

/** Admit lets the vault open with the passkey of this device, from now on. */
function Admit({ open, admitted }: { open: Open; admitted: () => void }) {
  const { t } = useWords()
  const { signer } = useBox()
  const [error, setError] = useState<unknown>()
  const now = useRef<Made>(undefined)
  const bring = () => {
    setError(undefined)
    now.current?.signed().then(admitted, setError)
  }
  if (error !== undefined) return <section className="card tall"><p className="amber">{t('vault.bring')}</p><Trouble error={error} again={bring} /></section>
  return (
    <section className="card tall">
      <h2>{t('vault.admit')}</h2>
      <p>{t('vault.admitWhy')}</p>
      <SignButton
        label={t('vault.admit')} className="button first wide" testid="admit"
        make={async () => {
          const phone = await byPasskey(signer)
          if (!phone) throw new Error(t('vault.noPrf'))
          now.current = await open.admit!(phone)
          return now.current.draft
        }}
        done={bring}
      />
    </section>
  )
}

// In the demo a department lays what it has of this invented person into his box.
const returned = (account: string) => call('mulian.console.v1.ConsoleService/TakeSeat', { seat: 'citizen', account })

const LAST = 5 // letters of the code that are typed again

function Make({ finish }: { finish: (made: Made) => void }) {
  const { t } = useWords()
  const { at, signer } = useBox()
  const [code, setCode] = useState('')
  const [typed, setTyped] = useState('')
  const [single, setSingle] = useState(!signer.credential)
  const now = useRef<Made>(undefined)
  const flat = (s: string) => s.toUpperCase().replace(/[-\s]/g, '')
  const right = code !== '' && flat(typed) === flat(code).slice(-LAST)
  if (!code) {
    return (
      <section className="card tall">
        <h2>{t('vault.make')}</h2>
        <ul className="plain">{['sealed', 'two', 'lost'].map((k) => <li key={k}>{t(`vault.${k}`)}</li>)}</ul>
        <button type="button" className="button first wide" onClick={() => setCode(newCode())} data-testid="code-make">{t('vault.code')}</button>
      </section>
    )
  }
  return (
    <section className="card tall">
      <h2>{t('vault.write')}</h2>
      <p>{t('vault.once')}</p>
      <p className="code" data-testid="code"><code>{code}</code></p>
      <label htmlFor="code-again">{t('vault.again', { n: LAST })}</label>
      <input id="code-again" className="field" autoComplete="off" autoCapitalize="characters" spellCheck={false} value={typed} onChange={(e) => setTyped(e.target.value)} />
      {typed !== '' && !right && flat(typed).length >= LAST && <p className="bad" role="alert">{t('vault.wrong')}</p>}
      {single && <p className="amber">{t('vault.single')}</p>}
      <SignButton
        label={t('vault.make')} className="button first wide" testid="vault-make" disabled={!right}
        make={async () => {
          const paper = byCode(code)!
          const phone = await byPasskey(signer)
          setSingle(!phone)
          now.current = await make(caller(at, signer), phone ? [phone, paper] : [paper])
          return now.current.draft
        }}
        done={() => { if (now.current) finish(now.current) }}
      />
    </section>
  )
}

function Unlock({ vault }: { vault: Vault }) {
  const { t } = useWords()
  const { at, signer } = useBox()
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const live = useRef(true)
  useEffect(() => { live.current = true; return () => { live.current = false } }, [])
  const open = async (by: () => Promise<Parameters<typeof unlock>[2] | undefined>, none: string) => {
    setBusy(true)
    setError(undefined)
    try {
      const secret = await by()
      if (!secret) throw new Error(t(none))
      await unlock(caller(at, signer), vault, secret)
    } catch (err) {
      const why = err instanceof Error ? err.message : ''
      if (live.current) setError(why === 'unlocker' || why === 'vault-file' ? new Error(t(`vault.${why === 'unlocker' ? 'notOpen' : 'noFile'}`)) : err)
    } finally {
      if (live.current) setBusy(false)
    }
  }
  return (
    <section className="card tall">
      <h2>{t('vault.closed')}</h2>
      <p className="second">{t('vault.why', { n: Number(vault.items) })}</p>
      {signer.credential && <button type="button" className="button first wide" disabled={busy} onClick={() => void open(() => byPasskey(signer), 'vault.noPrf')} data-testid="unlock">{t('vault.open')}</button>}
      <details open={!signer.credential}>
        <summary>{t('vault.byCode')}</summary>
        <form onSubmit={(e) => { e.preventDefault(); void open(async () => byCode(typed), 'vault.mistyped') }}>
          <label htmlFor="code">{t('vault.codeField')}</label>
          <input id="code" className="field" autoComplete="off" autoCapitalize="characters" spellCheck={false} value={typed} onChange={(e) => setTyped(e.target.value)} />
          <button type="submit" className="button wide" disabled={busy || typed === ''} data-testid="unlock-code">{t('vault.openCode')}</button>
        </form>
      </details>
      {error !== undefined && <Trouble error={error} />}
    </section>
  )
}
