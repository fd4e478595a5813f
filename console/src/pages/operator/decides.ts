// What a vote settles before it is given.
import type { Vote } from '@/gen/mulian/console/v1/overview_pb'

/** decides says what a member's vote would settle at once: yes, no, both or nothing; its weight counts once. */
export function decides(v: Vote, weight: number): 'yes' | 'yesOnly' | 'noOnly' | undefined {
  const carries = v.yes + weight >= v.needed, rejects = v.no + weight > v.total - v.needed
  return carries && rejects ? 'yes' : carries ? 'yesOnly' : rejects ? 'noOnly' : undefined
}
