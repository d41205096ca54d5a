// Places in a request: what findings name as points and rules as targets, and where they stand in what was sent.
import type { Event } from '../types'
import { contributors } from './words'

/** A place with all that was seen there. */
export interface Offence {
  /** As exceptions name it; null where no exception can name it alone. */
  point: string | null
  rules: NonNullable<Event['rules']>
  findings: NonNullable<Event['findings']>
}

/** What was seen, gathered by place; what decided comes first. Points of rules are as the server names them, in their order. */
export function offences(event: Event, points: (string | null)[]): Offence[] {
  const found = new Map<string, Offence>()
  const at = (point: string | null) => {
    const key = point ?? ''
    const offence = found.get(key) ?? { point, rules: [], findings: [] }
    found.set(key, offence)
    return offence
  }
  for (const finding of event.findings ?? []) at(finding.point ?? null).findings.push(finding)
  const pointOf = new Map((event.rules ?? []).map((rule, number) => [rule, points[number] ?? null]))
  for (const rule of contributors(event)) at(pointOf.get(rule) ?? null).rules.push(rule)
  const weight = (offence: Offence) => offence.rules.length + 3 * offence.findings.length
  return [...found.values()].sort((one, other) => weight(other) - weight(one))
}

export function decoded(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return spaced
  }
}

/** A piece of what was sent, and whether something was seen there. */
export interface Piece {
  text: string
  point?: string
}

/** The target as it was sent, in pieces. */
export function pieces(event: Event, points: Set<string>): Piece[] {
  const path = event.path ?? ''
  const at = path.indexOf('?')
  const before = at < 0 ? path : path.slice(0, at)
  const out: Piece[] = [{ text: before, point: points.has('path') ? 'path' : undefined }]
  if (at < 0) return out
  path
    .slice(at + 1)
    .split('&')
    .forEach((pair, number) => {
      out.push({ text: number === 0 ? '?' : '&' })
      const equals = pair.indexOf('=')
      const name = equals < 0 ? pair : pair.slice(0, equals)
      const key = decoded(name)
      const named = `query-name:${key}`
      const valued = `query:${key}`
      out.push({ text: name, point: points.has(named) ? named : undefined })
      if (equals < 0) return
      out.push({ text: '=' })
      const isMarked = points.has(valued) || points.has('query')
      out.push({ text: pair.slice(equals + 1), point: isMarked ? valued : undefined })
    })
  return out
}
