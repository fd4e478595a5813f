import react from '@vitejs/plugin-react'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// The chunk of a page is named after its folder and file: pages-inbox-page.js. Nothing is
// named after its content: what changed is known by the server's ETags and build id.
function nameOf(chunk: { facadeModuleId?: string | null; name: string; moduleIds?: string[] }): string {
  const from = chunk.facadeModuleId?.split('?')[0]
  const inside = from?.match(/\/src\/(.+?)\.(tsx?|json)$/)?.[1]
  const name = inside ? inside.replaceAll('/', '-') : chunk.name
  return `assets/${name.replace(/[^A-Za-z0-9_.-]/g, '_')}.js`
}

// A running demo behind `vite`: the Host stays, as seats are given only to pages of the same origin.
const proxy = { '^/(mulian\\.|api/|v/|healthz|openapi)': { target: process.env.MULIAN_SERVER ?? 'http://127.0.0.1:8080', changeOrigin: false } }

const vendors: [string, RegExp][] = [
  ['react', /node_modules\/(react|react-dom|scheduler)\//],
  ['proto', /node_modules\/(@bufbuild|@connectrpc)\//],
  ['charts', /node_modules\/(echarts|zrender|tslib)\//],
  ['antd', /node_modules\/(antd|@ant-design|@rc-component|rc-[a-z-]+|@emotion|stylis|dayjs|@babel\/runtime|clsx|classnames)\//],
  ['words-zh-CN', /(\/src\/words\/zh-CN\.json|virtual:menus\/zh-CN)$/],
  ['words-en-US', /(\/src\/words\/en-US\.json|virtual:menus\/en-US)$/],
]

// The verifier of proof files is a program of Node, too; pages need it without its command line.
const verifier = {
  name: 'verifier', enforce: 'pre' as const,
  transform: (code: string, id: string) => (id.split('?')[0]!.endsWith('/mulian-verify.mjs') ? { code: code.slice(0, code.indexOf('// ---- the command line ----')), map: null } : undefined),
}

// What the menu says of each area, out of the area's words: those come later, with its pages.
const menus = {
  name: 'menus',
  resolveId: (id: string) => (id.startsWith('virtual:menus/') ? `\0${id}` : undefined),
  load(id: string) {
    if (!id.startsWith('\0virtual:menus/')) return undefined
    const file = (area: string) => here(`./src/pages/${area}/${id.split('/')[1]}.json`)
    const all = readdirSync(here('./src/pages')).sort().filter((area) => existsSync(file(area))).map((area) => [area, Object.fromEntries(Object.entries(JSON.parse(readFileSync(file(area), 'utf8')) as object).filter(([key]) => key.startsWith('menu')))])
    return `export default ${JSON.stringify(Object.fromEntries(all))}`
  },
}

export default defineConfig({
  base: '/',
  plugins: [react(), verifier, menus],
  worker: { format: 'es', plugins: () => [verifier], rolldownOptions: { output: { entryFileNames: 'assets/[name].js', chunkFileNames: 'assets/worker-[name].js' } } },
  resolve: { alias: [{ find: '@', replacement: here('./src') }, { find: /^\.\/useScrollLocker$/, replacement: here('./src/shell/locker.ts') }] },
  preview: { proxy },
  server: { proxy },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    sourcemap: false,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { console: here('./index.html'), box: here('./box.html') },
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: nameOf,
        assetFileNames: 'assets/[name][extname]',
        codeSplitting: { groups: vendors.map(([name, test]) => ({ name, test })) },
      },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
} as never)
