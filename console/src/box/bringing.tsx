// Brings to the door what a consent has left in this browser: at once, and whenever the box is
// open. Its cryptography comes only if there is something to bring.
import { useEffect, useRef, useState } from 'react'
import { note } from '@/chain/keys'
import { useWords } from '../words-box'
import { useBox } from './box'

const AGAIN_MS = 15_000

export function Bringing() {
  const { t } = useWords()
  const { at, signer, stamp } = useBox()
  const [left, setLeft] = useState(0)
  const next = useRef(0)
  useEffect(() => {
    if (Date.now() < next.current) return
    next.current = Infinity // one at a time
    void (async () => {
      let n = 0
      try {
        if (Object.keys(await note(signer.account)).some((k) => k.startsWith('rowkey:'))) n = await (await import('./rowkeys')).bring(at, signer)
      } catch { n = 1 }
      setLeft(n)
      next.current = n ? Date.now() + AGAIN_MS : 0
    })()
  }, [signer.account, stamp])
  return left > 0 ? <p className="amber page" role="status">{t('ask.rowWaits')}</p> : null
}
