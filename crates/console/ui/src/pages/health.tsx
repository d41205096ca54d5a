// What runs: data planes, this process, its listeners, its rules, and what is not as configured.
import type { PageProps } from '../app'
import { useResource } from '../api'
import { count, span, visible } from '../format'
import { Ago, Empty, Facts, Loaded, Panel, Text, Time } from '../parts/basics'
import { Dataplanes } from '../parts/dataplanes'
import type { Dataplane, Page, Status } from '../types'

export function Health(_: PageProps) {
  const status = useResource<Status>('status', 5000)
  const planes = useResource<Page<Dataplane>>('dataplanes', 5000)
  return (
    <Loaded from={status} what="the status">
      {(status) => <Loaded from={planes} what="data planes">{(planes) => <Shown status={status} planes={planes.items} />}</Loaded>}
    </Loaded>
  )
}

function Shown({ status, planes }: { status: Status; planes: Dataplane[] }) {
  const { last } = status.reloads
  return (
    <>
      <Panel title="Data planes" aside={status.collects && <There of={planes} />}><Dataplanes of={planes} /></Panel>
      <NotAsConfigured status={status} planes={planes} />
      <div class="pair">
        <Panel title="Listeners">
          <table>
            <thead><tr><th scope="col">Name</th><th scope="col">Address</th></tr></thead>
            <tbody>
              {status.listeners.map((listener) => <tr key={listener.name + listener.url}><td><Text>{listener.name}</Text></td><td class="mono"><Text>{listener.url}</Text></td></tr>)}
            </tbody>
          </table>
        </Panel>
        <Panel title="This process">
          <Facts
            of={[
              ['State', <span class={`badge ${status.state === 'ready' ? 'good' : 'would_block'}`}>{status.state}</span>],
              ['Version', status.version],
              ['Up for', span(status.uptime_seconds)],
              ['Reloads', !status.collects && <>{count(status.reloads.succeeded)} done, <span class={status.reloads.failed ? 'deny' : ''}>{count(status.reloads.failed)} failed</span></>],
              ['Last reload', last && <><Ago at={last.at} /> in {last.seconds.toFixed(2)} s</>],
            ]}
          />
          {status.problems.map((problem) => <p class="note warn" key={problem}>{visible(problem)}</p>)}
          {last?.error && <p class="note warn"><Text>{last.error}</Text></p>}
        </Panel>
      </div>
      {!status.collects && (
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
      )}
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

/** How many are there, of those that are known. */
function There({ of }: { of: Dataplane[] }) {
  const there = of.filter((plane) => plane.state !== 'gone').length
  return <span class={there < of.length ? 'warn' : 'dim'}>{count(there)} of {count(of.length)} there</span>
}

function NotAsConfigured({ status, planes }: { status: Status; planes: Dataplane[] }) {
  // Of this process it is known since when.
  const own = status.stale.map(({ kind, name, since, error }) => ({ plane: 'this process', what: `${kind} ${name}: ${error}`, since }))
  const others = planes.filter((plane) => plane.address !== null)
  const stale = [...own, ...others.flatMap(({ name, stale }) => stale.map((what) => ({ plane: name, what, since: null })))]
  return (
    <Panel title="Not as configured">
      {stale.length === 0 ? <Empty>Everything in force is what the configuration says.</Empty> : (
        <table>
          <thead><tr><th scope="col">Data plane</th><th scope="col">Since</th><th scope="col">What stays as it was, and why</th></tr></thead>
          <tbody>
            {stale.map(({ plane, what, since }, number) => (
              <tr key={number}>
                <td><Text>{plane}</Text></td>
                <td>{since ? <Time at={since} /> : <span class="dim">–</span>}</td>
                <td class="wrap">{visible(what)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  )
}
