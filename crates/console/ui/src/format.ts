// Numbers, times and texts as they are read.

const whole = new Intl.NumberFormat('en')
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export function count(number: number): string {
  return number < 100_000 ? whole.format(number) : compact.format(number)
}

export function exact(number: number): string {
  return whole.format(number)
}

/** `1 rule`, `2 rules`. */
export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`
}

/** A share of a whole: `0.3 %`. */
export function share(part: number, all: number): string {
  if (!all) return '0 %'
  const percent = (100 * part) / all
  return percent > 0 && percent < 0.1 ? '<0.1 %' : `${percent.toFixed(percent < 10 ? 1 : 0)} %`
}

export function clock(time: string | number): string {
  return new Date(time).toLocaleTimeString('en-GB')
}

export function moment(time: string | number): string {
  const date = new Date(time)
  const day = date.toLocaleDateString('en-CA')
  return `${day} ${date.toLocaleTimeString('en-GB')}`
}

export function span(seconds: number): string {
  const parts: [number, string][] = [
    [86_400, 'd'],
    [3_600, 'h'],
    [60, 'min'],
    [1, 's'],
  ]
  const at = parts.findIndex(([size]) => seconds >= size)
  if (at < 0) return '0 s'
  const [size, unit] = parts[at]!
  const rest = parts[at + 1]
  const first = `${Math.floor(seconds / size)} ${unit}`
  const left = rest ? Math.floor((seconds % size) / rest[0]) : 0
  return left && rest ? `${first} ${left} ${rest[1]}` : first
}

export function ago(time: string | number): string {
  const seconds = Math.max(0, (Date.now() - new Date(time).getTime()) / 1000)
  return seconds < 5 ? 'just now' : `${span(seconds)} ago`
}

export function duration(us: number): string {
  if (us < 1000) return `${us} µs`
  return us < 1_000_000 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(2)} s`
}

export function bytes(number: number): string {
  if (number < 1024) return `${number} B`
  return number < 1024 * 1024 ? `${(number / 1024).toFixed(1)} KiB` : `${(number / 1024 / 1024).toFixed(1)} MiB`
}

/**
 * Text of clients as it can be shown: what would turn, hide or move other text stands there as its number.
 * (Controls, joiners, marks of direction, byte order marks, and lone surrogates.)
 */
export function visible(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (char) => `\\u{${char.charCodeAt(0).toString(16)}}`,
  )
}

const ACTIONS: Record<string, string> = { deny: 'blocked', would_block: 'would block', pass: 'passed' }

export function actionWord(action: string): string {
  return ACTIONS[action] ?? action
}

export const MODES = ['off', 'monitoring', 'safe_blocking', 'block'] as const

export function modeWord(mode: string): string {
  return mode.replace('_', ' ')
}

const SEVERITIES = ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug']

export function severityWord(severity: string | number | null | undefined): string {
  if (severity === undefined || severity === null || severity === '') return ''
  return SEVERITIES[Number(severity)] ?? String(severity)
}
