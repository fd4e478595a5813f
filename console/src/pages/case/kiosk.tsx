// The counter's mode: 1280 px, large letters, and nothing stays when nobody touches it for a
// minute: what was typed, and the seat. A passkey's seat is put away, the device asks for the
// person again; a key that only this browser holds and that asks nobody is forgotten.
import { useNavigate } from '@tanstack/react-router'
import { Button, Modal } from 'antd'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useWho } from '@/shell/who'
import './case.css'

const KEY = 'mulian.kiosk'
const QUIET_MS = 60_000
const WARN_MS = 20_000 // before the end; WCAG 2.2.1 wants 20 seconds to say "still here"
const TOUCHES = ['pointerdown', 'keydown', 'wheel', 'touchstart'] as const

const asked = (): boolean => {
  const said = new URLSearchParams(location.search).get('kiosk')
  if (said !== null) sessionStorage.setItem(KEY, said === '0' ? '' : 'on')
  return sessionStorage.getItem(KEY) === 'on'
}

/** Counter is the frame of a clerk's page: as it is, or as a counter shows it. */
export function Counter({ children }: { children: ReactNode }) {
  const [on, setOn] = useState(asked)
  const { t } = useTranslation('case')
  const turn = (to: boolean) => { sessionStorage.setItem(KEY, to ? 'on' : ''); setOn(to) }
  useEffect(() => {
    document.documentElement.dataset.kiosk = on ? 'on' : ''
    return () => { delete document.documentElement.dataset.kiosk }
  }, [on])
  return (
    <div className="counter">
      <p className="noprint"><button type="button" className="chip" aria-pressed={on} onClick={() => turn(!on)} data-testid="kiosk">{t('kiosk.mode')}</button></p>
      {children}
      {on && <Quiet />}
    </div>
  )
}

function Quiet() {
  const { t } = useTranslation('case')
  const { signer, use, drop } = useWho()
  const navigate = useNavigate()
  const [touched, touch] = useState(() => Date.now())
  const [now, look] = useState(() => Date.now())
  useEffect(() => {
    const again = () => touch(Date.now())
    const timer = setInterval(() => look(Date.now()), 500)
    for (const k of TOUCHES) addEventListener(k, again, { passive: true })
    return () => { clearInterval(timer); for (const k of TOUCHES) removeEventListener(k, again) }
  }, [])
  const left = Math.max(0, touched + QUIET_MS - Math.max(now, touched))
  useEffect(() => {
    if (left > 0 || !signer) return
    void (async () => {
      if (signer.method === 'p256') await drop(signer.account)
      use('')
      await navigate({ to: '/matters' })
    })()
  }, [left, signer])
  if (!signer) return null
  const seconds = Math.ceil(left / 1000)
  return (
    <>
      <p className="second noprint" role="timer">{t('kiosk.left', { n: seconds })}</p>
      <Modal open={left > 0 && left <= WARN_MS} closable={false} footer={<Button type="primary" onClick={() => touch(Date.now())} data-testid="still">{t('kiosk.still')}</Button>} title={t('kiosk.quiet')}>
        <p aria-live="assertive">{t('kiosk.text', { n: seconds })}</p>
      </Modal>
    </>
  )
}
