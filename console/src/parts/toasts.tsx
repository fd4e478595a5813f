// Short news at the edge of the page, spoken to screen readers. They never carry a success
// before the block.
import { useSyncExternalStore } from 'react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

export interface Toast { id: number; text: string; to?: string; link?: string; bad?: boolean }

let list: Toast[] = []
let last = 0
const listeners = new Set<() => void>()
const set = (l: Toast[]) => {
  list = l
  for (const f of listeners) f()
}

/** tell shows a line for eight seconds. */
export function tell(toast: Omit<Toast, 'id'>): void {
  const id = ++last
  set([...list.slice(-3), { ...toast, id }])
  setTimeout(() => set(list.filter((x) => x.id !== id)), 8000)
}

export function Toasts() {
  const { t } = useTranslation('shell')
  const now = useSyncExternalStore((l) => { listeners.add(l); return () => { listeners.delete(l) } }, () => list)
  return (
    <div className="toasts" aria-live="polite">
      {now.map((x) => (
        <div key={x.id} className={x.bad ? 'toast red' : 'toast'}>
          <span>{x.text} {x.to && <Link to={x.to}>{x.link}</Link>}</span>
          <button type="button" aria-label={t('close')} onClick={() => set(list.filter((y) => y.id !== x.id))}>×</button>
        </div>
      ))}
    </div>
  )
}
