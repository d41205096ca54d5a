// Exceptions as the configuration file writes them.
import type { Exception } from '../types'

/** A text in double quotes, which JSON and YAML write alike. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

/** An exception in one line: `{rules: [942100], points: ["query:q"]}`. */
export function flow(exception: Exception): string {
  const lists: [string, string[]][] = [
    ['rules', (exception.rules ?? []).map(String)],
    ['tags', (exception.tags ?? []).map(quoted)],
    ['attacks', exception.attacks ?? []],
    ['points', (exception.points ?? []).map(quoted)],
    ['paths', (exception.paths ?? []).map(quoted)],
  ]
  return `{${lists.filter(([, values]) => values.length > 0).map(([key, values]) => `${key}: [${values.join(', ')}]`).join(', ')}}`
}

export interface DiffLine {
  sign: ' ' | '+'
  text: string
}

/** What to add to the configuration file, with the lines around it. */
export function diff(service: string, exceptions: Exception[]): DiffLine[] {
  const name = /^[\w.-]+$/.test(service) ? service : quoted(service)
  return [
    { sign: ' ', text: 'services:' },
    { sign: ' ', text: `- name: ${name}` },
    { sign: '+', text: '  exceptions:' },
    ...exceptions.map((exception): DiffLine => ({ sign: '+', text: `  - ${flow(exception)}` })),
  ]
}
