// A command or piece of code to copy: shown whole, with one button.
import { Button } from 'antd'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

export function Command({ text }: { text: string }) {
  const { t } = useTranslation('shell')
  const code = useRef<HTMLElement>(null)
  const [done, setDone] = useState<'copied' | 'selected'>()
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setDone('copied')
    } catch { // the browser does not let us: the text is selected, the keyboard copies it
      getSelection()?.selectAllChildren(code.current!)
      setDone('selected')
    }
    setTimeout(() => setDone(undefined), 2000)
  }
  return <div className="command"><pre tabIndex={0}><code ref={code}>{text}</code></pre><Button size="small" onClick={() => void copy()} aria-live="polite" data-testid="copy">{t(done ?? 'copy')}</Button></div>
}
