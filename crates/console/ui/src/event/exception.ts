// The exception that allows exactly what was seen, at exactly the places where it was seen, below that path.
import type { Event, RuleHit } from '../types'
import { offences } from './points'
import { contributors } from './words'

export interface Exception {
  rules: number[]
  attacks: string[]
  points: string[]
  paths: string[]
}

export interface Allowance {
  exceptions: Exception[]
  /** Rules that looked at more than one place can be excepted only as a whole. */
  broad: number[]
}

/** What it takes to let this request pass, and nothing else; null where no exception can. */
export function allowance(event: Event): Allowance | null {
  if (event.cause && !['rule', 'finding'].includes(event.cause)) return null
  const path = (event.path ?? '').split('?')[0] ?? ''
  const paths = path.startsWith('/') && !path.includes('\\x') ? [path] : []
  const tolerated = event.cause === 'finding' ? new Set(contributors(event)) : belowThreshold(event)
  const broad: number[] = []
  const exceptions: Exception[] = []
  for (const { point, rules, findings } of offences(event)) {
    const ids = [...new Set(rules.filter((rule) => !tolerated.has(rule)).map((rule) => Number(rule.id)).filter((id) => Number.isInteger(id) && id > 0))]
    const attacks = [...new Set(findings.map((finding) => finding.attack).filter((attack) => attack !== undefined))]
    if (point === null) broad.push(...ids)
    // Attacks and rules are told apart, so that each can be taken back alone.
    const points = point === null ? [] : [point]
    if (ids.length) exceptions.push({ rules: ids.sort((a, b) => a - b), attacks: [], points, paths })
    if (attacks.length && point !== null) exceptions.push({ rules: [], attacks, points, paths })
  }
  return exceptions.length ? { exceptions, broad } : null
}

/** What CRS counts for a severity. */
const SCORES: Record<string, number> = { '2': 5, '3': 4, '4': 3, '5': 2 }
/** The rules by which CRS blocks requests, and the sum from which on it does so by default. */
const BLOCKING = new Set(['949110', '949111', '959100', '959101'])
const THRESHOLD = 5

/** Where CRS adds up scores: the lightest rules whose sum alone stops nothing need no exception. */
function belowThreshold(event: Event): Set<RuleHit> {
  if (!event.rules?.some((rule) => BLOCKING.has(rule.id ?? ''))) return new Set()
  const tolerated = new Set<RuleHit>()
  let sum = 0
  for (const rule of contributors(event).reverse()) {
    sum += SCORES[rule.severity ?? ''] ?? 0
    if (sum < THRESHOLD) tolerated.add(rule)
  }
  return tolerated
}

/** A text in double quotes, which JSON and YAML write alike. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

function flow(exception: Exception): string {
  const parts: string[] = []
  if (exception.rules.length) parts.push(`rules: [${exception.rules.join(', ')}]`)
  if (exception.attacks.length) parts.push(`attacks: [${exception.attacks.join(', ')}]`)
  if (exception.points.length) parts.push(`points: [${exception.points.map(quoted).join(', ')}]`)
  if (exception.paths.length) parts.push(`paths: [${exception.paths.map(quoted).join(', ')}]`)
  return `- {${parts.join(', ')}}`
}

export interface DiffLine {
  sign: ' ' | '+'
  text: string
}

/** What to add to the configuration file, with the lines around it. */
export function diff(service: string, { exceptions }: Allowance): DiffLine[] {
  const name = /^[\w.-]+$/.test(service) ? service : quoted(service)
  return [
    { sign: ' ', text: 'services:' },
    { sign: ' ', text: `- name: ${name}` },
    { sign: '+', text: '  exceptions:' },
    ...exceptions.map((exception): DiffLine => ({ sign: '+', text: `  ${flow(exception)}` })),
  ]
}
