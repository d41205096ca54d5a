// What each mode would have done with a request, by the table of docs/guide/modes.md.
import type { Event } from '../types'

export interface InMode {
  mode: string
  action: 'deny' | 'pass' | 'would_block'
  why: string
}

/** Causes that act whatever the mode is. */
const ALWAYS = new Set(['framing', 'policy', 'list', 'rate', 'authentication'])

export function inModes(event: Event): InMode[] {
  const modes = ['off', 'monitoring', 'safe_blocking', 'block']
  if (event.cause && ALWAYS.has(event.cause)) {
    return modes.map((mode) => ({ mode, action: event.action, why: `${event.cause}: no verdict of the firewall, acts in every mode` }))
  }
  const wanted = event.verdict !== undefined && event.verdict !== 'pass'
  return modes.map((mode): InMode => {
    if (mode === 'off') return { mode, action: 'pass', why: 'nothing is inspected' }
    if (!wanted) return { mode, action: 'pass', why: 'nothing wanted to stop it' }
    if (mode === 'monitoring') return { mode, action: 'would_block', why: 'recorded, and passed' }
    if (mode === 'block') return { mode, action: 'deny', why: 'stopped' }
    return event.gray
      ? { mode, action: 'deny', why: 'stopped: the source is on the gray list' }
      : { mode, action: 'would_block', why: 'passed: the source is not on the gray list' }
  })
}
