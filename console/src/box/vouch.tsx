// Guardians: /box/guard keeps the card that a friend hands over; /box/vouch is for the friend who
// stands there with a new phone. What is compared is said in person, not sent.
import { useState } from 'react'
import { hex, unhex } from '@/chain/bytes'
import { note } from '@/chain/keys'
import { arranged } from './allowed'
import { To, useBox } from './box'
import { Attempt } from './lost'
import { cardIn, cardNote, commitment, keyOf, numberOf, read } from './newkey'
import { Trouble, useAsk, Wait } from './parts'
import { SignButton } from './signing'
import { useWords } from '../words-box'

const bytes = (base64: string) => hex(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))

export default function Guard({ vouch }: { vouch: boolean }) {
  const { t } = useWords()
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t(vouch ? 'guard.vouch' : 'guard.title')}</h1>
      {vouch ? <Vouch code={location.hash.slice(1)} /> : <Keep code={location.hash.slice(1)} />}
    </main>
  )
}

function Keep({ code }: { code: string }) {
  const { t } = useWords()
  const { signer } = useBox()
  const [kept, setKept] = useState(false)
  const [error, setError] = useState<unknown>()
  const found = useAsk(async () => {
    const card = cardIn(code)
    if (!card) return { why: 'unreadable' }
    if (card.guardian !== signer.account) return { why: 'foreign' }
    const { policy } = await arranged(card.account)
    const mine = hex(await commitment(card))
    const named = [...(policy?.guardians ?? []), ...(policy?.pending?.guardians ?? [])].some((g) => bytes(g) === mine)
    return named ? { card, why: '' } : { why: 'stranger' }
  }, [code, signer.account])
  const d = found.data
  if (!d) return found.error !== undefined ? <Trouble error={found.error} /> : <Wait />
  if (!d.card) return <p className="bad card" role="alert">{t(`guard.no.${d.why}`)}</p>
  const { card } = d
  return (
    <section className="card tall">
      <h2>{t('guard.asked')}</h2>
      <p><code>{card.account}</code></p>
      <p>{t('guard.what')}</p>
      {kept ? <p className="good" role="status">{t('guard.kept')}</p>
        : <button type="button" className="button first wide" onClick={() => void note(signer.account, cardNote(card.account), hex(card.salt)).then(() => setKept(true), setError)} data-testid="guard-keep">{t('guard.keep')}</button>}
      {error !== undefined && <Trouble error={error} />}
    </section>
  )
}

function Vouch({ code }: { code: string }) {
  const { t } = useWords()
  const { at, signer, stamp, refresh } = useBox()
  const [pasted, setPasted] = useState('')
  const found = useAsk(async () => {
    const key = await read(code)
    if (!key || key.possession.length === 0) return null
    const [{ running }, notes, number] = await Promise.all([arranged(key.account), note(signer.account), numberOf(key)])
    return { key, number, card: notes[cardNote(key.account)], attempt: running?.find((r) => r.newKey?.id === key.id), other: running?.find((r) => r.newKey?.id !== key.id) }
  }, [code, signer.account, stamp])
  if (found.data === undefined) return found.error !== undefined ? <Trouble error={found.error} again={refresh} /> : <Wait />
  if (found.data === null) return <p className="bad card" role="alert">{t('guard.broken')}</p>
  const { key, number, attempt, other } = found.data
  const typed = cardIn(pasted)
  const salt = found.data.card ? unhex(found.data.card) : typed?.account === key.account && typed.guardian === signer.account ? typed.salt : undefined
  const mine = attempt?.approvals?.some((a) => a.by === signer.account)
  return (
    <>
      <section className="card tall">
        <h2>{t('guard.lost')}</h2>
        <p><code>{key.account}</code></p>
        <p>{t('guard.person')}</p>
        <p className="code"><code data-testid="number">{number}</code></p>
        <p className="amber">{t('guard.careful')}</p>
        {other && <p className="bad" role="alert">{t('guard.other')}</p>}
        {!salt && (
          <>
            <p className="bad" role="alert">{t('guard.noCard')}</p>
            <label htmlFor="card">{t('guard.card')}</label>
            <input id="card" className="field" autoComplete="off" spellCheck={false} value={pasted} onChange={(e) => setPasted(e.target.value)} />
          </>
        )}
        {mine ? <p className="good" role="status">{t('guard.done')}</p>
          : <SignButton
              label={t('guard.yes')} className="button first wide" testid="vouch-sign" disabled={!salt || !!other}
              make={async () => {
                const sign = await import('./sign')
                return attempt ? sign.approving(at, signer, attempt.id, salt!) : sign.recovering(at, signer, key, await keyOf(key), salt!)
              }}
              done={refresh}
            />}
      </section>
      {attempt && <Attempt of={attempt} />}
    </>
  )
}
