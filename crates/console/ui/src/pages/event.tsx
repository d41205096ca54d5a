// One event, explained: what was sent, what was seen where and how, what it added up to, and how to allow exactly this.
import type { PageProps } from '../app'
import { useResource } from '../api'
import { eventOf } from '../event/shape'
import { bytes, duration, modeWord, severityWord, visible } from '../format'
import { ActionBadge, Copy, Empty, Facts, Loaded, Mode, Panel, Share, Text, Time } from '../parts/basics'
import { href } from '../router'
import { Apply } from '../parts/exceptions'
import type { Allowance, Event, PolicyHit } from '../types'
import { diff } from '../event/exception'
import { inModes } from '../event/modes'
import { offences, type Offence, pieces } from '../event/points'
import { addsUp, reasonOf, sourceOf } from '../event/words'

export function EventPage({ place, operates }: PageProps) {
  const path = `events/${encodeURIComponent(place.path[1] ?? '')}`
  const event = useResource<Event>(path, 0, eventOf)
  const found = useResource<Allowance>(`${path}/allowance`)
  return (
    <Loaded from={event} what="the event">
      {(event) => <Loaded from={found} what="what was seen">{(found) => <Explained event={event} found={found} operates={operates} />}</Loaded>}
    </Loaded>
  )
}

function Explained({ event, found, operates }: { event: Event; found: Allowance; operates: boolean }) {
  const seen = offences(event, found.points)
  return (
    <article class="event">
      <Headline event={event} />
      <div class="pair wide-left">
        <div>
          <Request event={event} seen={seen} />
          <Seen event={event} seen={seen} />
          {event.policy && <PolicyPanel event={event} />}
        </div>
        <div>
          <Modes event={event} />
          <Scores event={event} />
          <Allow event={event} found={found} operates={operates} />
          <Exchange event={event} operates={operates} />
        </div>
      </div>
    </article>
  )
}

function Headline({ event }: { event: Event }) {
  return (
    <div class={`headline ${event.action}`}>
      <p>
        <ActionBadge action={event.action} /> <strong><Text>{reasonOf(event)}</Text></strong>
      </p>
      <p class="dim">
        <Time at={event['@timestamp']} /> · <Text>{event.service}</Text> · {event.mode && <>mode {modeWord(event.mode)} · </>}
        from <Text>{sourceOf(event)}</Text> · <Text>{event.msg}</Text>
      </p>
    </div>
  )
}

function Request({ event, seen }: { event: Event; seen: Offence[] }) {
  const points = new Set(seen.map((offence) => offence.point).filter((point) => point !== null))
  const elsewhere = [...points].filter((point) => !/^(query|query-name|path)(:|$)/.test(point))
  const headers: [string, string, string | undefined][] = [
    ['host', 'Host', event.authority],
    ['user-agent', 'User-Agent', event.user_agent],
  ]
  return (
    <Panel title="Request" aside={<a href={href(['try'], { event: event.id })}>Try it again</a>}>
      <pre class="request">
        <span class="method">{visible(event.method ?? '')} </span>
        {pieces(event, points).map((piece, number) =>
          piece.point ? <mark key={number} title={piece.point}>{visible(piece.text)}</mark> : <span key={number}>{visible(piece.text)}</span>,
        )}
        <span class="dim"> {visible(event.protocol ?? '')}</span>
        {headers.map(([name, shown, value]) => value !== undefined && (
          <span key={name}>
            {'\n'}
            <span class="dim">{shown}: </span>
            {points.has(`header:${name}`) ? <mark title={`header:${name}`}>{visible(value)}</mark> : visible(value)}
          </span>
        ))}
        {elsewhere.filter((point) => !headers.some(([name]) => point === `header:${name}`)).map((point) => (
          <span key={point}>{'\n'}<span class="dim">… </span><mark>{visible(point)}</mark></span>
        ))}
      </pre>
      <p class="note">Secrets are masked, and bodies are not kept: what was seen in them stands below.</p>
    </Panel>
  )
}

