// Where nodes stand: namespaces apart from each other, services of one together, callers near whom they call.
//
// Two simulations, run to their end before anything is drawn, so that nothing moves under the reader's eyes: one of
// namespaces as wholes, one of nodes drawn to the place of theirs. Both start from the same places every time.
import { forceCollide, forceLink, forceManyBody, forceSimulation, forceX, forceY, type SimulationNodeDatum } from 'd3-force'
import type { Graph, GraphEdge, GraphNode } from '../types'

export interface Placed extends GraphNode {
  x: number
  y: number
  r: number
  requests: number
}

export interface Area {
  name: string
  x: number
  y: number
  width: number
  height: number
}

export interface Drawn {
  nodes: Placed[]
  edges: (GraphEdge & { from: Placed; to: Placed })[]
  areas: Area[]
  /** What all of it covers: x, y, width, height. */
  box: [number, number, number, number]
}

const TICKS = 300
/** Room for a node with its name. */
const CELL = 44

/** The namespace of a node; none where its workload is not known, for which ids have a `-`. */
export function namespaceOf(node: GraphNode): string | undefined {
  return node.namespace && node.namespace !== '-' ? node.namespace : undefined
}

/** How a node is called. */
export function titleOf(id: string): string {
  return id.replace(/^-\//, '')
}

export function layout(graph: Graph): Drawn {
  const requests = new Map<string, number>()
  for (const edge of graph.edges) {
    for (const id of [edge.source, edge.destination]) requests.set(id, (requests.get(id) ?? 0) + edge.requests)
  }
  const groups = new Map<string, GraphNode[]>()
  for (const node of graph.nodes) {
    const group = groupOf(node)
    const members = groups.get(group)
    if (members) members.push(node)
    else groups.set(group, [node])
  }
  const centers = placeGroups(graph, groups)
  const nodes = graph.nodes.map((node) => {
    const sum = requests.get(node.id) ?? 0
    return { ...node, x: NaN, y: NaN, r: 7 + Math.min(9, 1.6 * Math.log10(1 + sum)), requests: sum }
  })
  // From a spiral around the group's place: without numbers d3 would start all from one.
  const seen = new Map<string, number>()
  for (const node of nodes) {
    const group = groupOf(node)
    const number = seen.get(group) ?? 0
    seen.set(group, number + 1)
    const center = centers.get(group)!
    node.x = center.x + 18 * Math.sqrt(number + 0.5) * Math.cos(2.4 * number)
    node.y = center.y + 18 * Math.sqrt(number + 0.5) * Math.sin(2.4 * number)
  }
  const known = new Map(nodes.map((node) => [node.id, node]))
  // Flows within a namespace alone: those to others would pull it apart.
  const isWithin = (edge: GraphEdge) => {
    const [from, to] = [known.get(edge.source), known.get(edge.destination)]
    return from && to && from !== to && groupOf(from) === groupOf(to)
  }
  const links = graph.edges
    .filter(isWithin)
    .map((edge) => ({ source: edge.source, target: edge.destination }))
  forceSimulation(nodes as (Placed & SimulationNodeDatum)[])
    .force('charge', forceManyBody().strength(-70).distanceMax(110))
    .force('link', forceLink<Placed, { source: string; target: string }>(links).id((node) => node.id).distance(70).strength(0.03))
    .force('collide', forceCollide<Placed>((node) => node.r + 22))
    .force('x', forceX<Placed>((node) => centers.get(groupOf(node))!.x).strength(0.16))
    .force('y', forceY<Placed>((node) => centers.get(groupOf(node))!.y).strength(0.2))
    .stop()
    .tick(TICKS)
  const edges = graph.edges.flatMap((edge) => {
    const [from, to] = [known.get(edge.source), known.get(edge.destination)]
    return from && to ? [{ ...edge, from, to }] : []
  })
  const areas = areasOf(nodes)
  return { nodes, edges, areas, box: around(nodes, areas, true) }
}

function groupOf(node: GraphNode): string {
  return node.kind === 'external' ? ' external' : namespaceOf(node) ?? ''
}

/** Places of namespaces: those that call each other near each other, none over another. */
function placeGroups(graph: Graph, groups: Map<string, GraphNode[]>): Map<string, { x: number; y: number }> {
  const of = new Map(graph.nodes.map((node) => [node.id, groupOf(node)]))
  const names = [...groups.keys()].sort()
  type Body = SimulationNodeDatum & { name: string; r: number }
  const bodies: Body[] = names.map((name) => ({ name, r: 30 + 0.62 * CELL * Math.sqrt(groups.get(name)!.length) }))
  const pairs = new Map<string, { source: string; target: string }>()
  for (const edge of graph.edges) {
    const [source, target] = [of.get(edge.source), of.get(edge.destination)]
    if (source !== undefined && target !== undefined && source !== target) pairs.set(`${source}\n${target}`, { source, target })
  }
  const simulation = forceSimulation(bodies)
    .force('link', forceLink<Body, { source: string; target: string }>([...pairs.values()]).id((body) => body.name).distance(220).strength(0.05))
    .force('charge', forceManyBody().strength(-400))
    .force('collide', forceCollide<Body>((body) => body.r * 1.6).iterations(6))
    .force('x', forceX(0).strength(0.05))
    .force('y', forceY(0).strength(0.09))
    .stop()
  simulation.tick(TICKS)
  return new Map(simulation.nodes().map((body) => [body.name, { x: body.x ?? 0, y: body.y ?? 0 }]))
}

function areasOf(nodes: Placed[]): Area[] {
  const areas = new Map<string, Placed[]>()
  for (const node of nodes.filter((node) => namespaceOf(node) && node.kind !== 'external')) {
    const members = areas.get(namespaceOf(node)!) ?? []
    members.push(node)
    areas.set(namespaceOf(node)!, members)
  }
  return [...areas].map(([name, members]) => {
    const [x, y, width, height] = around(members)
    return { name, x: x - 6, y: y - 12, width: width + 12, height: height + 16 }
  })
}

function around(nodes: Placed[], areas: Area[] = [], isWhole = false): [number, number, number, number] {
  if (nodes.length === 0) return [0, 0, 100, 100]
  const left = Math.min(...nodes.map((node) => node.x - 40), ...areas.map((area) => area.x))
  const top = Math.min(...nodes.map((node) => node.y - node.r - 12), ...areas.map((area) => area.y))
  const right = Math.max(...nodes.map((node) => node.x + 40), ...areas.map((area) => area.x + area.width))
  const bottom = Math.max(...nodes.map((node) => node.y + node.r + 24), ...areas.map((area) => area.y + area.height))
  // A few nodes are not drawn larger than their names.
  const [width, height] = [Math.max(right - left, 720), Math.max(bottom - top, 420)]
  return !isWhole ? [left, top, right - left, bottom - top] : [(left + right - width) / 2, (top + bottom - height) / 2, width, height]
}
