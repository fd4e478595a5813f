// `/` leads everybody to the home of his seat.
import { Navigate } from '@tanstack/react-router'
import { areas } from '@/pages/all'
import type { Role } from '@/pages/area'
import { useWho } from '@/shell/who'

export default function Home() {
  const { signer } = useWho()
  if (!signer) return <Navigate to="/seats" replace />
  const home = areas.map((a) => a.homes?.[signer.role as Role]).find(Boolean)
  return <Navigate to={home ?? '/explorer'} replace />
}
