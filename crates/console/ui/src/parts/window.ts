// The points of a chart of counts: one for each step of the window, zero where nobody counted.
import type { Counts, Stats } from '../types'

export interface Points {
  times: number[]
  range: [number, number]
  of: (key: keyof Counts) => number[]
}

export function pointsOf(stats: Stats): Points {
  const step = Math.max(1, stats.step_seconds)
  const [from, to] = [Date.parse(stats.from) / 1000, Date.parse(stats.to) / 1000]
  const known = new Map(stats.series.map((point) => [Math.floor(Date.parse(point.time) / 1000 / step) * step, point]))
  const times: number[] = []
  // A server that says nonsense of its step does not make us count for ever.
  for (let time = Math.floor(from / step) * step; time + step / 2 <= to && times.length < 2000; time += step) times.push(time)
  return { times, range: [from, to], of: (key) => times.map((time) => known.get(time)?.[key] ?? 0) }
}
