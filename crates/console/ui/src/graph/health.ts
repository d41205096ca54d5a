// What a flow is like, in one word, for colours and for sentences.
import type { GraphEdge } from '../types'

export type Health = 'attacked' | 'blocked' | 'failing' | 'good'

export function healthOf(edge: GraphEdge): Health {
  if (edge.attacks.length > 0) return 'attacked'
  if (edge.blocked > 0) return 'blocked'
  // One error in twenty is what somebody would look at.
  if (edge.requests > 0 && edge.errors / edge.requests > 0.05) return 'failing'
  return 'good'
}

export const WORDS: Record<Health, string> = {
  attacked: 'attacks were seen',
  blocked: 'requests were blocked',
  failing: 'more than 5 % errors',
  good: 'healthy',
}
