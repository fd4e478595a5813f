// The first page: opening a box is making a key.
import { useEffect, useState } from 'react'
import { passkeysHere, type Signer, underWay } from '@/chain/keys'
import { useWords } from '../words-box'
import type { Here } from './api'
import { To } from './box'
import { Trouble } from './parts'
import { Speech } from './me'

export function Welcome({ at, opened }: { at: Here; opened: (s: Signer) => void }) {
  const { t } = useWords()
  const [passkey, setPasskey] = useState<boolean>()
  const [joining, setJoining] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  useEffect(() => { void passkeysHere(at.rpIds ?? []).then(setPasskey) }, [at])
  useEffect(() => { void underWay(at.chainId).then((w) => setJoining(w.some((x) => x.what.startsWith('join/')))) }, [at])
  const open = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const sign = await import('./sign')
      opened(await sign.open(at, passkey === true, t('title')))
    } catch (err) { setError(err) } finally { setBusy(false) }
  }
  return (
    <>
      {at.demo && <aside className="demo" aria-label={t('demoMark')}>{t('demo')}</aside>}
      <header className="hero"><h1>{t('title')}</h1><p>{t('welcome.lead')}</p></header>
      <main className="page lifted">
        <section className="card"><ul className="plain">{['yours', 'asked', 'seen'].map((k) => <li key={k}>{t(`welcome.${k}`)}</li>)}</ul></section>
        {joining && <To to="/box/join" className="button wide">{t('join.resume')}</To>}
        <button type="button" className="button first wide" disabled={busy || passkey === undefined} onClick={() => void open()} data-testid="open">{busy ? t('welcome.opening') : passkey ? t('welcome.passkey') : t('welcome.key')}</button>
        {passkey === false && <p className="second">{t('welcome.noPasskey')}</p>}
        {error !== undefined && <Trouble error={error} />}
        <To to="/box/lost" className="button wide">{t('welcome.lost')}</To>
        <Speech />
      </main>
    </>
  )
}
