// All keys are lost: a new device makes new ones and shows a code, for which friends vouch (vouch.tsx).
// The keys wait in this browser until the ledger has them, whatever happens meanwhile.
import { lazy, Suspense, useEffect, useState } from 'react'
import { arrived, keep, note, passkeysHere, type Signer, underWay } from '@/chain/keys'
import { account as accountOnLedger } from './account'
import { arranged, type Recovery, word } from './allowed'
import { call, type Here } from './api'
import { accountOf, numberOf, PLACE, possessed, prepare, read, written } from './newkey'
import { moment, Trouble, useAsk, Wait } from './parts'
import { useWords } from '../words-box'

const QR = lazy(async () => ({ default: (await import('@/parts/qr')).QR }))
const LOOK_MS = 3000

interface Props { at: Here; done: (s: Signer) => void; back: () => void }

export default function Lost({ at, done, back }: Props) {
  const { t } = useWords()
  const [passkey, setPasskey] = useState(false)
  const [signer, setSigner] = useState<Signer | null>()
  const [typed, setTyped] = useState(() => accountOf(location.hash) ?? '')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  useEffect(() => { void passkeysHere(at.rpIds ?? []).then(setPasskey) }, [at])
  useEffect(() => { void underWay(at.chainId).then((all) => setSigner(all.find((w) => w.what === PLACE)?.signer ?? null)) }, [at])
  const account = accountOf(typed)
  const make = async () => {
    setBusy(true)
    setError(undefined)
    try {
      if ((await accountOnLedger(account!)).id !== account) throw new Error(t('lost.unknown'))
      setSigner(await prepare(at, account!, passkey, t('title')))
    } catch (err) { setError(err) } finally { setBusy(false) }
  }
  const stop = async () => {
    await arrived(at.chainId, PLACE)
    setSigner(null)
  }
  if (signer === undefined) return <Wait />
  return (
    <>
      {at.demo && <aside className="demo" aria-label={t('demoMark')}>{t('demo')}</aside>}
      <header className="hero"><h1>{t('lost.title')}</h1><p>{t('lost.lead')}</p></header>
      <main className="page lifted">
        {!signer && (
          <section className="card tall">
            <form onSubmit={(e) => { e.preventDefault(); void make() }}>
              <label htmlFor="account">{t('lost.account')}</label>
              <input id="account" className="field" autoComplete="off" spellCheck={false} value={typed} onChange={(e) => setTyped(e.target.value)} />
              <p className="second">{t('lost.where')}</p>
              {typed !== '' && !account && <p className="bad" role="alert">{t('lost.wrong')}</p>}
              <button type="submit" className="button first wide" disabled={busy || !account} data-testid="lost-make">{t(passkey ? 'lost.make' : 'lost.makeKey')}</button>
            </form>
          </section>
        )}
        {signer && <Waiting at={at} signer={signer} done={done} stop={() => void stop()} />}
        {error !== undefined && <Trouble error={error} />}
        {!signer && <button type="button" className="button wide" onClick={back}>{t('lost.back')}</button>}
      </main>
    </>
  )
}

/** Waiting shows the code until the ledger has the key, and then adds the device's own key. */
function Waiting({ at, signer, done, stop }: { at: Here; signer: Signer; done: (s: Signer) => void; stop: () => void }) {
  const { t } = useWords()
  const [proof, setProof] = useState<Uint8Array>()
  const [tick, setTick] = useState(0)
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    const timer = setInterval(() => setTick((n) => n + 1), LOOK_MS)
    return () => clearInterval(timer)
  }, [])
  const number = useAsk(async () => numberOf((await read(written(signer)))!), [signer])
  const state = useAsk(async () => {
    const [a, r] = await Promise.all([accountOnLedger(signer.account), arranged(signer.account)])
    const key = a.keys.find((k) => k.id === signer.keyId)
    return { ours: key?.state === 1, ended: key !== undefined && key.state !== 1, policy: r.policy, running: r.running?.find((x) => x.newKey?.id === signer.keyId), other: r.running?.find((x) => x.newKey?.id !== signer.keyId) }
  }, [signer, tick])
  const work = async (f: () => Promise<void>) => {
    setBusy(true)
    setError(undefined)
    try { await f() } catch (err) { setError(err) } finally { setBusy(false) }
  }
  const finish = () => work(async () => {
    await (await import('./sign')).settle(at, signer)
    await keep(signer)
    await arrived(at.chainId, PLACE)
    if (at.demo) { // the city says again who this invented person is
      const said = await call<{ number?: string; salt?: string }>('mulian.console.v1.ConsoleService/TakeSeat', { seat: 'citizen', account: signer.account })
      await note(signer.account, 'number', said.number ?? '')
      await note(signer.account, 'salt', said.salt ?? '')
    }
    done(signer)
  })
  const d = state.data
  const running = d?.running
  if (d?.ours) {
    return (
      <section className="card tall">
        <h2 className="good">{t('lost.taken')}</h2>
        <p>{t('lost.last')}</p>
        <button type="button" className="button first wide" disabled={busy} onClick={() => void finish()} data-testid="lost-finish">{t('lost.finish')}</button>
        {error !== undefined && <Trouble error={error} />}
      </section>
    )
  }
  const link = `${location.origin}/box/vouch#${written(signer, proof)}`
  return (
    <>
      <section className="card tall">
        <h2>{t('lost.askGuardians')}</h2>
        <p className="second">{t('lost.howLost')}</p>
        {d && !d.policy?.threshold && <p className="amber" data-testid="lost-none">{t('lost.none')}</p>}
        {d?.other && <p className="bad" role="alert">{t('lost.other')}</p>}
        {!proof
          ? <button type="button" className="button first wide" disabled={busy} onClick={() => void work(async () => setProof(await possessed(signer)))} data-testid="lost-prove">{t('lost.prove')}</button>
          : (
            <>
              <Suspense fallback={<Wait />}><QR text={link} label={t('lost.code')} size={320} /></Suspense>
              <Copy text={link} />
              <p>{t('lost.number')}</p>
              <p className="code"><code data-testid="lost-number">{number.data}</code></p>
            </>
          )}
      </section>
      {running && <Attempt of={running} />}
      {d?.ended && <p className="bad" role="alert">{t('lost.ended')}</p>}
      {state.error !== undefined && <Trouble error={state.error} />}
      {error !== undefined && <Trouble error={error} />}
      <p className="second" role="status">{t('lost.waits')}</p>
      <button type="button" className="button wide" onClick={stop}>{t('lost.stop')}</button>
    </>
  )
}

/** Attempt is how far the recovery has come. */
export function Attempt({ of }: { of: Recovery }) {
  const { t } = useWords()
  const state = word(of.state, 'RECOVERY_STATE_')
  return (
    <section className="card" aria-live="polite" data-testid="attempt">
      <h2>{t(`lost.state.${state}`)}</h2>
      <p>{t('lost.vouched', { n: of.approvals?.length ?? 0, of: of.needed ?? 0 })}</p>
      {of.dueMs && of.dueMs !== '0' && <p className="second">{t(state === 'locked' ? 'lost.locked' : 'lost.open', { at: moment(of.dueMs) })}</p>}
    </section>
  )
}

/** Copy is a link to send where no camera sees the code. */
export function Copy({ text }: { text: string }) {
  const { t } = useWords()
  const [copied, setCopied] = useState(false)
  return (
    <>
      <details><summary>{t('lost.asText')}</summary><p className="second"><code data-testid="link">{text}</code></p></details>
      <button type="button" className="button wide" onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true), () => undefined)}>{t(copied ? 'scan.copied' : 'lost.copy')}</button>
    </>
  )
}
