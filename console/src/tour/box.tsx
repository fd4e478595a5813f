// The tour's strip in the safe box. Its words come with it: the box has none of them at first.
import { useEffect, useState } from 'react'
import { call } from '@/box/api'
import { type Language } from '@/words-box'
import { Strip } from './strip'

type Tree = { [key: string]: string | Tree }
const files = { 'zh-CN': () => import('@/pages/tour/zh-CN.json'), 'en-US': () => import('@/pages/tour/en-US.json') }

export default function BoxTour({ language, account, path, go }: { language: Language; account?: string; path: string; go: (path: string) => void }) {
  const [words, setWords] = useState<Tree>()
  const [height, setHeight] = useState(0)
  useEffect(() => { void files[language]().then((w) => setWords(w.default as Tree)) }, [language])
  useEffect(() => {
    const look = () => void call<{ height: string }>('mulian.console.v1.ConsoleService/GetConsole', {}).then((h) => setHeight(Number(h.height)), () => undefined)
    look()
    const timer = setInterval(look, 2000)
    return () => clearInterval(timer)
  }, [])
  if (!words) return null
  const t = (key: string, holes: Record<string, string | number> = {}) => {
    let v: string | Tree | undefined = words
    for (const part of key.split('.')) v = typeof v === 'object' ? v[part] : undefined
    return typeof v === 'string' ? v.replace(/\{\{(\w+)\}\}/g, (_, k: string) => String(holes[k] ?? '')) : key
  }
  const leave = (to: string) => (to.startsWith('/box') ? go(to) : location.assign(to))
  return (
    <Strip
      head t={t} there={() => true} role="citizen" accounts={(role) => (role === 'citizen' && account ? [account] : [])} path={path} height={height}
      go={leave} sit={async () => undefined} pathOf={() => '/inbox'}
    />
  )
}
