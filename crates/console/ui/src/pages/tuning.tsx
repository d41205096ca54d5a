// Before blocking: what a service stopped or would have, by what it would take to let it pass, and how safe blocking would be.
import { useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { query, useResource } from '../api'
import { count, plural, share, visible } from '../format'
import { flow } from '../event/exception'
import { Copy, Empty, Facts, Loaded, Panel, Text, Time } from '../parts/basics'
import { useService } from '../parts/choose-service'
import { Apply, ExceptionsInForce } from '../parts/exceptions'
import { href } from '../router'
import type { Tuning, TuningGroup } from '../types'

const LIMIT = 50

export function TuningPage({ place, window, operates }: PageProps) {
  const { service, choice } = useService(place)
  return (
    <>
      <div class="bar">{choice}</div>
      {service === undefined ? <Empty>No service is configured.</Empty> : <OfService key={`${service} ${window}`} service={service} window={window} operates={operates} />}
    </>
  )
}

function OfService({ service, window, operates }: { service: string; window: string; operates: boolean }) {
  const [cursors, setCursors] = useState<string[]>([])
  const [turn, setTurn] = useState(0)
  const cursor = cursors.at(-1)
  const path = `services/${encodeURIComponent(service)}/tuning${cursor ? query({ cursor, limit: LIMIT }) : query({ window, limit: LIMIT })}`
  const tuning = useResource<Tuning>(path)
  return (
    <>
      <Loaded from={tuning} what="what was stopped">
        {(tuning) => (
          <>
            <Figure of={tuning} />
            <Panel title="What would be stopped, by what it would take to let it pass">
              {tuning.items.length === 0 && <Empty>Nothing was stopped, and nothing would have been, in this window.</Empty>}
              {tuning.items.map((group) => (
                <Group key={JSON.stringify([group.points, group.rules, group.attacks])} group={group} service={service} operates={operates} applied={() => setTurn(turn + 1)} />
              ))}
              <p class="more">
                {cursors.length > 0 && <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>Back</button>}
                {tuning.next && <button type="button" onClick={() => setCursors([...cursors, tuning.next!])}>More</button>}
              </p>
            </Panel>
          </>
        )}
      </Loaded>
      <ExceptionsInForce service={service} operates={operates} turn={turn} />
    </>
  )
}

function Figure({ of: { safe_to_block: safe, complete_from, others } }: { of: Tuning }) {
  const percent = (part: number) => `${(100 * part).toFixed(part < 0.001 ? 3 : part < 0.1 ? 2 : 1)} %`
  return (
    <Panel title="Safe to block?">
      <p class="verdict">
        {safe.enough ? (
          <>At most <strong>{percent(safe.wrong_at_most)}</strong> of requests would be stopped by mistake, <strong>{percent(safe.wrong_at_most_after_exceptions)}</strong> with the exceptions for what looks ordinary.</>
        ) : (
          <><span class="badge would_block">not enough to say</span> <Text>{safe.not_enough_because}</Text></>
        )}
      </p>
      <Facts
        of={[
          ['Requests in the window', count(safe.requests)],
          ['Stopped or would be, looks ordinary', `${count(safe.ordinary)} (${share(safe.ordinary, safe.requests)})`],
          ['Stopped or would be, unclear', `${count(safe.unclear)} (${share(safe.unclear, safe.requests)})`],
          ['Stopped or would be, looks like attacks', `${count(safe.attacks)} (${share(safe.attacks, safe.requests)})`],
          ['Could be mistakes, at most', `${percent(safe.wrong_at_most)}, ${percent(safe.wrong_at_most_after_exceptions)} with exceptions`],
          ['Not in any group', others > 0 && count(others)],
          ['Every event looked at since', complete_from && <Time at={complete_from} />],
        ]}
      />
      <p class="note">
        Nobody knows here what was an attack. What is not clearly one counts as a mistake; “at most” is the upper end of the 95 %
        interval for that share. Traffic that did not come in this window is not in it. How groups are judged is written in the
        guide to tuning.
      </p>
    </Panel>
  )
}

const LOOKS: Record<TuningGroup['looks'], [string, string]> = {
  ordinary: ['ordinary use', 'pass'],
  unclear: ['unclear', 'would_block'],
  attack: ['attack', 'deny'],
}

function Group({ group, service, operates, applied }: { group: TuningGroup; service: string; operates: boolean; applied: () => void }) {
  const [looks, kind] = LOOKS[group.looks]
  const lines = group.exceptions.map((exception) => `- ${flow(exception)}`).join('\n')
  const names = [...group.rules.map((rule) => String(rule.id)), ...group.attacks]
  return (
    <details class="policy group">
      <summary>
        <span class={`badge ${kind}`}>{looks}</span>
        <strong>{group.points.length ? visible(group.points.join(', ')) : 'the request as a whole'}</strong>
        <span>{visible(names.slice(0, 6).join(', '))}{names.length > 6 && ` and ${names.length - 6} more`}</span>
        <span class="dim">{plural(group.requests, 'request')} of {plural(group.sources, 'source')}</span>
      </summary>
      {group.rules.length > 0 && <ul class="names">{group.rules.map((rule) => <li key={rule.id}><a href={href(['rules'], { q: String(rule.id) })}>{rule.id}</a> <Text>{rule.message}</Text></li>)}</ul>}
      <Facts
        of={[
          ['Requests', `${count(group.requests)}: ${count(group.blocked)} blocked, ${count(group.would_block)} would have been`],
          ['From', `${group.first.slice(0, 19).replace('T', ' ')} to ${group.last.slice(0, 19).replace('T', ' ')} UTC`],
          ['Sources', group.top_sources.map((source) => `${source.key} (${count(source.count)})`).join(', ')],
          ['Of sources that probe', count(group.of_probing_sources)],
          ['Detector was sure', count(group.detector_sure)],
          ['Paths', group.paths.slice(0, 6).map((path) => `${path.key} (${count(path.count)})`).join(', ') + (group.paths.length > 6 || !group.paths_complete ? ' …' : '')],
          ['Events', <>{group.samples.map((id, number) => <><a key={id} href={href(['events', id])}>sample {number + 1}</a>{' '}</>)}</>],
        ]}
      />
      <h3>Proposed</h3>
      <pre class="diff"><span class="added">{visible(lines)}</span></pre>
      <p class="note"><Copy text={`${lines}\n`}>Copy the lines</Copy></p>
      {group.looks === 'attack' && <p class="note warn">This looks like an attack: an exception would let it pass.</p>}
      {group.exceptions.some((exception) => !exception.points?.length) && <p class="note warn">Rules that look at the request as a whole are off entirely where this holds.</p>}
      {operates && <Apply service={service} exceptions={group.exceptions} event={group.samples[0]} done={applied} label="Apply these exceptions" />}
    </details>
  )
}
