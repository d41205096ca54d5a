// Policies that traffic suggests: what they rest on, what they would have denied, and their YAML to copy.
import { useState } from 'preact/hooks'
import { query, useResource } from '../api'
import { count, plural, visible } from '../format'
import type { PolicySuggestion, PolicySuggestions } from '../types'
import { Copy, Loaded, Panel, Text, Time } from './basics'
import { useService } from './choose-service'
import type { Place } from '../router'

/** Made only when somebody asks: it reads every record of the window. */
export function SuggestedPolicies({ place, window }: { place: Place; window: string }) {
  const { service, choice } = useService(place, 'every service')
  const [asked, setAsked] = useState(false)
  const [staged, setStaged] = useState(true)
  const path = `policies/suggestions${query({ window, service, staged: staged ? 'yes' : 'no', limit: 200 })}`
  const found = useResource<PolicySuggestions>(asked ? path : null)
  return (
    <Panel title="Policies that traffic suggests" class="suggested">
      <div class="bar">
        {choice}
        <label class="check"><input type="checkbox" checked={staged} onChange={(change) => setStaged(change.currentTarget.checked)} /> staged: tried on traffic before they decide</label>
        <button type="button" class="main suggest" onClick={() => (asked ? found.reload() : setAsked(true))}>{!asked ? `Suggest from the last ${window}` : 'Suggest again'}</button>
      </div>
      {!asked
        ? <p class="note">Least-privilege policies out of what was served in this window: who asked which workload for what. Nothing is applied from here.</p>
        : (
          <Loaded from={found} what="suggestions">
            {(page) => (
              <>
                <p class="dim">
                  {plural(page.learned, 'request')} learned from.
                  {page.complete_from && <> Every record was looked at since <Time at={page.complete_from} />.</>}
                </p>
                {page.left_out.length > 0 && (
                  <ul class="notes">{page.left_out.map((one) => <li key={one.why}>left out: {count(one.requests)} {visible(one.why)}</li>)}</ul>
                )}
                {page.items.length === 0 && <p class="empty">There is nothing to learn from in this window.</p>}
                {page.items.map((item) => <Suggested key={`${item.namespace}/${item.service_account}`} item={item} />)}
              </>
            )}
          </Loaded>
        )}
    </Panel>
  )
}

function Suggested({ item }: { item: PolicySuggestion }) {
  const made = item.tried[0]
  const name = visible(`${item.namespace}/${item.service_account}`)
  return (
    <details class="policy">
      <summary>
        <strong>{name}</strong>
        <span class="dim">{item.services.length > 0 && <>behind {visible(item.services.join(', '))} · </>}{plural(item.requests, 'request')} from {plural(item.sources.length, 'source')}</span>
        {made && <span class={`badge ${made.denied === 0 ? 'good' : 'deny'}`}>{made.denied === 0 ? 'denies none of them' : `would have denied ${count(made.denied)}`}</span>}
      </summary>
      {item.notes.length > 0 && <ul class="notes">{item.notes.map((note) => <li key={note}>{visible(note)}</li>)}</ul>}
      <table>
        <thead><tr><th scope="col">Who asked</th><th scope="col" class="number">Port</th><th scope="col" class="number">Requests</th></tr></thead>
        <tbody>
          {item.sources.map((source, number) => (
            <tr key={number}>
              <td>{source.service_account === null ? <span class="dim">anybody: no workload's certificate</span> : <Text>{`${source.namespace}/${source.service_account}`}</Text>}</td>
              <td class="number">{source.port}</td>
              <td class="number">{count(source.requests)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <table>
        <thead><tr><th scope="col">Tried on the same records</th><th scope="col" class="number">Requests</th><th scope="col" class="number">Denied</th><th scope="col">Such as</th></tr></thead>
        <tbody>
          {item.tried.map((trial) => (
            <tr key={trial.what}>
              <td class="wide">requests {visible(trial.what)}</td>
              <td class="number">{count(trial.requests)}</td>
              <td class="number">{count(trial.denied)}</td>
              <td class="wide wrap">{trial.examples.map((example) => <div key={example}>{visible(example)}</div>)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="buttons"><Copy text={item.yaml}>Copy YAML</Copy></p>
      <pre class="yaml" tabIndex={0} aria-label={`Policies for ${name}`}>{visible(item.yaml)}</pre>
    </details>
  )
}
