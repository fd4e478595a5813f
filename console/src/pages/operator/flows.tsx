// Where data went: duty, entry, user as a Sankey, and organisations by the hour as a map of
// heat. The tables beside them have the same numbers.
import { useNavigate } from '@tanstack/react-router'
import type { EChartsCoreOption } from 'echarts/core'
import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import type { Hours, Stream } from '@/gen/mulian/console/v1/overview_pb'
import { account, duty } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount } from '@/chain/words'
import { Empty } from '@/parts/states'
import { type Column, DataTable, useSmall } from '@/parts/table'
import Chart, { hues, type Ink } from './chart'

const short = (s: string, n: number) => ([...s].length > n ? `${[...s].slice(0, n - 1).join('')}…` : s)

function useWords() {
  const { t } = useTranslation('operator')
  return {
    duty: (s: Stream) => (s.user === '' ? t('flow.others') : s.dutyName || t('flow.noDuty')),
    item: (s: Stream) => (s.user === '' ? t('flow.others') : s.entries > 1 ? t('flow.several', { name: s.itemName, n: s.entries }) : s.itemName || s.item),
    user: (s: Stream) => (s.user === '' ? t('flow.others') : s.userName || s.user),
  }
}

export default function Streams({ streams, height }: { streams: Stream[]; height: number | string }) {
  const { t } = useTranslation('operator')
  const words = useWords()
  const navigate = useNavigate()
  const small = useSmall()
  const option = useCallback((ink: Ink, size: number): EChartsCoreOption => {
    const nodes = new Map<string, { name: string; depth: number; words: string; to?: string }>()
    const links = new Map<string, { source: string; target: string; value: number }>()
    const node = (kind: string, depth: number, id: string, text: string, to?: string) => {
      const name = `${kind}:${id}`
      nodes.set(name, { name, depth, words: text, to })
      return name
    }
    const link = (source: string, target: string, n: number) => {
      const k = `${source}\n${target}`
      links.set(k, { source, target, value: (links.get(k)?.value ?? 0) + n })
    }
    for (const s of streams) {
      const d = node('d', 0, s.user === '' ? 'others' : s.duty || 'none', words.duty(s), s.duty && pathOf(duty(s.duty)))
      const i = node('i', 1, s.user === '' ? 'others' : s.item, words.item(s), s.item.startsWith('catalogue/') ? pathOf(s.item) : undefined)
      const u = node('u', 2, s.user || 'others', words.user(s), s.user && pathOf(account(s.user)))
      link(d, i, Number(s.granted))
      link(i, u, Number(s.granted))
    }
    const text = (name: string) => nodes.get(name)?.words ?? name
    const colours = hues(ink)
    return {
      tooltip: { formatter: (p: { dataType: string; name: string; value: number; data: { source: string; target: string } }) => (p.dataType === 'edge' ? `${text(p.data.source)} → ${text(p.data.target)}\n${t('flow.times', { n: amount(p.value) })}` : `${text(p.name)}\n${t('flow.times', { n: amount(p.value) })}`) },
      series: [{
        type: 'sankey', left: 4, right: small ? '24%' : '17%', top: 8, bottom: 8, nodeWidth: 10, nodeGap: 12, draggable: false, emphasis: { focus: 'adjacency' },
        lineStyle: { color: 'gradient', opacity: 0.28, curveness: 0.5 },
        label: { color: ink('ink'), fontSize: size * 0.9, formatter: (p: { name: string }) => short(text(p.name), small ? 6 : 16) },
        data: [...nodes.values()].map((n, i) => ({ ...n, itemStyle: { color: n.name.endsWith(':others') ? ink('border') : colours[i % colours.length], borderWidth: 0 } })),
        links: [...links.values()],
      }],
    }
  }, [streams, t, small])
  if (streams.length === 0) return <Empty text={t('flow.empty')} />
  return <Chart option={option} label={t('flow.label', { n: streams.length })} height={height} onPick={({ data }) => { const to = (data as { to?: string })?.to; if (to) void navigate({ to }) }} />
}

export function StreamTable({ streams }: { streams: Stream[] }) {
  const { t } = useTranslation('operator')
  const words = useWords()
  const columns: Column<Stream>[] = [
    { id: 'duty', title: t('col.duty'), card: 'title', show: words.duty },
    { id: 'item', title: t('col.item'), show: words.item },
    { id: 'user', title: t('col.user'), show: words.user },
    { id: 'granted', title: t('col.times'), number: true, card: 'end', sort: (a, b) => Number(a.granted - b.granted), show: (s) => amount(s.granted) },
  ]
  return <DataTable whole caption={t('flow.title')} columns={columns} rows={streams} rowId={(s) => `${s.duty}\n${s.item}\n${s.user}`} empty={<Empty text={t('flow.empty')} />} />
}

export function HeatMap({ hours, height, onPick }: { hours: Hours[]; height?: number | string; onPick: (org: string) => void }) {
  const { t } = useTranslation('operator')
  const option = useCallback((ink: Ink, size: number): EChartsCoreOption => {
    const most = Math.max(1, ...hours.flatMap((h) => h.granted.map(Number)))
    const axis = { axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: ink('second'), fontSize: size * 0.86 } }
    return {
      grid: { left: 4, right: 8, top: 4, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      tooltip: { formatter: (p: { value: [number, number, number] }) => `${hours[p.value[1]]?.orgName} ${p.value[0]}:00\n${t('flow.times', { n: amount(p.value[2]) })}` },
      xAxis: { type: 'category', data: Array.from({ length: 24 }, (_, i) => String(i)), ...axis },
      yAxis: { type: 'category', inverse: true, data: hours.map((h) => short(h.orgName, 9)), ...axis },
      visualMap: { show: false, min: 0, max: most, inRange: { color: [ink('head'), ink('heat1'), ink('heat2'), ink('heat3')] } },
      series: [{ type: 'heatmap', itemStyle: { borderColor: ink('card'), borderWidth: 2 }, data: hours.flatMap((h, y) => h.granted.map((n, x) => [x, y, Number(n)])) }],
    }
  }, [hours, t])
  if (hours.length === 0) return <Empty text={t('heat.empty')} />
  return <Chart option={option} label={t('heat.label', { n: hours.length })} height={height ?? 36 + hours.length * 26} onPick={({ data }) => { const row = hours[(data as number[])[1] ?? -1]; if (row) onPick(row.org) }} />
}

export function HeatTable({ hours }: { hours: Hours[] }) {
  const { t } = useTranslation('operator')
  const columns: Column<Hours>[] = [
    { id: 'org', title: t('col.org'), card: 'title', show: (h) => <span className="nowrap">{h.orgName}</span> },
    ...Array.from({ length: 24 }, (_, i): Column<Hours> => ({ id: `h${i}`, title: String(i), number: true, card: 'none', show: (h) => (h.granted[i] ? amount(h.granted[i]) : '·') })),
    { id: 'sum', title: t('col.sum'), number: true, card: 'end', show: (h) => amount(h.granted.reduce((a, b) => a + b, 0n)) },
  ]
  return <DataTable whole caption={t('heat.title')} columns={columns} rows={hours} rowId={(h) => h.org} empty={<Empty text={t('heat.empty')} />} />
}
