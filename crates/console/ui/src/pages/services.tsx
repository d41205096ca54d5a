// Services, how they are protected, and the switch.
import { useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { ApiError, ask, query, useResource } from '../api'
import { count, MODES, modeWord, visible } from '../format'
import { Dialog, Empty, Failure, Field, Loaded, Mode, Panel, Text, Time } from '../parts/basics'
import { titleOf } from '../graph/layout'
import { href } from '../router'
import type { Dataplane, Graph, ModeChange, Page, Service, Stats, Status } from '../types'

export function Services({ window, operates, collects }: PageProps) {
  const services = useResource<Page<Service>>('services', 5000)
  const status = useResource<Status>('status', 15_000)
  const stats = useResource<Stats>(`stats${query({ window, by: 'service', limit: 1000 })}`, 10_000)
  const graph = useResource<Graph>(`graph${query({ window })}`, 30_000)
  const planes = useResource<Page<Dataplane>>(collects ? 'dataplanes' : null, 5000)
  const [chosen, setChosen] = useState<Service>()
  const traffic = new Map((stats.data?.groups ?? []).map((group) => [group.key, group]))
  const ruleSets = new Map((status.data?.services ?? []).map((service) => [service.name, service.rule_set]))
  const rules = new Map((status.data?.rule_sets ?? []).map((set) => [set.name, set.rules]))
  const at = (service: string) => (planes.data?.items ?? []).flatMap((plane) => {
    const own = plane.services.find(({ name }) => name === service)
    return own ? [{ name: plane.name, mode: own.mode, gone: plane.state === 'gone' }] : []
  })
  const unprotected = (graph.data?.nodes ?? []).filter((node) => node.protected === false && node.kind !== 'external')
  return (
    <>
      <Panel>
        <Loaded from={services} what="services" isEmpty={(page) => page.items.length === 0}>
          {(page) => (
            <div class="scroll" tabIndex={0} role="region" aria-label="Services">
              <table>
                <thead>
                  <tr>
                    <th scope="col">Service</th>
                    {collects && <th scope="col">Data planes</th>}
                    <th scope="col">Mode</th>
                    <th scope="col">Comes from</th>
                    {!collects && <th scope="col">Rules</th>}
                    <th scope="col" class="number">Requests</th>
                    <th scope="col" class="number">Blocked</th>
                    <th scope="col" class="number">Would block</th>
                    <th scope="col">{operates && <span class="hidden">Change</span>}</th>
                  </tr>
                </thead>
                <tbody>
                  {page.items.map((service) => {
                    const counts = traffic.get(service.name)
                    const ruleSet = ruleSets.get(service.name)
                    return (
                      <tr key={service.name}>
                        <td>
                          <a href={href(['events'], { service: service.name, window })}>{visible(service.name)}</a>
                          {service.application !== null && <span class="dim"> application {service.application}</span>}
                          {service.routes.map((route) => (
                            <div class="sub" key={route.hosts.join() + route.path}>
                              {visible(`${route.hosts.join(', ') || '*'}${route.path}`)} <Mode mode={route.mode} /> <span class="dim">{route.mode_from}</span>
                            </div>
                          ))}
                        </td>
                        {collects && <td><At planes={at(service.name)} weakest={service.mode} /></td>}
                        <td><Mode mode={service.mode} /></td>
                        <td>{service.mode_from}{service.mode !== service.mode_written && <span class="dim"> (configured: {modeWord(service.mode_written)})</span>}</td>
                        {!collects && <td>{ruleSet ? <>{visible(ruleSet)} <span class="dim">{count(rules.get(ruleSet) ?? 0)} rules</span></> : <span class="dim">detector alone</span>}</td>}
                        <td class="number">{count(counts?.requests ?? 0)}</td>
                        <td class={`number ${counts?.blocked ? 'deny' : 'dim'}`}>{count(counts?.blocked ?? 0)}</td>
                        <td class={`number ${counts?.would_block ? 'would_block' : 'dim'}`}>{count(counts?.would_block ?? 0)}</td>
                        <td class="actions"><a href={href(['tuning'], { service: service.name, window })}>Tune</a> {operates && <button type="button" onClick={() => setChosen(service)} aria-label={`Change the mode of ${service.name}`}>Mode …</button>}</td>
                      </tr>
                    )
                  })}
                </tbody>
              </table>
            </div>
          )}
        </Loaded>
      </Panel>
      <Panel title="Seen in traffic, and not protected">
        <Loaded from={graph} what="the graph">
          {() => unprotected.length === 0
            ? <Empty>None in this window: whatever was asked here stands behind a mode other than off.</Empty>
            : <ul class="names">{unprotected.map((node) => <li key={node.id}>{visible(titleOf(node.id))}</li>)}</ul>}
        </Loaded>
      </Panel>
      {chosen && (
        <ModeDialog
          service={chosen}
          planes={[...new Set(at(chosen.name).map(({ name }) => name))]}
          close={() => setChosen(undefined)}
          changed={services.reload}
        />
      )}
    </>
  )
}

const PLANES_SHOWN_MAX = 3

/** Which data planes have a service, and those whose mode is another than the weakest, which is shown beside them. */
function At({ planes, weakest }: { planes: { name: string; mode: string; gone: boolean }[]; weakest: string }) {
  // What is unlike the others is worth the room.
  const sorted = [...planes].sort((one, other) => Number(one.mode === weakest) - Number(other.mode === weakest))
  const rest = sorted.slice(PLANES_SHOWN_MAX)
  return (
    <>
      {sorted.slice(0, PLANES_SHOWN_MAX).map(({ name, mode, gone }, number) => (
        <div key={number}>
          <a href={href(['events'], { dataplane: name })}>{visible(name)}</a>
          {gone && <span class="dim"> gone</span>}
          {mode !== weakest && <> <Mode mode={mode} /></>}
        </div>
      ))}
      {rest.length > 0 && <div class="sub" title={visible(rest.map(({ name }) => name).join(', '))}>and {count(rest.length)} more</div>}
    </>
  )
}

/** `planes`: where a mode may be set at one alone. */
function ModeDialog({ service, planes, close, changed }: { service: Service; planes: string[]; close: () => void; changed: () => void }) {
  const path = `services/${encodeURIComponent(service.name)}/mode`
  const details = useResource<{ service: Service; changes: ModeChange[] }>(path)
  const [mode, setMode] = useState(service.mode)
  const [reason, setReason] = useState('')
  const [dataplane, setDataplane] = useState('')
  const [error, setError] = useState<ApiError>()
  const send = async (method: 'PUT' | 'DELETE') => {
    try {
      await ask(path + query({ dataplane, reason: method === 'PUT' ? '' : reason }), { method, body: method === 'PUT' ? { mode, reason } : undefined })
      changed()
      close()
    } catch (error) {
      setError(error as ApiError)
    }
  }
  return (
    <Dialog title={`Mode of ${visible(service.name)}`} close={close}>
      <form onSubmit={(submit) => { submit.preventDefault(); void send('PUT') }}>
        <fieldset class="choices">
          <legend>Mode</legend>
          {MODES.map((name) => (
            <label key={name}>
              <input type="radio" name="mode" value={name} checked={mode === name} onChange={() => setMode(name)} />
              <span><strong>{modeWord(name)}</strong> <span class="dim">{MEANING[name]}</span></span>
            </label>
          ))}
        </fieldset>
        {planes.length > 1 && (
          <Field label="At" hint="what is set for one counts before what is set for all">
            <select name="dataplane" value={dataplane} onChange={(change) => setDataplane(change.currentTarget.value)}>
              <option value="">all data planes that have it</option>
              {planes.map((name) => <option key={name} value={name}>{visible(name)}</option>)}
            </select>
          </Field>
        )}
        <Field label="Reason" hint="kept in the history">
          <input value={reason} maxLength={256} onInput={(input) => setReason(input.currentTarget.value)} />
        </Field>
        {error && <Failure error={error} />}
        <p class="buttons">
          <button type="submit" class="main">Set mode</button>
          {(service.mode_set !== null || dataplane) && <button type="button" onClick={() => void send('DELETE')}>Back to what is configured{!dataplane && ` (${modeWord(service.mode_written)})`}</button>}
          <button type="button" onClick={close}>Cancel</button>
        </p>
      </form>
      <h3>Changes</h3>
      <Loaded from={details} what="changes" isEmpty={({ changes }) => changes.length === 0} empty="The mode has not been changed while this ran.">
        {({ changes }) => (
          <ul class="history">
            {changes.slice(0, 10).map((change) => (
              <li key={change.at + change.to}>
                <Time at={change.at} /> {modeWord(change.from)} → {modeWord(change.to)} by <Text>{change.by}</Text>{change.reason && <>: <Text>{change.reason}</Text></>}
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Dialog>
  )
}

const MEANING: Record<string, string> = {
  off: 'nothing is inspected',
  monitoring: 'attacks pass and are recorded',
  safe_blocking: 'attacks of sources on the gray list are stopped',
  block: 'attacks are stopped',
}
