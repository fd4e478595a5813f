// A second device, on the second one: it makes its keys, shows them to the first one, and waits
// until the ledger has them. What it made is kept before it is shown, and found again after a reload.
import { useEffect, useState } from 'react'
import { KeyState } from '@/gen/mulian/identity/v1/identity_pb'
import { hex, unhex } from '@/chain/bytes'
import { arrived, keep, makeKey, makePasskey, passkeysHere, type Signer, signers, underWay, waiting } from '@/chain/keys'
import { QR } from '@/parts/qr'
import { useWords } from '../words-box'
import { account } from './account'
import type { Here } from './api'
import { To } from './box'
import { Speech } from './me'
import { answering, invited, type Invitation, type Joining, letters } from './pair'
import { moment, Trouble, useAsk, Wait } from './parts'

const ASK_MS = 2000

/** Under is a device on its way into an account. */
interface Under { signer: Signer; joining: Joining; letters: string }

export default function Join({ at, opened }: { at: Here; opened: (s: Signer) => void }) {
  const { t } = useWords()
  const invitation = invited(location.href, location.origin)
  const [passkey, setPasskey] = useState<boolean>()
  const [under, setUnder] = useState<Under>()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  // What is known here: the account already, or a device that was on its way when the page went.
  const known = useAsk(async () => {
    const [mine, way] = await Promise.all([signers(at.chainId), underWay(at.chainId)])
    const begun = way.filter((w) => w.what.startsWith('join/') && (!invitation || w.signer.account === invitation.account))
    const kept = begun[0]?.signer
    const nonce = invitation?.nonce ?? (kept?.notes?.nonce ? unhex(kept.notes.nonce) : undefined)
    if (kept && nonce) setUnder(await underOf(kept, nonce))
    return { mine: mine.some((s) => s.account === invitation?.account) }
  }, [at, location.hash])
  useEffect(() => { void passkeysHere(at.rpIds ?? []).then(setPasskey) }, [at])

  const begin = async (i: Invitation) => {
    setBusy(true)
    setError(undefined)
    try {
      const signer = await waiting(at.chainId, `join/${i.account}`, async () => {
        const key = passkey ? await makePasskey(t('title')) : await makeKey()
        const device = await makeKey()
        return {
          ...key, account: i.account, org: '', orgName: '', role: 'citizen', chain: at.chainId, addedMs: Date.now(),
          device: { keyId: device.keyId, point: device.point, secret: device.secret! }, notes: { nonce: hex(i.nonce) },
        }
      })
      setUnder(await underOf(signer, i.nonce))
    } catch (err) { setError(err) } finally { setBusy(false) }
  }
  useEffect(() => {
    if (!under) return
    let live = true
    const look = async () => {
      try {
        const has = (await account(under.signer.account)).keys.filter((k) => k.state === KeyState.ACTIVE).map((k) => k.id)
        if (!live || ![under.signer.keyId, under.signer.device!.keyId].every((id) => has.includes(id))) return
        live = false
        const { notes: _, ...s } = under.signer
        const signer = { ...s, addedMs: Date.now() }
        await keep(signer)
        await arrived(at.chainId, `join/${signer.account}`)
        opened(signer)
      } catch (err) { if (live) setError(err) }
    }
    void look()
    const timer = setInterval(() => void look(), ASK_MS)
    return () => { live = false; clearInterval(timer) }
  }, [under])

  const late = invitation !== undefined && invitation.endsMs <= Date.now() + at.aheadMs
  return (
    <>
      {at.demo && <aside className="demo" aria-label={t('demoMark')}>{t('demo')}</aside>}
      <header className="hero"><h1>{t('join.title')}</h1><p>{t('join.lead')}</p></header>
      <main className="page lifted">
        {!known.data && <section className="card"><Wait /></section>}
        {known.data?.mine && <section className="card tall"><p>{t('join.already')}</p><To to="/box" className="button first wide">{t('toHome')}</To></section>}
        {known.data && !known.data.mine && !under && <section className="card tall">
          {!invitation && <><p className="amber" role="alert">{t('join.none')}</p><To to="/box" className="button wide">{t('toHome')}</To></>}
          {invitation && <p>{t('join.account')} <code>{invitation.account}</code></p>}
          {late && <p className="amber" role="alert">{t('join.late')}</p>}
          {invitation && !late && <>
            <button type="button" className="button first wide" disabled={busy || passkey === undefined} onClick={() => void begin(invitation)} data-testid="join">{t(passkey ? 'join.passkey' : 'join.key')}</button>
            {passkey === false && <p className="second">{t('welcome.noPasskey')}</p>}
          </>}
        </section>}
        {under && !known.data?.mine && <section className="card tall">
          <h2>{t('join.show')}</h2>
          <QR text={answering(location.origin, under.joining)} label={t('join.show')} />
          <code data-testid="answer-link">{answering(location.origin, under.joining)}</code>
          <h2>{t('join.compare')}</h2>
          <p className="code"><code data-testid="letters">{under.letters}</code></p>
          <p className="second" role="status">{t('join.waits')}{invitation && ` ${t('pair.until', { at: moment(invitation.endsMs) })}`}</p>
          {late && <p className="amber" role="alert">{t('join.late')}</p>}
        </section>}
        {error !== undefined && <Trouble error={error} />}
        <Speech />
      </main>
    </>
  )
}

async function underOf(signer: Signer, nonce: Joining['nonce']): Promise<Under> {
  const joining = { nonce, passkey: signer.method === 'passkey', backupEligible: signer.backupEligible ?? false, root: signer.point, device: signer.device!.point }
  return { signer, joining, letters: await letters(signer.account, joining) }
}
