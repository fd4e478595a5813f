// A code to scan, drawn from its text: squares of a path, black on white in both themes, as
// cameras want it.
import encodeQR from 'qr'
import { useMemo } from 'react'

const QUIET = 4 // modules of white around it, as the standard wants

export function QR({ text, label, size = 220 }: { text: string; label: string; size?: number }) {
  const { path, side } = useMemo(() => {
    const rows = encodeQR(text, 'raw', { ecc: 'medium', border: QUIET })
    return { side: rows.length, path: rows.map((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : '')).join('')).join('') }
  }, [text])
  return <svg role="img" aria-label={label} width={size} height={size} viewBox={`0 0 ${side} ${side}`} shapeRendering="crispEdges"><rect width={side} height={side} fill="#fff" /><path d={path} fill="#000" /></svg>
}
