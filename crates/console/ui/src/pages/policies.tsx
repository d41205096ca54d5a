// Policies in the order in which they are asked: what is in force, what is staged, and what each rule says.
import type { PageProps } from '../app'
import { query, useResource } from '../api'
import { count, plural, visible } from '../format'
import { Ago, Loaded, Panel, Text } from '../parts/basics'
import { Elsewhere } from '../parts/elsewhere'
import { Kept } from '../parts/kept'
import { SuggestedPolicies } from '../parts/suggestions'
import { go, href, withQuery } from '../router'
import type { Page, Policy, PolicyRuleHits } from '../types'

export function Policies(props: PageProps) {
  return props.collects ? <PoliciesOfMany {...props} /> : <PoliciesHere {...props} />
}

/** What events say of policies: those that never stopped anything are in none. */
function PoliciesOfMany({ place, window }: PageProps) {
  const hits = useResource<Page<PolicyRuleHits>>(`policies/hits${query({ window })}`, 15_000)
  return (
    <>
      <Panel title="Rules of policies that stopped requests, or would have">
        <Loaded from={hits} what="hits" isEmpty={(page) => page.items.length === 0} empty="No policy stopped anything in this window.">
          {(page) => (
            <table>
              <thead><tr><th scope="col">Tier</th><th scope="col">Policy</th><th scope="col" class="number">Rule</th><th scope="col" class="number">Stopped</th><th scope="col" class="number">Would stop</th><th scope="col">Last</th></tr></thead>
              <tbody>
                {page.items.map((hit, number) => (
                  <tr key={number}>
                    <td><Text>{hit.tier}</Text></td>
                    <td><Text>{`${hit.kind} ${[hit.namespace, hit.name].filter(Boolean).join('/')}`}</Text></td>
                    <td class="number">{hit.rule_index ?? <span class="dim">end</span>}</td>
                    <td class="number">{count(hit.stopped)}</td>
                    <td class="number">{count(hit.would_stop)}</td>
                    <td><Ago at={hit.last} /></td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Loaded>
      </Panel>
      <SuggestedPolicies place={place} window={window} />
      <Elsewhere title="All policies are shown at a data plane" command="palisade policy check">
        Which policies there are, in which order they are asked and what each rule says, is known to the data planes that decide by them. Events
        here name the one that decided, and say on their page which were asked.
      </Elsewhere>
    </>
  )
}

function PoliciesHere({ place, window }: PageProps) {
  const hits = useResource<Page<PolicyRuleHits>>(`policies/hits${query({ window })}`, 15_000)
  const policies = useResource<Page<Policy>>('policies?limit=1000', 15_000)
  const q = (place.query.get('q') ?? '').toLowerCase()
  const like = (policy: Policy) => !q || `${policy.kind} ${policy.namespace}/${policy.name} ${policy.tier} ${policy.selector}`.toLowerCase().includes(q)
  return (
    <>
      <div class="bar">
        <label class="quiet">
          <span>Name, namespace, tier or selector</span>
          <input class="wide" value={place.query.get('q') ?? ''} spellcheck={false} onInput={(input) => go(withQuery(place, { q: input.currentTarget.value }), true)} />
        </label>
      </div>
      <Kept kind="policies" />
      <Loaded from={policies} what="policies" isEmpty={(page) => page.items.length === 0} empty="No policies are configured: who may ask whom is not restricted here.">
        {(page) => tiers(page.items.filter(like)).map(([tier, policies]) => (
          <Panel key={tier} title={<>Tier {visible(tier)}</>} aside={<span class="dim">{plural(policies.length, 'policy', 'policies')}, asked from the top</span>}>
            {policies.map((policy) => <PolicyRow key={`${policy.kind}/${policy.namespace}/${policy.name}`} policy={policy} window={window} hits={(hits.data?.items ?? []).filter((hit) => isOf(hit, policy))} />)}
          </Panel>
        ))}
      </Loaded>
      {policies.data?.next && <p class="note warn">These are the first {count(policies.data.items.length)}: the others come by <code>/api/v1/policies</code>, page by page.</p>}
      <p class="note">
        Hits are requests that a rule stopped, or that a staged one would have; what a rule allows is in no event.
      </p>
      <SuggestedPolicies place={place} window={window} />
    </>
  )
}

/** Whether hits are of a policy: events name it by namespace and name, kinds in the short words of flow logs. */
function isOf(hit: PolicyRuleHits, policy: Policy): boolean {
  return hit.tier === policy.tier && hit.name === policy.name && (hit.namespace || '') === (policy.namespace || '')
}

function PolicyRow({ policy, hits, window }: { policy: Policy; hits: PolicyRuleHits[]; window: string }) {
  const sum = (key: 'stopped' | 'would_stop') => hits.reduce((all, hit) => all + hit[key], 0)
  const of = (index: number) => hits.filter((hit) => hit.rule_index === index).reduce((all, hit) => all + hit.stopped + hit.would_stop, 0)
  return (
    <details class="policy">
      <summary>
        <strong>{visible([policy.namespace, policy.name].filter(Boolean).join('/'))}</strong>
        <span class={`badge ${policy.staged ? 'would_block' : 'good'}`}>{policy.staged ? 'staged' : 'enforced'}</span>
        <span class="dim">{visible(policy.kind)} · {policy.directions.join(' and ')} · {plural(policy.rules.length, 'rule')}{policy.order !== null && ` · order ${policy.order}`}</span>
        {sum('stopped') > 0 && <span class="badge deny">stopped {count(sum('stopped'))}</span>}
        {sum('would_stop') > 0 && <span class="badge would_block">would stop {count(sum('would_stop'))}</span>}
      </summary>
      <p class="dim">applies to <code>{visible(policy.selector || 'all()')}</code></p>
      {policy.rules.length > 0 && (
        <table>
          <thead><tr><th scope="col" class="number">Rule</th><th scope="col">Direction</th><th scope="col">Action</th><th scope="col">Where</th><th scope="col" class="number">Hits, {window}</th></tr></thead>
          <tbody>
            {policy.rules.map((rule) => (
              <tr key={rule.direction + String(rule.index)}>
                <td class="number">{rule.index}</td>
                <td>{rule.direction}</td>
                <td><span class={rule.action === 'Deny' ? 'deny' : ''}>{rule.action}</span></td>
                <td class="wrap mono"><Text>{rule.text || 'anything'}</Text></td>
                <td class="number">{of(rule.index) ? <a href={href(['events'], { q: 'kind = "policy"', window })}>{count(of(rule.index))}</a> : <span class="dim">0</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  )
}

function tiers(policies: Policy[]): [string, Policy[]][] {
  const found = new Map<string, Policy[]>()
  for (const policy of policies) {
    const tier = found.get(policy.tier)
    if (tier) tier.push(policy)
    else found.set(policy.tier, [policy])
  }
  return [...found]
}
