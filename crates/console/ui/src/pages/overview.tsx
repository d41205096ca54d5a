// What comes in and what becomes of it, over a window of time.
import type { PageProps } from '../app'
import { query, useResource } from '../api'
import { count, exact, share, visible } from '../format'
import { Empty, Loaded, Panel, Share } from '../parts/basics'
import { Chart } from '../parts/chart'
import { pointsOf } from '../parts/window'
import { href } from '../router'
import type { Counts, Stats } from '../types'

const EVERY_MS = 5000

export function Overview({ window }: PageProps) {
  const stats = useResource<Stats>(`stats${query({ window, by: 'service', limit: 8 })}`, EVERY_MS)
  return (
    <>
      <Loaded from={stats} what="traffic">{(stats) => <Traffic stats={stats} window={window} />}</Loaded>
      <div class="columns">
        <Ranking window={window} by="service" title="Services" asks={(service) => ({ service })} />
        <Ranking window={window} by="attack" title="Attacks" asks={(key) => ({ q: `attacks = ${quoted(key)}` })} />
        <Ranking window={window} by="rule" title="Rules" asks={(rule) => ({ rule })} />
        <Ranking window={window} by="source" title="Sources" asks={(source) => ({ source })} />
        <Ranking window={window} by="country" title="Countries" empty="No country is known in this window. A file that tells where addresses are is named by lists.places.countries." asks={(key) => ({ q: `"source.country" = ${quoted(key)}` })} />
      </div>
    </>
  )
}

function Traffic({ stats, window }: { stats: Stats; window: string }) {
  const { total } = stats
  const points = pointsOf(stats)
  return (
    <>
      <ul class="tiles">
        <Tile name="Requests" value={total.requests} note={`in the last ${window}`} />
        <Tile name="Blocked" value={total.blocked} note={share(total.blocked, total.requests)} tone="deny" to={href(['events'], { action: 'deny', window })} />
        <Tile name="Would block" value={total.would_block} note={share(total.would_block, total.requests)} tone="would_block" to={href(['events'], { action: 'would_block', window })} />
        <Tile name="Events" value={total.events} note="decisions recorded" to={href(['events'], { window })} />
      </ul>
      <div class="pair">
        <Panel title="Requests">
          <Chart
            label={`Requests in the last ${window}`}
            times={points.times}
            range={points.range}
            stepSeconds={stats.step_seconds}
            lines={[{ label: 'Requests', color: 'requests', values: points.of('requests') }]}
          />
        </Panel>
        <Panel title="Blocked and would block">
          <Chart
            label={`Requests that were blocked or would have been, in the last ${window}`}
            times={points.times}
            range={points.range}
            stepSeconds={stats.step_seconds}
            lines={[
              { label: 'Blocked', color: 'blocked', values: points.of('blocked') },
              { label: 'Would block', color: 'would', values: points.of('would_block') },
            ]}
          />
        </Panel>
      </div>
    </>
  )
}

function Tile({ name, value, note, tone = '', to }: { name: string; value: number; note: string; tone?: string; to?: string }) {
  const number = <strong class={value ? tone : ''} title={exact(value)}>{count(value)}</strong>
  return (
    <li class="tile">
      <span class="name">{name}</span>
      {to ? <a href={to} aria-label={`${name}: ${exact(value)}, show events`}>{number}</a> : number}
      <span class="dim">{note}</span>
    </li>
  )
}

function Ranking({ window, by, title, empty = 'Nothing in this window.', asks }: { window: string; by: string; title: string; empty?: string; asks: (key: string) => Record<string, string> }) {
  const stats = useResource<Stats>(`stats${query({ window, by, limit: 8 })}`, EVERY_MS)
  const has = (groups: Counts[], key: keyof Counts) => groups.some((group) => group[key] > 0)
  return (
    <Panel title={title}>
      <Loaded from={stats} what={title.toLowerCase()}>
        {({ groups }) => {
          if (groups.length === 0) return <Empty>{empty}</Empty>
          const most = Math.max(1, ...groups.map(weight))
          const hasRequests = has(groups, 'requests')
          return (
            <table class="ranking">
              <thead>
                <tr>
                  <th scope="col">{title.replace(/ies$/, 'y').replace(/s$/, '')}</th>
                  {hasRequests && <th scope="col" class="number">Requests</th>}
                  <th scope="col" class="number">Blocked</th>
                  <th scope="col" class="number" title="Would block">Would</th>
                </tr>
              </thead>
              <tbody>
                {groups.map((group) => (
                  <tr key={group.key}>
                    <td>
                      <Share of={weight(group) / most} />
                      <a href={href(['events'], { ...asks(group.key), window })} title={visible(group.key)}>{visible(group.key) || '–'}</a>
                    </td>
                    {hasRequests && <td class="number">{count(group.requests)}</td>}
                    <td class={`number ${group.blocked ? 'deny' : 'dim'}`}>{count(group.blocked)}</td>
                    <td class={`number ${group.would_block ? 'would_block' : 'dim'}`}>{count(group.would_block)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }}
      </Loaded>
    </Panel>
  )
}

/** A text in the language of queries, which knows both quotes and no escapes. */
function quoted(text: string): string {
  return text.includes('"') ? `'${text}'` : `"${text}"`
}

function weight(counts: Counts): number {
  return Math.max(counts.requests, counts.blocked + counts.would_block)
}
