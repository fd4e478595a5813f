// The search box of every page: `/` goes there, Enter jumps to the first thing that a text
// may mean. An id that was pasted leads straight to its object.
import { SearchOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { rare } from '@/chain/rare'
import { kindOf, pathOf, pathOfTrace } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { typing } from '@/parts/table'
import { useWho } from './who'

export function Find() {
  const { t } = useTranslation('shell')
  const navigate = useNavigate()
  const { signer } = useWho()
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [asked, setAsked] = useState('')
  const [open, setOpen] = useState(false)
  const [at, setAt] = useState(0)
  const hits = useQuery({
    queryKey: ['find', asked], enabled: asked !== '', staleTime: 10_000,
    queryFn: () => rpc(ConsoleService).find({ text: asked }), select: (r) => r.hits,
  })
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), 150)
    return () => clearTimeout(timer)
  }, [text])
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      if ((e.key === '/' && !typing(e)) || (e.key === 'k' && (e.ctrlKey || e.metaKey))) {
        e.preventDefault()
        input.current?.focus()
        input.current?.select()
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
  const list = open && text.trim() !== '' ? (hits.data ?? []) : []
  const go = (key: string) => {
    setOpen(false)
    input.current?.blur()
    // An auditor asks what happened to a thing, the others what it is.
    void navigate({ to: signer?.role === 'auditor' && !key.startsWith('block/') && !key.startsWith('identity/') ? pathOfTrace(key) : pathOf(key) })
  }
  const enter = async () => {
    const now = text.trim()
    if (!now) return
    const found = now === asked && hits.data ? hits.data : (await rpc(ConsoleService).find({ text: now })).hits
    const hit = found[at] ?? found[0]
    if (hit) go(hit.key)
    else setOpen(true)
  }
  return (
    <div className="find" role="search">
      <SearchOutlined className="glass" />
      <input
        ref={input} type="text" role="combobox" aria-label={t('find.label')} placeholder={t('find.label')} value={text} maxLength={200} autoComplete="off" spellCheck={false}
        aria-expanded={list.length > 0} aria-controls="hits" aria-autocomplete="list" aria-activedescendant={list.length > 0 ? `hit-${at}` : undefined}
        onChange={(e) => { setText(e.target.value); setOpen(true); setAt(0) }} onFocus={() => setOpen(true)} onBlur={() => setTimeout(() => setOpen(false), 150)}
        onKeyDown={(e) => {
          if (e.key === 'Enter') void enter()
          else if (e.key === 'Escape') { setOpen(false); input.current?.blur() }
          else if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            e.preventDefault()
            setAt(Math.max(0, Math.min(list.length - 1, at + (e.key === 'ArrowDown' ? 1 : -1))))
          }
        }}
      />
      <kbd aria-hidden>/</kbd>
      <ul className="hits" id="hits" role="listbox" aria-label={t('find.hits')} hidden={!open || text.trim() === '' || (list.length === 0 && !hits.isSuccess)}>
        {list.map((h, i) => (
          <li key={h.key} id={`hit-${i}`} role="option" aria-selected={i === at} onMouseDown={() => go(h.key)} onMouseEnter={() => setAt(i)}>
            <span className="what">{t(`kinds.${kindOf(h.key)}`)}</span><span>{rare(h.name) || h.key.split('/').slice(1).join('/')}</span>
          </li>
        ))}
        {list.length === 0 && hits.isSuccess && <li role="option" aria-selected={false} className="second">{t('find.none')}</li>}
      </ul>
    </div>
  )
}
