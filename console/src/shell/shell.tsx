// The frame of every page: sider by role, header with search, chain pill, bell, who acts,
// language and theme; bars for the demo, a broken connection and an old page.
import { BellOutlined, GlobalOutlined, MenuOutlined, MoonOutlined, SunOutlined, UserOutlined } from '@ant-design/icons'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { Badge, Button, Dropdown } from 'antd'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { begin, follow, usePulse } from '@/chain/live'
import { amount, lasting } from '@/chain/words'
import { useTick } from '@/parts/clock'
import { Toasts } from '@/parts/toasts'
import { typing } from '@/parts/table'
import { bare, menu } from '@/pages/all'
import type { MenuItem, Role } from '@/pages/area'
import { type Language, speak } from '@/i18n'
import type { Signer } from '@/chain/keys'
import { putAway, useTour } from '@/tour/steps'
import { Find } from './find'
import { useShade } from './shade'
import { useWho } from './who'

const TourStrip = lazy(() => import('@/tour/frame'))
const Panel = lazy(() => import('@/pages/tour/panel'))

export function Shell() {
  const { t } = useTranslation('shell')
  const client = useQueryClient()
  const { here, signer } = useWho()
  const [open, setOpen] = useState(false)
  const path = useRouterState({ select: (s) => s.location.pathname })
  const main = useRef<HTMLElement>(null)
  const tour = useTour()
  useEffect(() => {
    begin(here.height, Number(here.timeMs), Number(here.nowMs))
    const stop = new AbortController()
    void follow(client, stop.signal)
    return () => stop.abort()
  }, [client, here])
  const first = useRef(true)
  useEffect(() => {
    setOpen(false)
    if (first.current) first.current = false
    else main.current?.focus({ preventScroll: true })
  }, [path])
  useLetters()
  if (bare.has(path)) return <><main className="bare" id="main" ref={main} tabIndex={-1}><Outlet /></main><Toasts /></>
  return (
    <div className="shell">
      <a className="skip" href="#main" onClick={(e) => { e.preventDefault(); main.current?.focus() }}>{t('skip')}</a>
      <Sider open={open} signer={signer} />
      {open && <button type="button" className="veil" aria-label={t('close')} onClick={() => setOpen(false)} />}
      <div className="right">
        <header className="top">
          <Button className="burger" type="text" icon={<MenuOutlined />} aria-label={t('menu')} aria-expanded={open} onClick={() => setOpen(!open)} />
          <Find />
          <div className="end">
            <ChainPill />
            <Bell signer={signer} />
            <Me />
          </div>
        </header>
        <Bars />
        <main className="main" id="main" ref={main} tabIndex={-1}><Outlet /></main>
        {here.demo && tour && <Suspense><TourStrip /></Suspense>}
        <Toasts />
      </div>
    </div>
  )
}

const seen = (m: MenuItem, role: string | undefined) => !m.roles || m.roles.includes(role as Role)

function Sider({ open, signer }: { open: boolean; signer?: Signer }) {
  const { t } = useTranslation('shell')
  const { here } = useWho()
  return (
    <div className={open ? 'sider open' : 'sider'}>
      <nav aria-label={t('menu')}>
        <Link to="/" className="logo"><img src="/icon.svg" alt="" /><span>{t('name')} <small>{t('nameBeside')}</small></span></Link>
        <ul className="menu">{menu.filter((m) => seen(m, signer?.role)).map((m) => <Entry key={m.path} item={m} signer={signer} />)}</ul>
      </nav>
      <footer><span>{here.chainId}</span><span>{[here.version, here.build].filter(Boolean).join(' · ')}</span><a href="/box">{t('toBox')}</a><a href="/openapi.yaml">OpenAPI</a></footer>
    </div>
  )
}

function Entry({ item, signer }: { item: MenuItem & { area: string }; signer?: Signer }) {
  const { t } = useTranslation('menus')
  const path = useRouterState({ select: (s) => s.location.pathname })
  const under = (m: MenuItem) => path === m.path || (m.path !== '/' && path.startsWith(`${m.path}/`))
  const here = under(item) && !menu.some((m) => m.path.length > item.path.length && under(m)) // the nearest of them
  const Icon = item.icon
  return (
    <li>
      <Link to={item.path} aria-current={here ? 'page' : undefined}>
        <Icon />{t(`${item.area}.${item.label}`)}{item.count && signer && <Count item={item} signer={signer} />}
      </Link>
    </li>
  )
}

function Count({ item, signer }: { item: MenuItem; signer: Signer }) {
  const { t } = useTranslation('shell')
  const n = useQuery(item.count!(signer)).data ?? 0
  return n > 0 ? <span className="count" aria-label={t('waiting', { n })}>{amount(n)}</span> : null
}

