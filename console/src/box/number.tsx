// The match number of a request: the two digits that the screen of who asks shows. They are held
// here against the request's commitment, three times at most; then it can only be declined.
import { useState } from 'react'
import { type Asked, unbase64 } from './api'
import { useBox } from './box'
import { match, TRIES } from './match'
import { SignButton } from './signing'
import { useWords } from '../words-box'

export default function MatchNumber({ of, salt, matched, done }: { of: Asked; salt: string; matched: () => void; done?: () => void }) {
  const { t } = useWords()
  const { at, signer, acting } = useBox()
  const [typed, setTyped] = useState('')
  const [left, setLeft] = useState(TRIES)
  const [over, setOver] = useState(false)
  const { id } = of.request
  if (over) return <p className="card" role="status">{t('scan.reported')}</p>
  const check = async () => {
    const m = await match(id, unbase64(of.request.matchCommitment), salt, typed)
    setTyped('')
    if (m.right) matched()
    else setLeft(m.left)
  }
  const say = (label: string, wrong: boolean, testid: string) => (
    <SignButton label={label} className="button danger wide" testid={testid} done={() => { setOver(true); done?.() }} make={async () => { const s = await import('./sign'); return wrong ? s.mismatching(at, signer, id, acting) : s.declining(at, signer, id, true, acting) }} />
  )
  return (
    <section className="card tall" aria-labelledby="number-title">
      <h2 id="number-title">{t('scan.number')}</h2>
      <p>{of.use.title}</p>
      <p className="second">{t('scan.numberWhy')}</p>
      {left > 0 && (
        <form onSubmit={(e) => { e.preventDefault(); void check() }}>
          <input id="number" className="field" aria-labelledby="number-title" inputMode="numeric" pattern="[0-9]{2}" maxLength={2} autoComplete="off" value={typed} onChange={(e) => setTyped(e.target.value.replace(/\D/g, ''))} />
          <button type="submit" className="button first wide" disabled={typed.length !== 2} data-testid="match">{t('scan.check')}</button>
        </form>
      )}
      {left < TRIES && <p className="bad" role="alert">{left > 0 ? t('scan.numberWrong', { n: left }) : t('scan.numberOver')}</p>}
      {left > 0 ? say(t('scan.notMe'), false, 'not-me') : say(t('scan.refuse'), true, 'mismatch')}
    </section>
  )
}
