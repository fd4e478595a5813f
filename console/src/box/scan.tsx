// Scanning a code: by the camera, of a picture, or as text. What it names is looked up on this
// ledger; no link in it is followed. It ends at the consent page, or with a sentence and a next step.
import { type ClipboardEvent, useEffect, useRef, useState } from 'react'
import { asked, type Asked, Refusal } from './api'
import { go, To, useBox } from './box'
import MatchNumber from './number'
import { moment, Trouble } from './parts'
import { command, type Scanned, scanned } from './scanned'
import { useWords } from '../words-box'

type Why = 'empty' | 'several' | 'picture' | 'other' | 'mistyped' | 'elsewhere' | 'moved' | 'unknown' | 'another' | 'expired' | 'granted' | 'declined' | 'withdrawn' | 'salt' | 'short' | 'offer' | 'wallet' | 'show' | 'copy' | 'frame' | 'denied' | 'camera'

/** Said is what came of a code that leads to no consent page. */
interface Said { why: Why; holes?: Record<string, string | number>; of?: Scanned; request?: Asked }
interface Numbered { asked: Asked; salt: string }

const NOT_FOUND = 'MUL-11020'
const NOT_YOURS = 'MUL-12004'
const CAMERA_SIDE = 1000
const CAMERA_MS = 60 // for one frame
const PAUSE_MS = 150

export default function Scan() {
  const { t, language } = useWords()
  const { at, owner } = useBox()
  const [aiming, setAiming] = useState(false)
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState<Said>()
  const [number, setNumber] = useState<Numbered>()
  const [error, setError] = useState<unknown>()
  const result = useRef<HTMLDivElement>(null)

  const work = async (f: () => Promise<void>) => {
    setBusy(true)
    setSaid(undefined)
    setNumber(undefined)
    setError(undefined)
    try { await f() } catch (err) { setError(err) } finally { setBusy(false) }
    result.current?.scrollIntoView({ block: 'nearest' })
  }
  const take = async (texts: string[]) => {
    if (texts.length === 0) { setSaid({ why: 'empty' }); return }
    if (texts.length > 1) { setSaid({ why: 'several', holes: { n: texts.length } }); return }
    const s = scanned(texts[0]!, location.origin)
    if (s.kind === 'page') { go(s.path); return }
    if (s.kind !== 'request') { setSaid({ why: s.kind, of: s, holes: s.kind === 'short' ? { at: s.at || t('scan.gateway') } : {} }); return }
    const elsewhere = s.at !== location.origin
    let a: Asked
    try {
      a = await asked(s.id, owner, language === 'zh-CN' ? 'zh' : 'en')
    } catch (err) {
      const code = err instanceof Refusal ? err.code : ''
      if (code !== NOT_FOUND && code !== NOT_YOURS) throw err
      setSaid(code === NOT_YOURS ? { why: 'another' } : elsewhere ? { why: 'elsewhere', holes: { at: s.at } } : { why: 'unknown' })
      return
    }
    const no = closed(a, owner, Date.now() + at.aheadMs)
    if (no) { setSaid(no); return }
    if (a.request.matchCommitment) {
      if (s.salt) setNumber({ asked: a, salt: s.salt })
      else setSaid({ why: 'salt' })
      return
    }
    if (elsewhere) { setSaid({ why: 'moved', holes: { at: s.at }, request: a }); return }
    go(`/box/ask/${a.request.id}`)
  }
  const file = (f?: Blob) => {
    if (!f) return
    setAiming(false)
    void work(async () => {
      const { readFile } = await import('./picture')
      let texts: string[]
      try {
        texts = await readFile(f)
      } catch (err) {
        if (!(err instanceof Error) || err.message !== 'no-picture') throw err
        setSaid({ why: 'picture' })
        return
      }
      await take(texts)
    })
  }
  const pasted = (e: ClipboardEvent) => {
    const picture = [...e.clipboardData.files].find((f) => f.type.startsWith('image/'))
    if (!picture) return
    e.preventDefault()
    file(picture)
  }
  return (
    <main className="page" onPaste={pasted}>
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t('scan.title')}</h1>
      <p className="second">{t('scan.lead')}</p>
      <div ref={result} className="results" aria-live="polite">
        {busy && <p className="second" role="status">{t('scan.reading')}</p>}
        {said && <Answer said={said} />}
        {number && <MatchNumber key={number.asked.request.id} of={number.asked} salt={number.salt} matched={() => go(`/box/ask/${number.asked.request.id}`)} />}
        {error !== undefined && <Trouble error={error} />}
      </div>
      {aiming && <Camera found={(texts) => { setAiming(false); void work(() => take(texts)) }} failed={(why) => { setAiming(false); setSaid({ why }) }} />}
      <button type="button" className={aiming ? 'button wide' : 'button first wide'} onClick={() => { setSaid(undefined); setNumber(undefined); setAiming(!aiming) }} data-testid="camera">{t(aiming ? 'scan.stop' : 'scan.camera')}</button>
      <section className="card tall">
        <label htmlFor="picture">{t('scan.file')}</label>
        <input id="picture" className="field" type="file" accept="image/*" onChange={(e) => { file(e.target.files?.[0]); e.target.value = '' }} />
        <form onSubmit={(e) => { e.preventDefault(); void work(() => take([typed])) }}>
          <label htmlFor="text">{t('scan.text')}</label>
          <input id="text" className="field" autoComplete="off" spellCheck={false} value={typed} onChange={(e) => setTyped(e.target.value)} />
          <button type="submit" className="button wide" disabled={busy || typed.trim() === ''} data-testid="read">{t('scan.read')}</button>
        </form>
      </section>
    </main>
  )
}

