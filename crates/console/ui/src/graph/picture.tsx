// The graph as a picture: moved by hand or keys, walked through by arrow keys.
import { useEffect, useRef, useState } from 'preact/hooks'
import { count, visible } from '../format'
import { type Drawn, type Placed, titleOf } from './layout'
import { healthOf } from './health'

export type Chosen = { node: string } | { edge: [string, string] } | null

/** Names of all nodes are drawn up to so many of them; beyond, when there is room or reason. */
const NAMED_MAX = 80

export function Picture({ drawn, chosen, choose, found }: { drawn: Drawn; chosen: Chosen; choose: (chosen: Chosen) => void; found: Set<string> | null }) {
  const svg = useRef<SVGSVGElement>(null)
  const [view, setView] = useState<[number, number, number, number]>(drawn.box)
  const [hovered, setHovered] = useState<string>()
  const [focused, setFocused] = useState(drawn.nodes[0]?.id)
  const moving = useRef<{ x: number; y: number; view: typeof view } | null>(null)
  const shape = drawn.nodes.map((node) => node.id).join()
  useEffect(() => setView(drawn.box), [shape])

  const zoom = (factor: number, at?: { x: number; y: number }) =>
    setView(([x, y, width, height]) => {
      const [w, h] = [width * factor, height * factor]
      if (w < 60 || w > 40_000) return [x, y, width, height]
      const [ax, ay] = at ? [at.x, at.y] : [0.5, 0.5]
      return [x + (width - w) * ax, y + (height - h) * ay, w, h]
    })
  useEffect(() => {
    const element = svg.current
    if (!element) return
    const wheel = (event: WheelEvent) => {
      event.preventDefault()
      const box = element.getBoundingClientRect()
      zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height })
    }
    // By hand, because only a listener that may prevent scrolling may zoom.
    element.addEventListener('wheel', wheel, { passive: false })
    return () => element.removeEventListener('wheel', wheel)
  }, [])

  const around = (node: Placed) => chosenNode === node.id || hovered === node.id || focused === node.id || neighbours.has(node.id)
  const chosenNode = chosen && 'node' in chosen ? chosen.node : undefined
  const center = hovered ?? chosenNode
  const neighbours = new Set<string>()
  for (const edge of drawn.edges) {
    if (edge.source === center) neighbours.add(edge.destination)
    if (edge.destination === center) neighbours.add(edge.source)
    if (chosen && 'edge' in chosen && chosen.edge[0] === edge.source && chosen.edge[1] === edge.destination) neighbours.add(edge.source).add(edge.destination)
  }
  const attacked = new Set(drawn.edges.filter((edge) => healthOf(edge) === 'attacked').flatMap((edge) => [edge.source, edge.destination]))
  const scale = (svg.current?.clientWidth ?? 900) / view[2]
  // As large on the screen as other text, within what fits between nodes.
  const letters = Math.min(20, Math.max(9, 11 / scale))
  const isNamed = (node: Placed) => drawn.nodes.length <= NAMED_MAX || scale > 0.9 || around(node) || attacked.has(node.id)
  const isDim = (id: string) => found !== null && !found.has(id)

  const step = (from: Placed, key: string): Placed | undefined => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0]
    const cost = (node: Placed) => {
      const [along, across] = dx ? [(node.x - from.x) * dx, Math.abs(node.y - from.y)] : [(node.y - from.y) * dy!, Math.abs(node.x - from.x)]
      return along > 1 ? along + 2 * across : Infinity
    }
    const best = drawn.nodes.map((node) => ({ node, cost: cost(node) })).sort((one, other) => one.cost - other.cost)[0]
    return best && best.cost < Infinity ? best.node : undefined
  }
  const key = (event: KeyboardEvent, node: Placed) => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      choose({ node: node.id })
    } else if (event.key === 'Escape') choose(null)
    else if (event.key === '+' || event.key === '-') zoom(event.key === '+' ? 1 / 1.25 : 1.25)
    else if (event.key.startsWith('Arrow')) {
      event.preventDefault()
      const next = step(node, event.key)
      if (!next) return
      setFocused(next.id)
      const [x, y, width, height] = view
      if (next.x < x || next.x > x + width || next.y < y || next.y > y + height) setView([next.x - width / 2, next.y - height / 2, width, height])
      requestAnimationFrame(() => svg.current?.querySelector<SVGGElement>(`[data-at="${CSS.escape(next.id)}"]`)?.focus())
    }
  }
  return (
    <div class="picture">
      <svg
        ref={svg}
        viewBox={view.join(' ')}
        role="group"
        aria-label="Graph of services. Arrow keys go from one to the next, Enter shows it."
        onPointerDown={(event) => {
          moving.current = { x: event.clientX, y: event.clientY, view }
        }}
        onPointerMove={(event) => {
          const start = moving.current
          const box = svg.current?.getBoundingClientRect()
          if (!start || !box || event.buttons === 0) return
          const per = Math.max(start.view[2] / box.width, start.view[3] / box.height)
          setView([start.view[0] - (event.clientX - start.x) * per, start.view[1] - (event.clientY - start.y) * per, start.view[2], start.view[3]])
        }}
        onPointerUp={(event) => {
          const start = moving.current
          moving.current = null
          const isStill = start && Math.abs(event.clientX - start.x) + Math.abs(event.clientY - start.y) < 4
          if (isStill && event.target === svg.current) choose(null)
        }}
      >
        <defs>
          {['good', 'failing', 'blocked', 'attacked'].map((health) => (
            <marker key={health} id={`arrow-${health}`} class={`arrow ${health}`} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">
              <path d="M0 0.5L8 4L0 7.5z" />
            </marker>
          ))}
        </defs>
        <g class="area" aria-hidden="true">
          {drawn.areas.map((area) => <rect key={area.name} x={area.x} y={area.y} width={area.width} height={area.height} rx="8" />)}
          {/* Over all of them: where two touch, neither hides the other's name. */}
          {drawn.areas.map((area) => <text key={area.name} x={area.x + 8} y={area.y + 13} font-size={letters}>{visible(area.name)}</text>)}
        </g>
        {drawn.edges.map((edge) => {
          const health = healthOf(edge)
          const isChosen = chosen && 'edge' in chosen && chosen.edge[0] === edge.source && chosen.edge[1] === edge.destination
          const touches = center !== undefined && (edge.source === center || edge.destination === center)
          const dim = (center !== undefined && !touches) || isDim(edge.source) || isDim(edge.destination)
          const path = curve(edge.from, edge.to)
          return (
            <g key={`${edge.source} ${edge.destination}`} class={`edge ${health} ${dim ? 'faint' : ''} ${isChosen ? 'chosen' : ''}`} onClick={() => choose({ edge: [edge.source, edge.destination] })}>
              {health === 'attacked' && <path class="halo" d={path} />}
              <path class="line" d={path} stroke-width={1 + Math.min(4, 0.7 * Math.log10(1 + edge.requests))} marker-end={`url(#arrow-${health})`} />
              <path class="reach" d={path}>
                <title>{`${titleOf(edge.source)} → ${titleOf(edge.destination)}: ${count(edge.requests)} requests, ${count(edge.blocked)} blocked`}</title>
              </path>
            </g>
          )
        })}
        {drawn.nodes.map((node) => (
          <g
            key={node.id}
            class={`node ${node.kind} ${node.protected === false ? 'open' : ''} ${attacked.has(node.id) && node.kind !== 'external' ? 'attacked' : ''} ${chosenNode === node.id ? 'chosen' : ''} ${(center !== undefined && center !== node.id && !neighbours.has(node.id)) || isDim(node.id) ? 'faint' : ''} mode-${node.mode ?? 'none'}`}
            transform={`translate(${node.x} ${node.y})`}
            role="button"
            tabIndex={focused === node.id ? 0 : -1}
            data-at={node.id}
            aria-label={spoken(node)}
            aria-pressed={chosenNode === node.id}
            onClick={() => choose({ node: node.id })}
            onFocus={() => setFocused(node.id)}
            onKeyDown={(event) => key(event, node)}
            onPointerEnter={() => setHovered(node.id)}
            onPointerLeave={() => setHovered(undefined)}
          >
            {node.kind === 'external'
              ? <rect class="body" x={-node.r} y={-node.r} width={2 * node.r} height={2 * node.r} rx="2" />
              : <circle class="body" r={node.r} />}
            {isNamed(node) && <text y={node.r + letters + 2} font-size={letters}>{visible(node.name || node.id)}</text>}
          </g>
        ))}
      </svg>
      <div class="zoom">
        <button type="button" aria-label="Nearer" onClick={() => zoom(1 / 1.25)}>+</button>
        <button type="button" aria-label="Farther" onClick={() => zoom(1.25)}>−</button>
        <button type="button" onClick={() => setView(drawn.box)}>Fit</button>
      </div>
    </div>
  )
}

