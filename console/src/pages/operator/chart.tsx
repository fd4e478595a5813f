// Chart: echarts without what we do not use, on a canvas, as wide as its place and in the
// colours of the theme. Every chart has a table twin beside it (parts.tsx, Seen).
import { GraphChart, HeatmapChart, SankeyChart } from 'echarts/charts'
import { AriaComponent, GridComponent, TooltipComponent, VisualMapComponent } from 'echarts/components'
import { type EChartsCoreOption, init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import { useEffect, useRef } from 'react'
import { useShade } from '@/shell/shade'

use([SankeyChart, HeatmapChart, GraphChart, GridComponent, TooltipComponent, VisualMapComponent, AriaComponent, CanvasRenderer])

/** Ink is what a chart is drawn with: a CSS variable's value by its name. */
export type Ink = (name: string) => string

export interface ChartProps {
  option: (ink: Ink, size: number) => EChartsCoreOption // size: of the letters around it, in px
  label: string // what a screen reader says
  height: number | string
  onPick?: (at: { name: string; data: unknown }) => void
}

export default function Chart({ option, label, height, onPick }: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const { shade } = useShade()
  const pick = useRef(onPick)
  pick.current = onPick
  const chart = useRef<ReturnType<typeof init>>(undefined)
  useEffect(() => {
    const c = init(box.current!, undefined, { renderer: 'canvas' })
    chart.current = c
    c.on('click', (e) => pick.current?.({ name: e.name, data: e.data }))
    const look = new ResizeObserver(() => c.resize())
    look.observe(box.current!)
    return () => { look.disconnect(); c.dispose(); chart.current = undefined }
  }, [])
  useEffect(() => {
    const style = getComputedStyle(document.documentElement)
    const ink: Ink = (name) => style.getPropertyValue(`--${name}`).trim()
    const o = option(ink, parseFloat(getComputedStyle(box.current!).fontSize))
    chart.current?.setOption({
      animation: false, textStyle: { fontFamily: ink('font'), color: ink('ink') }, aria: { enabled: true, label: { description: label } },
      ...o, tooltip: { renderMode: 'richText', confine: true, backgroundColor: ink('card'), borderColor: ink('line'), textStyle: { color: ink('ink') }, ...(o.tooltip as object) },
    }, { notMerge: true })
  }, [option, label, shade])
  return <div className="chart" role="img" aria-label={label} ref={box} style={{ height }} />
}

/** hues are the colours of a chart in their order. */
export const hues = (ink: Ink): string[] => ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'].map(ink)
