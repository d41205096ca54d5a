// Counts over time, drawn by uPlot in the colours of the theme.
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { exact, moment, span } from '../format'

export interface Line {
  label: string
  /** The name of a colour of the style sheet. */
  color: string
  values: number[]
}

export function Chart({ times, lines, height = 150, label, stepSeconds, range }: {
  /** Seconds since 1970. */
  times: number[]
  lines: Line[]
  height?: number
  /** What it shows, for who does not see it. */
  label: string
  stepSeconds: number
  /** The ends of the axis, in seconds since 1970. */
  range: [number, number]
}) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const shape = lines.map((line) => line.label).join()
  useEffect(() => {
    const draw = () => {
      plot.current?.destroy()
      if (place.current) plot.current = new uPlot(options(place.current, lines, height, stepSeconds, range), dataOf(times, lines), place.current)
    }
    draw()
    const sized = new ResizeObserver(() => {
      const width = place.current?.clientWidth
      if (width && plot.current && plot.current.width !== width) plot.current.setSize({ width, height })
    })
    if (place.current) sized.observe(place.current)
    const media = matchMedia('(prefers-color-scheme: dark)')
    addEventListener('theme', draw)
    media.addEventListener('change', draw)
    return () => {
      sized.disconnect()
      removeEventListener('theme', draw)
      media.removeEventListener('change', draw)
      plot.current?.destroy()
      plot.current = null
    }
    // Anew when the numbers are: sixty points cost nothing to draw.
  }, [shape, height, stepSeconds, times, range[0], range[1]])
  const totals = lines.map((line) => `${line.label}: ${exact(line.values.reduce((sum, value) => sum + value, 0))}`)
  return (
    <figure class="chart" role="img" aria-label={`${label}. ${totals.join(', ')}.`}>
      <div ref={place} />
    </figure>
  )
}

/** Lines stand on those before them; what lies lowest is drawn last. */
function dataOf(times: number[], lines: Line[]): uPlot.AlignedData {
  const sums = times.map(() => 0)
  const stacked = lines.map((line) => line.values.map((value, at) => (sums[at] = (sums[at] ?? 0) + value)))
  return [times, ...stacked.reverse()]
}

/** A moment at the foot of a chart: the time, and the day where ticks are days apart. */
function label(seconds: number, apart: number): string {
  const text = moment(seconds * 1000)
  return apart >= 86_400 ? text.slice(5, 10) : apart < 60 ? text.slice(11) : text.slice(11, 16)
}

function options(place: HTMLElement, lines: Line[], height: number, stepSeconds: number, range: [number, number]): uPlot.Options {
  // A canvas wants the colour that the theme's words come to.
  const color = (name: string) => {
    place.style.color = `var(--${name})`
    const seen = getComputedStyle(place).color
    place.style.color = ''
    return seen
  }
  const bars = uPlot.paths.bars?.({ size: [0.7, 24], align: 1 })
  const axis: uPlot.Axis = {
    stroke: color('dim'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  }
  return {
    width: place.clientWidth || 600,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: true, live: true },
    cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
    scales: { x: { time: true, range: () => range }, y: { range: (_, __, max) => [0, Math.max(5, max * 1.1)] } },
    axes: [{ ...axis, size: 26, space: 70, values: (_, ticks, __, ___, apart) => ticks.map((tick) => label(tick, apart)) }, { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6], values: (_, ticks) => ticks.map((tick) => exact(tick)) }],
    series: [
      { label: 'Time', value: (_, time) => (time ? `${moment(time * 1000)}, ${span(stepSeconds)}` : 'all') },
      ...[...lines].reverse().map((line): uPlot.Series => ({
        label: line.label,
        stroke: color(line.color),
        fill: color(`${line.color}-fill`),
        width: 1.5,
        points: { show: false },
        paths: line.color === 'requests' ? undefined : bars,
        value: (_, __, ___, at) => (at === null ? exact(line.values.reduce((sum, value) => sum + value, 0)) : exact(line.values[at] ?? 0)),
      })),
    ],
  }
}
