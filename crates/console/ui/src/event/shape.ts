// Events as pages take them. A data plane may have been taken over: what it sends is JSON with an id, and nothing more is known
// of it. What is not of the shape that an event has is left out, so that no page stumbles over one event.
import type { Event, Page } from '../types'

/** A list has members of its one shape; `numbers` is an object of numbers. Members of an object that are not named are plain. */
type Shape = 'plain' | 'numbers' | [Shape] | { [name: string]: Shape }

const EVENT: Shape = {
  source: {},
  destination: {},
  tls: {},
  dropped: {},
  rules: [{ tags: ['plain'] }],
  findings: [{}],
  attacks: ['plain'],
  shortfalls: ['plain'],
  scores: 'numbers',
  policy: { enforced: [{}], pending: [{}] },
}

/** Of what is plain, what is no text. */
const NUMBERS = new Set(['phase', 'confidence', 'status', 'duration_us', 'request_bytes', 'request_bytes_inspected', 'response_bytes', 'rule_id', 'application', 'port_num', 'policy_index', 'rule_index', 'events', 'traffic'])
const FLAGS = new Set(['disruptive', 'gray', 'incomplete'])

function shaped(name: string, value: unknown, shape: Shape): unknown {
  if (shape === 'plain') return plain(name, value)
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return undefined
    return value.map((one) => shaped('', one, shape[0])).filter((one) => one !== undefined)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  const members = Object.entries(value).map(([name, one]): [string, unknown] => {
    if (shape === 'numbers') return [name, typeof one === 'number' ? one : undefined]
    return [name, shaped(name, one, Object.hasOwn(shape, name) ? shape[name]! : 'plain')]
  })
  return Object.fromEntries(members.filter(([, one]) => one !== undefined))
}

function plain(name: string, value: unknown): unknown {
  if (value === null || typeof value === 'object') return undefined
  if (NUMBERS.has(name)) return typeof value === 'number' ? value : undefined
  return FLAGS.has(name) ? value === true : String(value)
}

export function eventOf(value: unknown): Event {
  return { '@timestamp': '', kind: '', action: 'pass', ...(shaped('', value, EVENT) as object) } as Event
}

export function eventsOf<P extends Page<Event>>(page: P): P {
  return { ...page, items: page.items.map(eventOf) }
}
