// Colours of the house, each with its dark pair; spec 4.7. antd gets them as tokens, our own
// styles as CSS variables of the same names (styles.css).
import { theme as antd, type ThemeConfig } from 'antd'

export type Shade = 'light' | 'dark'

export const colours = {
  light: {
    ink: '#0B1B33', second: '#55627A', place: '#6B778C', blue: '#1554D1', blueBg: '#EAF1FF', line: '#E3E8F0', border: '#8290A7',
    page: '#F5F7FA', card: '#FFFFFF', green: '#0A7D45', amber: '#9A5B00', red: '#C02626',
  },
  dark: {
    ink: '#E6EEFC', second: '#A9BBDA', place: '#8FA3C7', blue: '#7FB0FF', blueBg: '#12264A', line: '#1E3155', border: '#6C83AE',
    page: '#070F1F', card: '#0D1930', green: '#4ADE9A', amber: '#F5B94A', red: '#FF7B7B',
  },
} as const

export const font = 'Inter,-apple-system,"PingFang SC","HarmonyOS Sans SC","Microsoft YaHei UI","Noto Sans CJK SC",sans-serif'

/** antdTheme is our look in antd's words. */
export function antdTheme(shade: Shade): ThemeConfig {
  const c = colours[shade]
  return {
    algorithm: shade === 'dark' ? antd.darkAlgorithm : antd.defaultAlgorithm,
    token: {
      colorPrimary: c.blue, colorInfo: c.blue, colorLink: c.blue, colorSuccess: c.green, colorWarning: c.amber, colorError: c.red,
      colorTextBase: c.ink, colorBgBase: shade === 'dark' ? c.card : '#FFFFFF', colorBgLayout: c.page, colorBgContainer: c.card, colorBgElevated: c.card,
      colorText: c.ink, colorTextSecondary: c.second, colorTextTertiary: c.second, colorTextDescription: c.second, colorTextPlaceholder: c.place,
      colorBorder: c.border, colorBorderSecondary: c.line, colorTextLightSolid: shade === 'dark' ? '#06122B' : '#FFFFFF',
      fontFamily: font, fontSize: 14, borderRadius: 6, controlHeight: 34, motionDurationMid: '0.12s', motionDurationSlow: '0.15s', motionDurationFast: '0.08s',
    },
    components: {
      Button: { primaryShadow: 'none', defaultShadow: 'none', dangerShadow: 'none' },
      Tabs: { horizontalItemPadding: '10px 0' },
    },
  }
}

const KEY = 'mulian.theme'

/** firstShade is the chosen one, else that of the system. */
export function firstShade(): Shade {
  const kept = localStorage.getItem(KEY)
  if (kept === 'light' || kept === 'dark') return kept
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
}

/** wear puts a shade on the page and remembers it if it was chosen. */
export function wear(shade: Shade, chosen = false): void {
  document.documentElement.dataset.theme = shade
  if (chosen) localStorage.setItem(KEY, shade)
}
