// Policies in the order in which they are asked: what is in force, what is staged, and what each rule says.
import type { PageProps } from '../app'
import { useResource } from '../api'
import { plural, visible } from '../format'
import { Loaded, Panel, Text } from '../parts/basics'
import { go, withQuery } from '../router'
import type { Page, Policy } from '../types'

export function Policies({ place }: PageProps) {
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
      <Loaded from={policies} what="policies" isEmpty={(page) => page.items.length === 0} empty="No policies are configured: who may ask whom is not restricted here.">
        {(page) => tiers(page.items.filter(like)).map(([tier, policies]) => (
          <Panel key={tier} title={<>Tier {visible(tier)}</>} aside={<span class="dim">{plural(policies.length, 'policy', 'policies')}, asked from the top</span>}>
            {policies.map((policy) => <PolicyRow key={`${policy.kind}/${policy.namespace}/${policy.name}`} policy={policy} />)}
          </Panel>
        ))}
      </Loaded>
    </>
  )
}

function PolicyRow({ policy }: { policy: Policy }) {
  return (
    <details class="policy">
      <summary>
        <strong>{visible([policy.namespace, policy.name].filter(Boolean).join('/'))}</strong>
        <span class={`badge ${policy.staged ? 'would_block' : 'good'}`}>{policy.staged ? 'staged' : 'enforced'}</span>
        <span class="dim">{visible(policy.kind)} · {policy.directions.join(' and ')} · {plural(policy.rules.length, 'rule')}{policy.order !== null && ` · order ${policy.order}`}</span>
      </summary>
      <p class="dim">applies to <code>{visible(policy.selector || 'all()')}</code></p>
      {policy.rules.length > 0 && (
        <table>
          <thead><tr><th scope="col" class="number">Rule</th><th scope="col">Direction</th><th scope="col">Action</th><th scope="col">Where</th></tr></thead>
          <tbody>
            {policy.rules.map((rule) => (
              <tr key={rule.direction + String(rule.index)}>
                <td class="number">{rule.index}</td>
                <td>{rule.direction}</td>
                <td><span class={rule.action === 'Deny' ? 'deny' : ''}>{rule.action}</span></td>
                <td class="wrap mono"><Text>{rule.text || 'anything'}</Text></td>
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
