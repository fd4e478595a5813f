// A department, its duties and their entries as a net: 60 nodes at most, the table beside has all.
import type { EChartsCoreOption } from 'echarts/core'
import { useCallback } from 'react'
import { useTranslation } from 'react-i18next'
import { EntryState } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import type { CoveredDuty } from '@/gen/mulian/console/v1/overview_pb'
import { duty, entry } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import Chart, { type Ink } from './chart'

const MOST = 60
const short = (s: string) => ([...s].length > 12 ? `${[...s].slice(0, 11).join('')}…` : s)

export default function Net({ org, duties, pick }: { org: string; duties: CoveredDuty[]; pick: (path: string) => void }) {
  const { t } = useTranslation('operator')
  const parts = duties.reduce((n, d) => n + 1 + d.entries.length, 1)
  const option = useCallback((ink: Ink): EChartsCoreOption => {
    const nodes = new Map<string, { id: string; name: string; symbolSize: number; itemStyle: { color: string }; to?: string }>()
    const links: { source: string; target: string }[] = []
    const put = (id: string, name: string, symbolSize: number, color: string, to?: string) => {
      if (!nodes.has(id) && nodes.size < MOST) nodes.set(id, { id, name, symbolSize, itemStyle: { color }, to })
      return nodes.has(id)
    }
    put('org', org, 26, ink('c1'))
    for (const d of duties) {
      const id = `d${d.duty!.id}`
      if (!put(id, d.duty!.title, 15, d.entriesTotal === 0n ? ink('amber') : ink('c2'), pathOf(duty(d.duty!.id)))) break
      links.push({ source: 'org', target: id })
      for (const e of d.entries) if (put(`e${e.id}`, e.name, 10, e.state === EntryState.DRIFTED ? ink('red') : e.locked ? ink('green') : ink('blue'), pathOf(entry(e.id)))) links.push({ source: id, target: `e${e.id}` })
    }
    return {
      tooltip: { formatter: (p: { dataType: string; name: string }) => (p.dataType === 'node' ? p.name : '') },
      series: [{
        type: 'graph', layout: 'force', roam: false, force: { repulsion: 190, edgeLength: [50, 90], layoutAnimation: false }, lineStyle: { color: ink('border') },
        label: { show: true, position: 'bottom', color: ink('ink'), fontSize: 11.5, formatter: (p: { name: string }) => short(p.name) },
        data: [...nodes.values()], links,
      }],
    }
  }, [org, duties])
  return (
    <>
      <Chart option={option} label={t('map.netLabel', { org, n: Math.min(MOST, parts) })} height={380} onPick={({ data }) => { const to = (data as { to?: string })?.to; if (to) pick(to) }} />
      {parts > MOST && <p className="second">{t('map.netPart', { n: MOST, total: parts })}</p>}
    </>
  )
}
