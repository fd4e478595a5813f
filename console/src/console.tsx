// The console's entry: words, theme, router over all areas, and the frame.
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link, Navigate, RouterProvider, useRouterState } from '@tanstack/react-router'
import { ConfigProvider } from 'antd'
import i18next from 'i18next'
import enUS from 'antd/locale/en_US'
import zhCN from 'antd/locale/zh_CN'
import { StrictMode, Suspense, useEffect, useMemo, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { keyOf } from '@/chain/paths'
import { patient } from '@/chain/patient'
import { askAgain, askAgainAfter, rpc } from '@/chain/rpc'
import { SignProvider } from '@/parts/sign'
import { Bones, Trouble } from '@/parts/states'
import { areas } from '@/pages/all'
import { startWords } from './i18n'
import { ShadeContext } from './shell/shade'
import { Shell } from './shell/shell'
import { WhoProvider } from './shell/who'
import { antdTheme, firstShade, type Shade, wear } from './theme'
import './styles.css'

const nonce = document.querySelector<HTMLMetaElement>('meta[name=mulian-nonce]')?.content
const client = new QueryClient({
  // Whether there is a line the server says by answering: a device that calls itself offline often has one.
  defaultOptions: { mutations: { networkMode: 'always' }, queries: { networkMode: 'always', staleTime: 30_000, retry: askAgain, retryDelay: askAgainAfter, refetchOnWindowFocus: true } },
})

function App() {
  const { i18n } = useTranslation()
  const [shade, setShade] = useState<Shade>(firstShade)
  useEffect(() => wear(shade), [shade])
  const frame = useMemo(() => ({ shade, setShade: (s: Shade) => { wear(s, true); setShade(s) } }), [shade])
  return (
    <ConfigProvider theme={antdTheme(shade)} locale={i18n.language === 'zh-CN' ? zhCN : enUS} csp={{ nonce }} button={{ autoInsertSpace: false }}>
      <ShadeContext value={frame}><Inside key={i18n.language} /></ShadeContext>
    </ConfigProvider>
  )
}

function Inside() {
  const here = useQuery({ queryKey: ['console'], queryFn: () => rpc(ConsoleService).getConsole({}), staleTime: Infinity })
  if (here.isError) return <main className="main"><h1>目链 Mulian</h1><Trouble error={here.error} retry={() => void here.refetch()} /></main>
  if (!here.data) return <Bones />
  return <WhoProvider here={here.data}><Suspense fallback={<Bones />}><RouterProvider router={router} /></Suspense></WhoProvider>
}

const root = createRootRoute({
  component: () => <SignProvider><Shell /></SignProvider>,
  notFoundComponent: function Nowhere() {
    const { t } = useTranslation('shell')
    const key = keyOf(useRouterState({ select: (s) => s.location.pathname }))
    if (key) return <Navigate to={`/object/${encodeURIComponent(key)}`} replace /> // no page of its own: as it stands
    return <div className="card state"><h1>{t('nowhere.title')}</h1><p>{t('nowhere.text')}</p><Link to="/">{t('nowhere.home')}</Link></div>
  },
})

const router = createRouter({
  routeTree: root.addChildren(areas.flatMap((a) => a.pages.map((p) => createRoute({
    getParentRoute: () => root, path: p.path, component: lazyRouteComponent(patient(() => Promise.all([p.page(), i18next.loadNamespaces(a.id)]).then(([page]) => page))), errorComponent: ({ error }) => <div className="card"><Trouble error={error} /></div>,
  })))),
  defaultPreload: 'intent', defaultPendingComponent: () => <Bones />,
})

i18next.on('languageChanged', () => client.clear()) // sentences come from the server in one language
// No top-level await: a chunk of words that shares code with this one would wait for it.
void startWords().then(() => createRoot(document.getElementById('root')!).render(
  <StrictMode><QueryClientProvider client={client}><App /></QueryClientProvider></StrictMode>,
))
