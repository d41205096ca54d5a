// What runs: this process, its listeners, its rules, and what is not as configured.
import type { PageProps } from '../app'
import { useResource } from '../api'
import { count, span, visible } from '../format'
import { Ago, Empty, Facts, Loaded, Panel, Text, Time } from '../parts/basics'
import type { Status } from '../types'

export function Health(_: PageProps) {
  const status = useResource<Status>('status', 5000)
  return <Loaded from={status} what="the status">{(status) => <Shown status={status} />}</Loaded>
}

function Shown({ status }: { status: Status }) {
  const { last } = status.reloads
  return (
    <>
      <Panel title="Data planes">
        <table>
          <thead>
            <tr><th scope="col">Data plane</th><th scope="col">State</th><th scope="col">Version</th><th scope="col">Up for</th><th scope="col">Reloads</th><th scope="col">Last reload</th></tr>
          </thead>
          <tbody>
            <tr>
              <td>this process</td>
              <td><span class={`badge ${status.state === 'ready' ? 'good' : 'would_block'}`}>{status.state}</span></td>
              <td><Text>{status.version}</Text></td>
              <td>{span(status.uptime_seconds)}</td>
              <td>{count(status.reloads.succeeded)} done, <span class={status.reloads.failed ? 'deny' : ''}>{count(status.reloads.failed)} failed</span></td>
              <td>{last ? <><Ago at={last.at} /> in {last.seconds.toFixed(2)} s</> : <span class="dim">none</span>}</td>
            </tr>
          </tbody>
        </table>
        {last?.error && <p class="note warn"><Text>{last.error}</Text></p>}
      </Panel>
      <Panel title="Not as configured">
        {status.stale.length === 0 ? <Empty>Everything in force is what the configuration says.</Empty> : (
          <table>
            <thead><tr><th scope="col">Object</th><th scope="col">Since</th><th scope="col">Why it stays as it was</th></tr></thead>
            <tbody>
              {status.stale.map((stale) => (
                <tr key={stale.kind + stale.name}>
                  <td><Text>{`${stale.kind} ${stale.name}`}</Text></td>
                  <td><Time at={stale.since} /></td>
                  <td class="wrap">{visible(stale.error)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Panel>
      <div class="pair">
        <Panel title="Listeners">
          <table>
            <thead><tr><th scope="col">Name</th><th scope="col">Address</th></tr></thead>
            <tbody>
              {status.listeners.map((listener) => <tr key={listener.name + listener.url}><td><Text>{listener.name}</Text></td><td class="mono"><Text>{listener.url}</Text></td></tr>)}
            </tbody>
          </table>
        </Panel>
        <Panel title="Rule sets">
          {status.rule_sets.length === 0 ? <Empty>No rules are loaded: the built-in detector alone protects.</Empty> : (
            <table>
              <thead><tr><th scope="col">Name</th><th scope="col" class="number">Rules</th><th scope="col">Loaded</th></tr></thead>
              <tbody>
                {status.rule_sets.map((set) => <tr key={set.name}><td><Text>{set.name}</Text></td><td class="number">{count(set.rules)}</td><td><Time at={set.loaded_at} /></td></tr>)}
              </tbody>
            </table>
          )}
        </Panel>
      </div>
      <Panel title="Elsewhere">
        <Facts
          of={[
            ['Numbers for Prometheus', <a href="/metrics">/metrics</a>],
            ['The API, described', <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>],
            ['Licences of what this page is made of', <a href="/licences.txt">/licences.txt</a>],
          ]}
        />
      </Panel>
    </>
  )
}
