// Keeps the page from scrolling behind a dialog. It stands in for the hook of the same name in
// @rc-component/portal (vite.config.ts), which writes a style element without a nonce: the
// Content Security Policy blocks that.
import { useLayoutEffect } from 'react'

let open = 0

export default function useScrollLocker(lock?: boolean): void {
  useLayoutEffect(() => {
    if (!lock) return
    if (open++ === 0) document.documentElement.classList.add('held')
    return () => { if (--open === 0) document.documentElement.classList.remove('held') }
  }, [lock])
}
