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

/** What was seen, gathered by place; what decided comes first. */
export function offences(event: Event): Offence[] {
  const found = new Map<string, Offence>()
  const at = (point: string | null) => {
    const key = point ?? ''
    const offence = found.get(key) ?? { point, rules: [], findings: [] }
    found.set(key, offence)
    return offence
  }
  for (const finding of event.findings ?? []) at(finding.point ?? null).findings.push(finding)
  for (const rule of contributors(event)) at(pointOf(rule.target ?? '', event)).rules.push(rule)
  const weight = (offence: Offence) => offence.rules.length + 3 * offence.findings.length
  return [...found.values()].sort((one, other) => weight(other) - weight(one))
}

/** Variables that are one place each. */
const WHOLE: Record<string, string> = {
  REQUEST_FILENAME: 'path',
  REQUEST_BASENAME: 'path',
  PATH_INFO: 'path',
  QUERY_STRING: 'query',
  REQUEST_BODY: 'body',
  XML: 'body.xml',
}

/** The point that a rule's target stands for. */
export function pointOf(target: string, event: Event): string | null {
  const colon = target.indexOf(':')
  const collection = colon < 0 ? target : target.slice(0, colon)
  const key = colon < 0 ? '' : target.slice(colon + 1)
  switch (collection) {
    case 'ARGS_GET':
      return `query:${key}`
    case 'ARGS':
    case 'ARGS_POST':
      return argument(key, event, collection === 'ARGS')
    case 'ARGS_NAMES':
    case 'ARGS_GET_NAMES':
      return queryOf(event).some(([name]) => name === key) ? `query-name:${key}` : `body.form-name:${key}`
    case 'ARGS_POST_NAMES':
      return `body.form-name:${key}`
    case 'REQUEST_HEADERS':
      return `header:${key.toLowerCase()}`
    case 'REQUEST_HEADERS_NAMES':
      return `header-name:${key.toLowerCase()}`
    case 'REQUEST_COOKIES':
      return `cookie:${key}`
    case 'REQUEST_COOKIES_NAMES':
      return `cookie-name:${key}`
    case 'FILES':
      return `body.filename:${key}`
    default:
      return WHOLE[collection] ?? null
  }
}

/** An argument is the query's, or a field of the body as a finding named it, or of a form. */
function argument(key: string, event: Event, mayBeQuery: boolean): string {
  if (mayBeQuery && queryOf(event).some(([name]) => name === key)) return `query:${key}`
  const json = key.startsWith('json.') ? `/${key.slice(5).replaceAll('.', '/')}` : null
  const named = (event.findings ?? []).map((finding) => finding.point ?? '')
  const same = named.find((point) => point.startsWith('body') && (point.endsWith(`:${key}`) || (json && point.endsWith(`:${json}`))))
  if (same) return same
  return json ? `body.json:${json}` : `body.form:${key}`
}

/** Names and values of the query, decoded as far as that goes. */
export function queryOf(event: Event): [string, string][] {
  const path = event.path ?? ''
  const at = path.indexOf('?')
  if (at < 0) return []
  return path
    .slice(at + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=')
      return equals < 0 ? [decoded(pair), ''] : [decoded(pair.slice(0, equals)), decoded(pair.slice(equals + 1))]
    })
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