/** closed says why a request is none that this account can still answer; undefined if it can. */
function closed(a: Asked, account: string, now: number): Said | undefined {
  const { request: r } = a
  if (r.owner && r.owner !== account) return { why: 'another' }
  switch (r.state.replace('DATA_REQUEST_STATE_', '')) {
    case 'GRANTED': return { why: 'granted', request: a }
    case 'DECLINED': return { why: 'declined' }
    case 'WITHDRAWN': return { why: 'withdrawn' }
    case 'EXPIRED': return { why: 'expired', holes: { at: moment(r.notAfterMs) } }
  }
  return Number(r.notAfterMs) <= now ? { why: 'expired', holes: { at: moment(r.notAfterMs) } } : undefined
}

function Answer({ said }: { said: Said }) {
  const { t } = useWords()
  const { why, holes = {}, of, request } = said
  const line = of && command(of)
  return (
    <section className="card tall" role="alert" data-why={why}>
      <h2>{t(`scan.no.${why}.title`, holes)}</h2>
      <p>{t(`scan.no.${why}.next`, holes)}</p>
      {line && <Command line={line} />}
      {why === 'copy' && of && 'text' in of && <a className="button wide" href={`/v/?code=${encodeURIComponent(of.text)}`}>{t('scan.verify')}</a>}
      {why === 'moved' && request && <To to={`/box/ask/${request.request.id}`} className="button first wide">{t('scan.there')}</To>}
      {why === 'granted' && request?.request.grant && <To to={`/box/grant/${request.request.grant}`} className="button wide">{t('scan.grant')}</To>}
    </section>
  )
}

function Command({ line }: { line: string }) {
  const { t } = useWords()
  const [copied, setCopied] = useState(false)
  return (
    <>
      <code>{line}</code>
      <button type="button" className="button wide" onClick={() => void navigator.clipboard.writeText(line).then(() => setCopied(true), () => undefined)}>{t(copied ? 'scan.copied' : 'scan.copy')}</button>
    </>
  )
}

/** Camera shows what the camera sees until there is a code in it; it is off as soon as this is gone. */
export function Camera({ found, failed }: { found: (texts: string[]) => void; failed: (why: 'denied' | 'camera') => void }) {
  const { t } = useWords()
  const video = useRef<HTMLVideoElement>(null)
  const said = useRef({ found, failed })
  said.current = { found, failed }
  useEffect(() => {
    let live = true
    let stream: MediaStream | undefined
    const stop = () => stream?.getTracks().forEach((track) => track.stop())
    void (async () => {
      try {
        if (!navigator.mediaDevices) throw new DOMException('none', 'NotFoundError')
        stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' }, audio: false })
        const v = video.current
        if (!live || !v) return
        v.srcObject = stream
        await v.play()
        const { pixels, read } = await import('./picture')
        while (live) {
          const texts = v.videoWidth > 0 ? await read(pixels(v, v.videoWidth, v.videoHeight, CAMERA_SIDE), CAMERA_MS) : []
          if (live && texts.length > 0) { said.current.found(texts); return }
          await new Promise((again) => setTimeout(again, PAUSE_MS))
        }
      } catch (err) {
        if (live) said.current.failed((err as DOMException).name === 'NotAllowedError' ? 'denied' : 'camera')
      } finally {
        if (!live) stop()
      }
    })()
    return () => { live = false; stop() }
  }, [])
  return <video ref={video} className="camera" muted playsInline aria-label={t('scan.aim')} />
}
