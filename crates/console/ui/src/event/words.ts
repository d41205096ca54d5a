// An event in a few words, for lists.
import type { Event, RuleHit } from '../types'

/** Why it is what it is: `rule 942100, sqli`. */
export function reasonOf(event: Event): string {
  const { cause } = event
  if (event.kind === 'dropped') return `${event.dropped?.events ?? 0} events were lost at ${event.dropped?.at ?? '?'}`
  const deciding = event.findings?.find((finding) => finding.disruptive) ?? event.findings?.at(-1)
  const contributing = contributors(event)[0]
  const about = contributing ? `${contributing.id} ${contributing.message ?? ''}`.trim() : ''
  switch (cause) {
    case 'rule':
      return about || `rule ${event.rule_id ?? ''}`
    case 'finding':
      return `${event.attack ?? deciding?.attack ?? 'attack'}${deciding?.point ? ` at ${deciding.point}` : ''}`
    case 'framing':
      return `framing: ${event.framing ?? ''}`
    case 'policy':
      return policyOf(event)
    case 'list':
    case 'rate':
      return event.reason ? `${cause}: ${event.reason}` : cause
    case undefined:
      if (event.policy?.pending_verdict) return `staged policies would ${event.policy.pending_verdict}`
      if (deciding) return `${deciding.attack ?? ''} at ${deciding.point ?? ''}`
      return about || event.shortfalls?.[0] || event.msg || event.kind
    default:
      return event.reason ?? event.shortfalls?.[0] ?? cause
  }
}

/** Rules that saw something, the gravest first; those that only add up what others saw say nothing of their own. */
export function contributors(event: Event): RuleHit[] {
  const graver = (one: RuleHit, other: RuleHit) => Number(one.severity ?? 9) - Number(other.severity ?? 9)
  return (event.rules ?? []).filter((rule) => !addsUp(rule)).sort(graver)
}

/** Whether a rule only looks at what others counted. */
export function addsUp(rule: RuleHit): boolean {
  return (rule.target ?? '').startsWith('TX:') || rule.phase === 5
}

/** The policy that decided, or why none did. */
function policyOf({ policy }: Event): string {
  const decided = policy?.enforced?.at(-1)
  const name = decided && [decided.namespace, decided.name].filter(Boolean).join('/')
  if (!name) return `policy: ${policy?.reason ?? 'denied'}`
  return `policy ${name}${decided.rule_index === undefined ? '' : `, rule ${decided.rule_index}`}`
}

export function sourceOf(event: Event): string {
  const { source } = event
  const workload = source?.namespace && source.name ? `${source.namespace}/${source.name}` : ''
  return workload || source?.ip || source?.hostname || ''
}
