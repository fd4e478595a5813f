// A command or piece of code to copy: shown whole, with one button.
import { useRef } from 'react'
import { Copy } from './copy'

export function Command({ text }: { text: string }) {
  const code = useRef<HTMLElement>(null)
  return <div className="command"><pre tabIndex={0}><code ref={code}>{text}</code></pre><Copy text={text} shown={code} /></div>
}