function Seen({ event, seen }: { event: Event; seen: Offence[] }) {
  const adding = (event.rules ?? []).filter(addsUp)
  return (
    <Panel title="What was seen">
      {seen.length === 0 && <Empty>Neither rules nor the detector said anything about it.</Empty>}
      {seen.map((offence) => (
        <section class="offence" key={offence.point}>
          <h3>{offence.point === null ? 'The request as a whole' : <mark>{visible(offence.point)}</mark>}</h3>
          {offence.findings.map((finding, number) => (
            <div class="finding" key={number}>
              <p>
                <strong><Text>{finding.attack}</Text></strong>{' '}
                <span class="dim">
                  by the detector <Text>{finding.detector}</Text>, {finding.confidence} % sure
                  {finding.disruptive && ', this decided'}
                </span>
              </p>
              <ol class="decoding" aria-label="How it was decoded">
                <li>as sent</li>
                {(finding.decode_path ?? '').split(', ').filter(Boolean).map((step, at) => <li key={at}>{visible(step)}</li>)}
                <li class="result"><code>{visible(finding.excerpt ?? '')}</code></li>
              </ol>
              <p><Text>{finding.why}</Text></p>
            </div>
          ))}
          {offence.rules.length > 0 && (
            <table class="rules">
              <thead>
                <tr><th scope="col">Rule</th><th scope="col">What it says</th><th scope="col">Severity</th><th scope="col">Saw</th></tr>
              </thead>
              <tbody>
                {offence.rules.map((rule, number) => (
                  <tr key={number}>
                    <td>
                      <a href={href(['rules'], { q: rule.id })} title={visible(`${rule.file ?? ''}:${rule.line ?? ''}`)}><Text>{rule.id}</Text></a>
                      {rule.disruptive && <span class="dim"> decided</span>}
                    </td>
                    <td><Text>{rule.message}</Text><span class="tags">{(rule.tags ?? []).filter((tag) => /paranoia|attack-/.test(tag)).map((tag) => <span key={tag}>{visible(tag)}</span>)}</span></td>
                    <td>{visible(severityWord(rule.severity))}</td>
                    <td><code>{visible(rule.data || rule.target || '')}</code></td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
      ))}
      {adding.length > 0 && (
        <p class="note">
          Added up by {adding.map((rule) => `rule ${rule.id ?? ''} (${rule.message ?? ''})`).map(visible).join('; ')}.
        </p>
      )}
      {(event.shortfalls ?? []).map((shortfall) => <p class="note" key={shortfall}>Not looked at: {visible(shortfall)}</p>)}
    </Panel>
  )
}

function Modes({ event }: { event: Event }) {
  return (
    <Panel title="What each mode would have done">
      <table class="modes">
        <thead><tr><th scope="col">Mode</th><th scope="col">Action</th><th scope="col">Because</th></tr></thead>
        <tbody>
          {inModes(event).map(({ mode, action, why }) => (
            <tr key={mode} class={mode === event.mode ? 'current' : ''}>
              <td><Mode mode={mode} />{mode === event.mode && <span class="dim"> in force</span>}</td>
              <td><ActionBadge action={action} /></td>
              <td class="dim">{visible(why)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}

function Scores({ event }: { event: Event }) {
  const scores = Object.entries(event.scores ?? {}).sort(([one], [other]) => one.localeCompare(other))
  if (scores.length === 0) return null
  const most = Math.max(...scores.map(([, score]) => score))
  return (
    <Panel title="Scores">
      <table class="ranking">
        <thead><tr><th scope="col">Score</th><th scope="col" class="number">Value</th></tr></thead>
        <tbody>
          {scores.map(([name, score]) => (
            <tr key={name}>
              <td><Share of={score / most} /><span>{visible(name.replaceAll('_', ' '))}</span></td>
              <td class="number">{score}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  )
}

function Allow({ event, found, operates }: { event: Event; found: Allowance; operates: boolean }) {
  if (found.exceptions.length === 0) {
    if (event.kind !== 'waf') return null
    return <Panel title="Allow exactly this"><Empty>No exception lets this pass: {visible(found.why_not ?? 'nothing was seen')}.</Empty></Panel>
  }
  const lines = diff(event.service ?? '', found.exceptions)
  const added = lines.filter((line) => line.sign === '+').map((line) => line.text).join('\n')
  return (
    <Panel title="Allow exactly this" aside={<Copy text={`${added}\n`}>Copy the lines</Copy>}>
      <pre class="diff" aria-label="Change of the configuration file">
        {lines.map((line, number) => <span key={number} class={line.sign === '+' ? 'added' : ''}>{`${line.sign} ${visible(line.text)}\n`}</span>)}
      </pre>
      <p class="note">
        Excepts these rules and attacks at this place below this path, for this service{event.dataplane !== undefined && ', at all data planes that have it'}. Apply
        it here, and the next request is decided by it, also after a restart, until it is taken back; or add the lines to the configuration file, which is in force moments
        after it is saved. Where the service has exceptions there, add to them.
      </p>
      {found.broad.length > 0 && (
        <p class="note warn">
          Rule {found.broad.join(', ')} looked at the request as a whole: below this path it is off entirely. Rule exceptions in
          SecLang can be narrower.
        </p>
      )}
      {operates && event.service && <Apply service={event.service} exceptions={found.exceptions} event={event.id} />}
      {event.service && <p class="note"><a href={href(['tuning'], { service: event.service })}>Exceptions of this service, and others that it may need</a></p>}
    </Panel>
  )
}

function PolicyPanel({ event }: { event: Event }) {
  const policy = event.policy
  if (!policy) return null
  return (
    <Panel title="Policy">
      <p><span class={`badge ${policy.verdict === 'deny' ? 'deny' : 'pass'}`}>{visible(policy.verdict ?? '')}</span> <Text>{policy.reason}</Text></p>
      <Trace hits={policy.enforced ?? []} title="In force" />
      {policy.pending_verdict && (
        <p><span class="badge would_block">staged: {visible(policy.pending_verdict)}</span> <Text>{policy.pending_reason}</Text></p>
      )}
      {policy.pending && <Trace hits={policy.pending} title="If staged policies were in force" />}
      {policy.nearest && <p class="note">Nearest to allowing it: {visible(policy.nearest)}</p>}
    </Panel>
  )
}

function Trace({ hits, title }: { hits: PolicyHit[]; title: string }) {
  if (hits.length === 0) return null
  return (
    <table>
      <caption>{title}</caption>
      <thead><tr><th scope="col" class="number">Stop</th><th scope="col">Tier</th><th scope="col">Policy</th><th scope="col" class="number">Rule</th><th scope="col">Did</th></tr></thead>
      <tbody>
        {hits.map((hit, number) => (
          <tr key={number}>
            <td class="number">{(hit.policy_index ?? number) + 1}</td>
            <td><Text>{hit.tier}</Text></td>
            <td><Text>{[hit.kind, [hit.namespace, hit.name].filter(Boolean).join('/')].filter(Boolean).join(' ')}</Text></td>
            <td class="number">{hit.rule_index === undefined ? <span class="dim">end</span> : hit.rule_index}</td>
            <td><Text>{hit.action}</Text></td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Exchange({ event, operates }: { event: Event; operates: boolean }) {
  const { source, destination, tls } = event
  const workload = (end: typeof source) => [end?.namespace, end?.name].filter(Boolean).join('/')
  const seen = (all?: number, inspected?: number) => all === undefined ? '' : `${bytes(all)}${inspected !== undefined ? `, ${bytes(inspected)} inspected` : ''}`
  return (
    <Panel title="Exchange" aside={operates && source?.ip ? <a href={href(['lists'], { list: 'deny', address: source.ip })}>Deny this source</a> : undefined}>
      <Facts
        of={[
          ['Status', event.status === undefined ? '' : `${event.status} by ${event.answered_by ?? '?'}`],
          ['Source', [source?.ip, source?.country].filter(Boolean).join(' ')],
          ['Source workload', workload(source)],
          ['Identity', source?.spiffe_id],
          ['Connection from', source?.peer_ip],
          ['Destination', destination?.hostname],
          ['Workload', workload(destination)],
          ['Upstream', destination?.upstream],
          ['Listener', event.listener],
          ['Data plane', event.dataplane],
          ['Host', event.host],
          ['Request body', seen(event.request_bytes, event.request_bytes_inspected)],
          ['Answer body', seen(event.response_bytes)],
          ['Took', event.duration_us === undefined ? '' : duration(event.duration_us)],
          ['TLS', tls ? [tls.version, tls.cipher, tls.sni].filter(Boolean).join(' ') : ''],
          ['Request id', event.request_id && <code>{visible(event.request_id)}</code>],
          ["Client's request id", event.client_request_id],
          ['Trace', event.trace_id && <code>{visible(event.trace_id)}</code>],
          ['Event', <code>{event.id}</code>],
        ]}
      />
      <p class="note"><Copy text={JSON.stringify(event, null, 2)}>Copy as JSON</Copy></p>
    </Panel>
  )
}