function ChainPill() {
  const { t } = useTranslation('shell')
  const { height, timeMs, connected, heardMs } = usePulse()
  const at = useTick(1000)
  if (height === 0n) return null
  const age = Math.max(0, at - timeMs)
  const l = lasting(age)
  const tone = !connected || Date.now() - heardMs > 60_000 ? 'red' : age > 120_000 ? 'amber' : 'green'
  return (
    <Link to="/explorer" className={`pill ${tone} wide`} title={t('pill.title')}>
      <span aria-hidden>●</span>{t('pill.height', { height: amount(height) })} · {t(`clock.${l.unit}`, { n: l.n, rest: l.rest ?? 0 })}
    </Link>
  )
}

function Bell({ signer }: { signer?: Signer }) {
  const { t } = useTranslation('shell')
  const first = menu.find((m) => m.count && seen(m, signer?.role))
  const n = useQuery(first && signer ? first.count!(signer) : { queryKey: ['none'], queryFn: () => 0, enabled: false }).data ?? 0
  const navigate = useNavigate()
  return (
    <Badge count={n} size="small" offset={[-6, 6]}>
      <Button type="text" icon={<BellOutlined />} aria-label={t('bell', { n })} onClick={() => void navigate({ to: first?.path ?? '/' })} />
    </Badge>
  )
}

function Me() {
  const { shade, setShade } = useShade()
  const { t, i18n } = useTranslation('shell')
  const { signer, all, use } = useWho()
  const navigate = useNavigate()
  const other: Language = i18n.language === 'zh-CN' ? 'en-US' : 'zh-CN'
  return (
    <>
      <Button type="text" className="wide" icon={<GlobalOutlined />} aria-label={t('language.switch')} onClick={() => void speak(other)}>{t('language.other')}</Button>
      <Button type="text" className="wide" icon={shade === 'dark' ? <SunOutlined /> : <MoonOutlined />} aria-label={t(`theme.to${shade === 'dark' ? 'Light' : 'Dark'}`)} onClick={() => setShade(shade === 'dark' ? 'light' : 'dark')} />
      {signer ? (
        <Dropdown
          trigger={['click']}
          menu={{
            items: [
              ...all.map((s) => ({ key: s.account, label: `${s.orgName || t('person')} · ${t(`roles.${s.role}`)}`, disabled: s.account === signer.account })),
              { type: 'divider' as const },
              { key: '/seats', label: t('seatsMore') }, { key: '/settings', label: t('settings') },
              { key: 'language', label: t('language.switch') }, { key: 'shade', label: t(`theme.to${shade === 'dark' ? 'Light' : 'Dark'}`) },
            ],
            onClick: ({ key }) => {
              if (key === 'language') void speak(other)
              else if (key === 'shade') setShade(shade === 'dark' ? 'light' : 'dark')
              else if (key.startsWith('/')) void navigate({ to: key })
              else { use(key); void navigate({ to: '/' }) }
            },
          }}
        >
          <Button type="text" icon={<UserOutlined />} aria-label={t('me', { who: `${signer.orgName || t('person')} · ${t(`roles.${signer.role}`)}` })}>
            <span className="wide">{signer.orgName || t('person')} · {t(`roles.${signer.role}`)}</span>
          </Button>
        </Dropdown>
      ) : <Button type="primary" onClick={() => void navigate({ to: '/seats' })}>{t('signIn')}</Button>}
    </>
  )
}

function Bars() {
  const { t } = useTranslation('shell')
  const { here } = useWho()
  const { connected, height } = usePulse()
  const tour = useTour()
  const [feed, setFeed] = useState(false)
  const build = document.querySelector<HTMLMetaElement>('meta[name=mulian-build]')?.content
  const version = useQuery({
    queryKey: ['version'], refetchInterval: 60_000,
    queryFn: async () => (await (await fetch('/api/version')).json()) as { build: string },
  })
  return (
    <div role="region" aria-label={t('bars')}>
      {here.demo && (
        <p className="demo">
          <strong>{t('demo.mark')}</strong><span>{t('demo.text')}</span>
          <span className="end">
            {tour?.away ? <button type="button" onClick={() => putAway(false)}>{t('demo.resume')}</button> : <Link to="/tour">{t('demo.tour')}</Link>}
            <button type="button" aria-expanded={feed} onClick={() => setFeed(!feed)} data-testid="feed">{t('demo.feed')}</button>
          </span>
        </p>
      )}
      {feed && <Suspense><Panel close={() => setFeed(false)} /></Suspense>}
      {!connected && <p className="bar amber" role="status">{t('bar.stale', { height: amount(height) })}</p>}
      {version.data && build && !build.startsWith('__') && version.data.build !== build && (
        <p className="bar blue" role="status">{t('bar.newer')} <Button size="small" onClick={() => location.reload()}>{t('bar.reload')}</Button></p>
      )}
    </div>
  )
}

/** useLetters: g and a letter go to a page of the menu. */
function useLetters(): void {
  const navigate = useNavigate()
  useEffect(() => {
    let g = 0
    const press = (e: KeyboardEvent) => {
      if (typing(e) || localStorage.getItem('mulian.letters') === 'off') return
      const item = Date.now() - g < 1000 && menu.find((m) => m.letter === e.key)
      g = e.key === 'g' ? Date.now() : 0
      if (item) {
        e.preventDefault()
        void navigate({ to: item.path })
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [navigate])
}
