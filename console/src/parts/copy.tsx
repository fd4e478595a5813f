// A small button that copies a text, and says so. Where the browser does not let it, what shows
// the text is selected, and the keyboard copies it.
import { Button } from 'antd'
import { type RefObject, useState } from 'react'
import { useTranslation } from 'react-i18next'

export function Copy({ text, shown }: { text: string | (() => string); shown?: RefObject<HTMLElement | null> }) {
  const { t } = useTranslation('shell')
  const [done, setDone] = useState<'copied' | 'selected' | 'notCopied'>()
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : text())
      setDone('copied')
    } catch {
      if (shown?.current) getSelection()?.selectAllChildren(shown.current)
      setDone(shown?.current ? 'selected' : 'notCopied')
    }
    setTimeout(() => setDone(undefined), 2000)
  }
  return <Button size="small" onClick={() => void copy()} aria-live="polite" data-testid="copy">{t(done ?? 'copy')}</Button>
}
