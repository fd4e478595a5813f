// A second device, on the first one: the invitation is shown, the answer of the new device read,
// the letters of both screens compared, and its keys added with one signature.
import { useCallback, useEffect, useState } from 'react'
import { AccountState, KeyAlgorithm, KeyLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { hex, random, sha256, unhex, utf8 } from '@/chain/bytes'
import { keyIdOf, note } from '@/chain/keys'
import { draft } from '@/chain/tx'
import { QR } from '@/parts/qr'
import { useWords } from '../words-box'
import { account } from './account'
import { To, useBox } from './box'
import { answered, inviting, type Invitation, type Joining, letters, LIFE_MS } from './pair'
import { moment, Trouble, useAsk, Wait } from './parts'
import { Camera } from './scan'
import { SignButton } from './signing'
import { same } from './seal'

const KEPT = 'pair' // among the notes of the account: the invitation that is open

/** Answer is what came back, held against the invitation. */
interface Answer { joining: Joining; letters: string; keyId: string; deviceId: string }

export default function Device() {
  const { t } = useWords()
  const { at, signer, stamp, refresh } = useBox()
  const now = () => Date.now() + at.aheadMs
  const [open, setOpen] = useState<Invitation | null>() // undefined: not read yet
  const [answer, setAnswer] = useState<Answer>()
  const [why, setWhy] = useState('')
  const [, setTick] = useState(0)
  const ledger = useAsk(() => account(signer.account), [signer.account, stamp])
  const has = ledger.data && answer && [answer.keyId, answer.deviceId].every((id) => ledger.data?.keys.some((k) => k.id === id))

  useEffect(() => {
    void note(signer.account).then((all) => {
      const [nonce, ends] = (all[KEPT] ?? '').split(' ')
      setOpen(nonce && ends ? { account: signer.account, nonce: unhex(nonce), endsMs: Number(ends) } : null)
    })
    const timer = setInterval(() => setTick((n) => n + 1), 1000)
    return () => clearInterval(timer)
  }, [signer.account])
  const invite = async () => {
    const i = { account: signer.account, nonce: random(12), endsMs: Math.ceil((now() + LIFE_MS) / 1000) * 1000 }
    await note(signer.account, KEPT, `${hex(i.nonce)} ${i.endsMs}`) // a page that is loaded again still knows whom it has asked
    setAnswer(undefined)
    setWhy('')
    setOpen(i)
  }
  const take = useCallback(async (texts: string[]) => {
    setAnswer(undefined)
    const joining = texts.length === 1 ? answered(texts[0]!, location.origin) : undefined
    if (!joining) { setWhy('none'); return }
    if (!open || !same(open.nonce, joining.nonce)) { setWhy('other'); return }
    const [said, keyId, deviceId] = await Promise.all([letters(signer.account, joining), keyIdOf(joining.passkey ? 4 : 2, joining.root), keyIdOf(2, joining.device)])
    setWhy('')
    setAnswer({ joining, letters: said, keyId, deviceId })
  }, [open, signer.account])
  useEffect(() => { // whoever reads the code with the phone's own camera comes here by the link
    if (open === undefined) return
    const look = () => { if (location.hash.length > 1) void take([location.href]) }
    look()
    addEventListener('hashchange', look)
    return () => removeEventListener('hashchange', look)
  }, [open, take])

  const late = open ? open.endsMs <= now() : false
  const live = open && !late
  return (
    <main className="page">
      <To to="/box/me" className="back">‹ {t('me.title')}</To>
      <h1>{t('pair.title')}</h1>
      {ledger.error !== undefined && !ledger.data && <Trouble error={ledger.error} again={refresh} />}
      {(open === undefined || (!ledger.data && ledger.error === undefined)) && <Wait />}
      {ledger.data && ledger.data.state !== AccountState.ACTIVE && <p className="bad">{t('me.frozen')}</p>}
      {has && <section className="card tall" role="status"><h2 className="good">{t('pair.added')}</h2><p>{t('pair.vault')}</p><p className="second">{t('pair.lose')}</p></section>}
      {!has && open !== undefined && ledger.data?.state === AccountState.ACTIVE && <>
        {!live && <section className="card tall">
          <p>{t('pair.lead')}</p>
          <p className="second">{t('pair.same')}</p>
          {late && <p className="amber" role="status">{t('pair.late')}</p>}
          <button type="button" className="button first wide" onClick={() => void invite()} data-testid="invite">{t('pair.invite')}</button>
        </section>}
        {live && !answer && <><Shown of={open} /><Reader why={why} take={take} setWhy={setWhy} /></>}
        {live && answer && <section className="card tall">
          <h2>{t('pair.compare')}</h2>
          <p className="code"><code data-testid="letters">{answer.letters}</code></p>
          <p>{t('pair.equal')}</p>
          {!answer.joining.passkey && <p className="amber">{t('pair.noPasskey')}</p>}
          <SignButton
            label={t('pair.add')} className="button first wide" testid="add-device"
            make={async () => {
              const { joining: j, keyId, deviceId } = answer
              const add = (key: object) => ({ case: 'addKey' as const, value: { account: signer.account, key } })
              return draft(at.chainId, signer.account, [
                add({ id: keyId, publicKey: j.root, level: KeyLevel.ROOT, label: j.passkey ? 'passkey' : 'browser', algorithm: j.passkey ? KeyAlgorithm.WEBAUTHN : KeyAlgorithm.P256,
                  ...(j.passkey && { passkey: { rpIdHash: await sha256(utf8(location.hostname)), backupEligible: j.backupEligible } }) }),
                add({ id: deviceId, publicKey: j.device, level: KeyLevel.MACHINE, label: 'device', algorithm: KeyAlgorithm.P256 }),
              ], at.aheadMs)
            }}
            done={refresh}
          />
          <button type="button" className="button danger wide" onClick={() => { history.replaceState(null, '', location.pathname); setAnswer(undefined); setWhy('unequal') }}>{t('pair.unequal')}</button>
        </section>}
      </>}
    </main>
  )
}

function Shown({ of }: { of: Invitation }) {
  const { t } = useWords()
  const link = inviting(location.origin, of)
  return (
    <section className="card tall">
      <h2>{t('pair.step1')}</h2>
      <QR text={link} label={t('pair.step1')} />
      <code data-testid="invitation">{link}</code>
      <p className="second">{t('pair.until', { at: moment(of.endsMs) })}</p>
    </section>
  )
}

/** Reader takes the answer: by the camera or pasted. */
function Reader({ why, take, setWhy }: { why: string; take: (texts: string[]) => Promise<void>; setWhy: (why: string) => void }) {
  const { t } = useWords()
  const [aiming, setAiming] = useState(false)
  const [typed, setTyped] = useState('')
  return (
    <section className="card tall">
      <h2>{t('pair.step2')}</h2>
      {why !== '' && <p className="bad" role="alert" data-why={why}>{t(`pair.no.${why}`)}</p>}
      {aiming && <Camera found={(texts) => { setAiming(false); void take(texts) }} failed={(f) => { setAiming(false); setWhy(f) }} />}
      <button type="button" className="button wide" onClick={() => setAiming(!aiming)}>{t(aiming ? 'scan.stop' : 'scan.camera')}</button>
      <form className="tall" onSubmit={(e) => { e.preventDefault(); void take([typed]) }}>
        <label htmlFor="answer">{t('pair.paste')}</label>
        <input id="answer" className="field" autoComplete="off" spellCheck={false} value={typed} onChange={(e) => setTyped(e.target.value)} />
        <button type="submit" className="button wide" disabled={typed.trim() === ''} data-testid="take-answer">{t('scan.read')}</button>
      </form>
    </section>
  )
}