function spoken(node: Placed): string {
  const kind = node.kind === 'external' ? 'outside of the cluster' : node.kind
  const protection = node.protected === null || node.kind === 'external' ? '' : node.protected ? `, protected, mode ${node.mode ?? 'unknown'}` : ', not protected'
  return visible(`${titleOf(node.id)}: ${kind}${protection}, ${count(node.requests)} requests`)
}

/** From rim to rim, bent a little, so that both directions can be told apart. */
function curve(from: Placed, to: Placed): string {
  const [dx, dy] = [to.x - from.x, to.y - from.y]
  const length = Math.hypot(dx, dy) || 1
  if (from === to) return `M${from.x} ${from.y - from.r} c -28 -34 28 -34 4 -2`
  const bend = Math.min(24, length * 0.12)
  const [mx, my] = [(from.x + to.x) / 2 - (dy / length) * bend, (from.y + to.y) / 2 + (dx / length) * bend]
  const rim = (node: Placed, distance: number) => {
    const [ux, uy] = [mx - node.x, my - node.y]
    const reach = Math.hypot(ux, uy) || 1
    return [node.x + (ux / reach) * distance, node.y + (uy / reach) * distance]
  }
  const [x1, y1] = rim(from, from.r + 1)
  const [x2, y2] = rim(to, to.r + 2)
  const short = (number: number | undefined) => (number ?? 0).toFixed(1)
  return `M${short(x1)} ${short(y1)} Q${short(mx)} ${short(my)} ${short(x2)} ${short(y2)}`
}
