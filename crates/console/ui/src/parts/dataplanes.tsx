// Data planes as a table: who is there, what each has in force, and what waits at it.
import { bytes, count, plural, visible } from '../format'
import { href } from '../router'
import type { Dataplane } from '../types'
import { Ago, Empty, Mode, Text } from './basics'

export function Dataplanes({ of }: { of: Dataplane[] }) {
  if (of.length === 0) return <Empty>No data plane has come here since this console started. Theirs is <code>events.collector</code> in the configuration.</Empty>
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Data planes">
      <table class="dataplanes">
        <thead>
          <tr>
            <th scope="col">Data plane</th>
            <th scope="col">Health</th>
            <th scope="col">Version</th>
            <th scope="col">Configuration</th>
            <th scope="col">Rules</th>
            <th scope="col">Services</th>
            <th scope="col">Last seen</th>
            <th scope="col">Waiting there</th>
            <th scope="col">Came here</th>
          </tr>
        </thead>
        <tbody>{of.map((dataplane) => <Row key={dataplane.name + dataplane.instance} of={dataplane} />)}</tbody>
      </table>
    </div>
  )
}

const NAMED_MAX = 4

function Row({ of }: { of: Dataplane }) {
  const { spool, received } = of
  return (
    <tr data-name={of.name}>
      <th scope="row">
        {of.address === null ? <Text>{of.name}</Text> : <a href={href(['events'], { dataplane: of.name })}>{visible(of.name)}</a>}
        <div class="sub">{of.address === null ? 'this process' : <Text>{of.address}</Text>}</div>
      </th>
      <td class="wrap">
        <span class={`badge ${HEALTH[of.state] ?? 'would_block'}`}>{visible(of.state || 'says nothing yet')}</span>
        {of.problem && <div class="sub warn">{visible(of.problem)}</div>}
        {of.stale.length > 0 && <div class="sub warn">{plural(of.stale.length, 'object')} not as configured</div>}
      </td>
      <td class="wrap"><Text>{of.version}</Text></td>
      <td><Digest of={of.revision} /></td>
      <td>
        {of.rule_sets.length === 0 ? <span class="dim">none</span> : of.rule_sets.slice(0, NAMED_MAX).map((rules) => (
          <div key={rules.name}><Text>{rules.name}</Text> <span class="dim">{count(rules.rules)}</span> <Digest of={rules.digest} /></div>
        ))}
        <More of={of.rule_sets} />
      </td>
      <td>
        {of.services.slice(0, NAMED_MAX).map((service) => <div key={service.name}><Text>{service.name}</Text> <Mode mode={service.mode} /></div>)}
        <More of={of.services} />
      </td>
      <td><Ago at={of.last_seen} /></td>
      <td>
        {spool.bytes > 0 ? bytes(spool.bytes) : <span class="dim">nothing</span>}
        {spool.dropped > 0 && <div class="sub deny">{plural(spool.dropped, 'record')} lost</div>}
      </td>
      <td>
        {of.address === null ? <span class="dim">–</span> : plural(received.records, 'record')}
        {received.latest && <div class="sub">latest <Ago at={received.latest} /></div>}
        {received.refused > 0 && <div class="sub deny">{count(received.refused)} refused</div>}
      </td>
    </tr>
  )
}

const HEALTH: Record<string, string> = { ready: 'good', gone: 'deny' }

/** The same at two data planes, the same configuration, or the same rules. */
function Digest({ of }: { of: string }) {
  return of ? <code title={visible(of)}>{visible(of.slice(0, 8))}</code> : <span class="dim">–</span>
}

function More({ of }: { of: { name: string }[] }) {
  if (of.length <= NAMED_MAX) return null
  const rest = of.slice(NAMED_MAX)
  return <div class="sub" title={visible(rest.map(({ name }) => name).join(', '))}>and {count(rest.length)} more</div>
}
