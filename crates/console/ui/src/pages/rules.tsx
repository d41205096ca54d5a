// Rules: what they say, how often they matched, what they cost, what is excepted from them and why some do not run.
import { useEffect, useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { query, useResource } from '../api'
import { count, plural, severityWord, visible } from '../format'
import { Loaded, Panel, Text } from '../parts/basics'
import { Kept } from '../parts/kept'
import { go, href, withQuery } from '../router'
import type { Dataplane, Page, Rule, Stats } from '../types'

const LIMIT = 100

export function Rules(props: PageProps) {
  return props.collects ? <RulesOfMany window={props.window} /> : <RulesHere {...props} />
}

/** What events say of rules, and which rule sets data planes have in force. */
function RulesOfMany({ window }: { window: string }) {
  const stats = useResource<Stats>(`stats${query({ window, by: 'rule', limit: 1000 })}`, 10_000)
  const planes = useResource<Page<Dataplane>>('dataplanes', 10_000)
  return (
    <>
      <Panel title="Rules that matched">
        <Loaded from={stats} what="rules" isEmpty={(stats) => stats.groups.length === 0} empty="No rule matched in this window.">
          {(stats) => (
            <table>
              <thead><tr><th scope="col">Rule</th><th scope="col" class="number">Blocked</th><th scope="col" class="number">Would block</th><th scope="col" class="number">Requests with it</th></tr></thead>
              <tbody>
                {stats.groups.map(({ key, requests, blocked, would_block }) => (
                  <tr key={key}>
                    <td><a href={href(['events'], { rule: key, window })}>{visible(key)}</a></td>
                    <td class="number">{count(blocked)}</td>
                    <td class="number">{count(would_block)}</td>
                    <td class="number">{count(requests)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
      </Panel>
      <Panel title="Rule sets in force">
        <Loaded from={planes} what="rule sets" isEmpty={(page) => page.items.every((plane) => plane.rule_sets.length === 0)} empty="No data plane has told of rules.">
          {(page) => (
            <table>
              <thead><tr><th scope="col">Rule set</th><th scope="col">Digest</th><th scope="col" class="number">Rules</th><th scope="col">At</th></tr></thead>
              <tbody>
                {ruleSets(page.items).map(({ name, digest, rules, at }) => (
                  <tr key={name + digest}>
                    <td><Text>{name}</Text></td>
                    <td><code title={visible(digest)}>{visible(digest.slice(0, 8))}</code></td>
                    <td class="number">{count(rules)}</td>
                    <td class="wrap">{visible(at.slice(0, 8).join(', '))}{at.length > 8 && ` and ${at.length - 8} more`}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
        <p class="note">The same digest is the same rules. What each rule says, and what is excepted from it, is on this page of a data plane's own console.</p>
      </Panel>
    </>
  )
}

/** Each rule set once, with the data planes that have it. */
function ruleSets(planes: Dataplane[]): { name: string; digest: string; rules: number; at: string[] }[] {
  const sets = new Map<string, { name: string; digest: string; rules: number; at: string[] }>()
  for (const plane of planes.filter((plane) => plane.state !== 'gone')) {
    for (const { name, digest, rules } of plane.rule_sets) {
      const key = JSON.stringify([name, digest])
      const set = sets.get(key) ?? { name, digest, rules, at: [] }
      set.at.push(plane.name)
      sets.set(key, set)
    }
  }
  return [...sets.values()]
}

function RulesHere({ place, window }: PageProps) {
  const q = place.query.get('q') ?? ''
  const [cursors, setCursors] = useState<string[]>([])
  useEffect(() => setCursors([]), [q])
  const rules = useResource<Page<Rule>>(`rules${query({ q, limit: LIMIT, cursor: cursors.at(-1) })}`)
  const stats = useResource<Stats>(`stats${query({ window, by: 'rule', limit: 1000 })}`, 10_000)
  const hits = new Map((stats.data?.groups ?? []).map((group) => [group.key, group.blocked + group.would_block || group.requests]))
  return (
    <>
      <div class="bar">
        <label class="quiet">
          <span>Id, words of a message, tag or file</span>
          <input class="wide" value={q} spellcheck={false} onChange={(change) => go(withQuery(place, { q: change.currentTarget.value.trim() }), true)} />
        </label>
      </div>
      <Kept kind="profile" />
      <Panel>
        <Loaded from={rules} what="rules" isEmpty={(page) => page.items.length === 0} empty={q ? 'No rule is like this.' : 'No rules are loaded: the built-in detector alone protects.'}>
          {(page) => (
            <>
              <div class="scroll" tabIndex={0} role="region" aria-label="Rules">
                <table>
                  <thead>
                    <tr><th scope="col">Rule</th><th scope="col">What it says</th><th scope="col">Severity</th><th scope="col" class="number">Phase</th><th scope="col" class="number">Hits, {window}</th><th scope="col" class="number">Cost</th><th scope="col">Tags</th><th scope="col">Rule set</th><th scope="col">Place</th></tr>
                  </thead>
                  <tbody>
                    {page.items.map((rule) => {
                      const hit = hits.get(String(rule.id)) ?? 0
                      return (
                        <tr key={`${rule.rule_set}:${rule.file}:${rule.line}`} class={rule.removed ? 'dim' : ''}>
                          <td>{rule.id ?? <span class="dim">–</span>}</td>
                          <td class="wide wrap">
                            <Text>{rule.msg}</Text>
                            {rule.off.map((why) => <div class="sub warn" key={why}>{visible(why)}</div>)}
                            {rule.excepted.map((except) => <div class="sub warn" key={except}>{visible(except)}</div>)}
                          </td>
                          <td>{severityWord(rule.severity)}</td>
                          <td class="number">{rule.phase}</td>
                          <td class="number">{hit ? <a href={href(['events'], { rule: String(rule.id), window })}>{count(hit)}</a> : <span class="dim">0</span>}</td>
                          <td class="number"><Cost rule={rule} /></td>
                          <td class="wide"><span class="tags">{rule.tags.filter((tag) => !/^(OWASP_CRS|platform-|language-|application-|capec)/.test(tag)).map((tag) => <span key={tag}>{visible(tag)}</span>)}</span></td>
                          <td><Text>{rule.rule_set}</Text></td>
                          <td class="mono"><span title={visible(rule.file)}>{visible(end(rule.file.split('/').at(-1) ?? ''))}:{rule.line}</span></td>
                        </tr>
                      )
                    })}
                  </tbody>
                </table>
              </div>
              <p class="note">
                Cost is what a rule takes of a request on average, and its part of all rules: one request in 4,096 is timed. Before one was, and for
                rules that ran in none of them, nothing is known.
              </p>
              <p class="more">
                {cursors.length > 0 && <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>Back</button>}
                {page.next && <button type="button" onClick={() => setCursors([...cursors, page.next!])}>More rules</button>}
              </p>
            </>
          )}
        </Loaded>
      </Panel>
    </>
  )
}

const FILE_CHARS_MAX = 24

/** The end of a file's name, which tells more than its begin. */
function end(file: string): string {
  return file.length > FILE_CHARS_MAX ? `…${file.slice(1 - FILE_CHARS_MAX)}` : file
}

function Cost({ rule }: { rule: Rule }) {
  if (!rule.cost || rule.cost.runs === 0) return <span class="dim">–</span>
  const { sampled, runs, us, share } = rule.cost
  return <span title={`ran ${count(runs)} times in ${plural(sampled, 'timed request')}`}>{us.toFixed(2)} µs <span class="dim">{(100 * share).toFixed(1)} %</span></span>
}
