// Who asks whom, how that goes, and where attacks go: as a picture and as a table of the same.
import { useMemo, useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { query, useResource } from '../api'
import { count, modeWord, plural, share, visible } from '../format'
import { healthOf, WORDS } from '../graph/health'
import { layout, namespaceOf, titleOf } from '../graph/layout'
import { type Chosen, Picture } from '../graph/picture'
import { Empty, Facts, Loaded, Mode, Panel } from '../parts/basics'
import { go, href, withQuery } from '../router'
import type { Graph, GraphEdge, GraphNode } from '../types'

export function GraphPage(props: PageProps) {
  const graph = useResource<Graph>(`graph${query({ window: props.window })}`, 10_000)
  return (
    <Loaded from={graph} what="the graph" isEmpty={({ nodes }) => nodes.length === 0} empty="Nobody asked anybody in this window.">
      {(graph) => <Shown graph={graph} {...props} />}
    </Loaded>
  )
}

function Shown({ graph, place, window }: { graph: Graph } & PageProps) {
  const [chosen, choose] = useState<Chosen>(null)
  const [attackedOnly, setAttackedOnly] = useState(false)
  const namespace = place.query.get('namespace') ?? ''
  const q = place.query.get('q') ?? ''
  const isTable = place.query.get('view') === 'table'
  const seen = useMemo(() => narrowed(graph, namespace, attackedOnly), [graph, namespace, attackedOnly])
  const found = q ? new Set(seen.nodes.filter((node) => node.id.toLowerCase().includes(q.toLowerCase())).map((node) => node.id)) : null
  // Places depend on who is there and who asks whom, not on how often: they stay while only numbers change.
  const shape = `${seen.nodes.map((node) => node.id).join()}|${seen.edges.map((edge) => edge.source + edge.destination).join()}`
  const placed = useMemo(() => layout(seen), [shape])
  const drawn = useMemo(() => {
    const edges = new Map(seen.edges.map((edge) => [`${edge.source} ${edge.destination}`, edge]))
    const nodes = new Map(seen.nodes.map((node) => [node.id, node]))
    return {
      ...placed,
      nodes: placed.nodes.map((node) => ({ ...node, ...nodes.get(node.id) })),
      edges: placed.edges.map((edge) => ({ ...edge, ...edges.get(`${edge.source} ${edge.destination}`) })),
    }
  }, [placed, seen])
  const namespaces = [...new Set(graph.nodes.map(namespaceOf).filter((name) => name !== undefined))].sort()
  return (
    <>
      <div class="bar">
        <div class="segments" role="group" aria-label="View">
          {['picture', 'table'].map((view) => (
            <button key={view} type="button" aria-pressed={isTable === (view === 'table')} onClick={() => go(withQuery(place, { view: view === 'table' ? view : '' }), true)}>{view}</button>
          ))}
        </div>
        <label class="quiet">
          <span>Namespace</span>
          <select value={namespace} onChange={(change) => go(withQuery(place, { namespace: change.currentTarget.value }), true)}>
            <option value="">all</option>
            {namespaces.map((name) => <option key={name} value={name}>{visible(name)}</option>)}
          </select>
        </label>
        <label class="quiet"><span>Find</span><input value={q} spellcheck={false} onInput={(input) => go(withQuery(place, { q: input.currentTarget.value }), true)} /></label>
        <label class="check"><input type="checkbox" checked={attackedOnly} onChange={(change) => setAttackedOnly(change.currentTarget.checked)} /> attacked only</label>
        <span class="spring" />
        <span class="dim">{plural(seen.nodes.length, 'node')}, {plural(seen.edges.length, 'flow')}</span>
      </div>
      {isTable ? <Table graph={seen} found={found} window={window} /> : (
        <div class="graph">
          <Panel>
            <Picture drawn={drawn} chosen={chosen} choose={choose} found={found} />
            <ul class="legend">
              {(['good', 'failing', 'blocked', 'attacked'] as const).map((health) => <li key={health}><span class={`swatch ${health}`} />{WORDS[health]}</li>)}
              <li><span class="swatch node-block" />block</li>
              <li><span class="swatch node-watch" />watching</li>
              <li><span class="swatch node-open" />not protected</li>
            </ul>
          </Panel>
          <Panel title="Details" class="details">
            <Details graph={seen} chosen={chosen} choose={choose} window={window} />
          </Panel>
        </div>
      )}
    </>
  )
}

function narrowed(graph: Graph, namespace: string, attackedOnly: boolean): Graph {
  if (!namespace && !attackedOnly) return graph
  const of = new Map(graph.nodes.map((node) => [node.id, node.namespace]))
  const edges = graph.edges.filter((edge) =>
    (!namespace || of.get(edge.source) === namespace || of.get(edge.destination) === namespace) && (!attackedOnly || edge.attacks.length > 0))
  const ends = new Set(edges.flatMap((edge) => [edge.source, edge.destination]))
  const isIn = (node: GraphNode) => ends.has(node.id) || (!attackedOnly && node.namespace === namespace)
  return { nodes: graph.nodes.filter(isIn), edges }
}

function Details({ graph, chosen, choose, window }: { graph: Graph; chosen: Chosen; choose: (chosen: Chosen) => void; window: string }) {
  if (!chosen) return <Empty>Choose a node or a flow. Arrow keys go from node to node, Enter chooses, Escape lets go.</Empty>
  if ('edge' in chosen) {
    const edge = graph.edges.find((edge) => edge.source === chosen.edge[0] && edge.destination === chosen.edge[1])
    return edge ? <Flow edge={edge} window={window} /> : <Empty>This flow is not in the window any more.</Empty>
  }
  const node = graph.nodes.find((node) => node.id === chosen.node)
  if (!node) return <Empty>This node is not in the window any more.</Empty>
  const incoming = graph.edges.filter((edge) => edge.destination === node.id)
  const outgoing = graph.edges.filter((edge) => edge.source === node.id)
  return (
    <>
      <h3>{visible(titleOf(node.id))}</h3>
      <Facts
        of={[
          ['Kind', node.kind],
          ['Protection', node.kind === 'external' ? '' : node.protected === null ? 'unknown' : node.protected ? <Mode mode={node.mode ?? 'block'} /> : <span class="would_block">not protected</span>],
          ['Events', node.kind === 'external' ? '' : <a href={href(['events'], { service: node.name, window })}>of this service</a>],
        ]}
      />
      <Flows title="Asked by" edges={incoming} end="source" choose={choose} />
      <Flows title="Asks" edges={outgoing} end="destination" choose={choose} />
    </>
  )
}

function Flows({ title, edges, end, choose }: { title: string; edges: GraphEdge[]; end: 'source' | 'destination'; choose: (chosen: Chosen) => void }) {
  if (edges.length === 0) return null
  const sorted = [...edges].sort((one, other) => other.requests - one.requests)
  return (
    <table>
      <caption>{title}</caption>
      <thead><tr><th scope="col">{end === 'source' ? 'From' : 'To'}</th><th scope="col" class="number">Requests</th><th scope="col" class="number">Blocked</th></tr></thead>
      <tbody>
        {sorted.map((edge) => (
          <tr key={edge[end]}>
            <td><button type="button" class="link" onClick={() => choose({ edge: [edge.source, edge.destination] })}>{visible(titleOf(edge[end]))}</button></td>
            <td class="number">{count(edge.requests)}</td>
            <td class={`number ${edge.blocked ? 'deny' : 'dim'}`}>{count(edge.blocked)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Flow({ edge, window }: { edge: GraphEdge; window: string }) {
  const health = healthOf(edge)
  return (
    <>
      <h3>{visible(titleOf(edge.source))} → {visible(titleOf(edge.destination))}</h3>
      <Facts
        of={[
          ['Health', <span class={health === 'good' ? '' : health === 'failing' ? 'would_block' : 'deny'}>{WORDS[health]}</span>],
          ['Requests', count(edge.requests)],
          ['Blocked', `${count(edge.blocked)} (${share(edge.blocked, edge.requests)})`],
          ['Would block', count(edge.would_block)],
          ['Errors', `${count(edge.errors)} (${share(edge.errors, edge.requests)})`],
          ['Events', <a href={href(['events'], { service: edge.destination.split('/').at(-1), window })}>of who is asked</a>],
        ]}
      />
      {edge.attacks.length > 0 && (
        <table>
          <caption>Attacks</caption>
          <thead><tr><th scope="col">Attack</th><th scope="col" class="number">Requests</th></tr></thead>
          <tbody>{edge.attacks.map((attack) => <tr key={attack.key}><td>{visible(attack.key)}</td><td class="number">{count(attack.count)}</td></tr>)}</tbody>
        </table>
      )}
    </>
  )
}

function Table({ graph, found, window }: { graph: Graph; found: Set<string> | null; window: string }) {
  const modes = new Map(graph.nodes.map((node) => [node.id, node]))
  const edges = graph.edges
    .filter((edge) => !found || found.has(edge.source) || found.has(edge.destination))
    .sort((one, other) => other.attacks.length - one.attacks.length || other.blocked - one.blocked || other.requests - one.requests)
  return (
    <Panel>
      {edges.length === 0 ? <Empty>No flow is like this.</Empty> : (
        <div class="scroll" tabIndex={0} role="region" aria-label="Flows">
          <table>
            <thead>
              <tr><th scope="col">From</th><th scope="col">To</th><th scope="col">Protection</th><th scope="col">Health</th><th scope="col" class="number">Requests</th><th scope="col" class="number">Blocked</th><th scope="col" class="number">Would block</th><th scope="col" class="number">Errors</th><th scope="col">Attacks</th></tr>
            </thead>
            <tbody>
              {edges.map((edge) => {
                const to = modes.get(edge.destination)
                const health = healthOf(edge)
                return (
                  <tr key={`${edge.source} ${edge.destination}`}>
                    <td>{visible(titleOf(edge.source))}</td>
                    <td><a href={href(['events'], { service: to?.name ?? edge.destination, window })}>{visible(titleOf(edge.destination))}</a></td>
                    <td>{to?.protected === false ? <span class="would_block">not protected</span> : to?.mode ? modeWord(to.mode) : <span class="dim">unknown</span>}</td>
                    <td class={health === 'good' ? 'dim' : health === 'failing' ? 'would_block' : 'deny'}>{WORDS[health]}</td>
                    <td class="number">{count(edge.requests)}</td>
                    <td class={`number ${edge.blocked ? 'deny' : 'dim'}`}>{count(edge.blocked)}</td>
                    <td class={`number ${edge.would_block ? 'would_block' : 'dim'}`}>{count(edge.would_block)}</td>
                    <td class="number">{count(edge.errors)}</td>
                    <td class="wrap">{edge.attacks.map((attack) => `${visible(attack.key)} ${count(attack.count)}`).join(', ')}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  )
}
