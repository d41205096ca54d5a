// Exceptions of a service: applied with one click, shown, and taken back.
import { useEffect, useState } from 'preact/hooks'
import { type ApiError, ask, useResource } from '../api'
import { visible } from '../format'
import { flow } from '../event/exception'
import { href } from '../router'
import type { Exception, Exceptions, ExceptionsAt } from '../types'
import { Empty, Failure, Loaded, Panel, Text, Time } from './basics'

/** A button that sets exceptions, and what came of it. */
export function Apply({ service, exceptions, event, done, label = 'Apply now' }: {
  service: string
  exceptions: Exception[]
  event?: string
  done?: () => void
  label?: string
}) {
  const [state, setState] = useState<'idle' | 'busy' | 'done'>('idle')
  const [error, setError] = useState<ApiError>()
  // Where data planes are told of it, how far that has come.
  const found = useResource<Exceptions>(state === 'done' ? `services/${encodeURIComponent(service)}/exceptions?limit=1` : null, 1000)
  const at = found.data?.dataplanes ?? []
  const apply = async () => {
    setState('busy')
    setError(undefined)
    try {
      await ask(`services/${encodeURIComponent(service)}/exceptions`, { method: 'POST', body: { items: exceptions, event, reason: 'allowed in the console' } })
      setState('done')
      done?.()
    } catch (error) {
      setState('idle')
      setError(error as ApiError)
    }
  }
  return (
    <>
      <p class="buttons">
        <button type="button" class="main apply" disabled={state !== 'idle'} onClick={() => void apply()}>{state === 'done' ? 'Applied' : label}</button>
      </p>
      <div role="status">
        {state === 'done' && found.data && at.length === 0 && <p class="note">In force: the next request like this passes.</p>}
        <Reached at={at} />
      </div>
      {error && <Failure error={error} />}
    </>
  )
}

const REACHED: Record<ExceptionsAt['state'], [string, string]> = {
  in_force: ['in force', 'good'],
  waiting: ['on its way', 'would_block'],
  away: ['told when it comes back', 'would_block'],
  refused: ['not in force', 'deny'],
}

/** Data planes that have the service, and whether what was set here counts there. */
export function Reached({ at }: { at: ExceptionsAt[] }) {
  if (at.length === 0) return null
  return (
    <table class="reached">
      <thead><tr><th scope="col">Data plane</th><th scope="col">What was set here</th></tr></thead>
      <tbody>
        {at.map(({ dataplane, instance, state, why }) => (
          <tr key={dataplane + instance}>
            <td><Text>{dataplane}</Text></td>
            <td class="wrap"><span class={`badge ${REACHED[state][1]}`}>{REACHED[state][0]}</span>{why && <span class="dim"> {visible(why)}</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** What a service is excepted from, with what was set here to be taken back. */
export function ExceptionsInForce({ service, operates, turn = 0 }: { service: string; operates: boolean; turn?: number }) {
  const path = `services/${encodeURIComponent(service)}/exceptions`
  const found = useResource<Exceptions>(`${path}?limit=1000`, 5000)
  // Set anew when something was applied beside this.
  useEffect(() => { if (turn) found.reload() }, [turn])
  const [error, setError] = useState<ApiError>()
  const remove = (id: number) => ask(`${path}/${id}`, { method: 'DELETE' }).then(() => { setError(undefined); found.reload() }, setError)
  return (
    <Panel title="Exceptions in force">
      {error && <Failure error={error} />}
      <Loaded from={found} what="exceptions">
        {({ items, changes, dataplanes }) => (
          <>
            {items.length === 0 && dataplanes.length > 0 && <Empty>Nothing was excepted here. What a data plane's own configuration excepts is shown at that data plane.</Empty>}
            {items.length === 0 ? dataplanes.length === 0 && <Empty>Nothing is excepted: rules and detector look at every part of every request.</Empty> : (
              <div class="scroll" tabIndex={0} role="region" aria-label="Exceptions in force">
                <table class="exceptions">
                  <thead><tr><th scope="col">Exception</th><th scope="col">Stands in</th><th scope="col">Since</th><th scope="col">By</th><th scope="col">{operates && <span class="hidden">Change</span>}</th></tr></thead>
                  <tbody>
                    {items.map((item, number) => (
                      <tr key={item.id ?? `file ${number}`}>
                        <td class="wide wrap mono">{visible(flow(item.exception))}</td>
                        <td>{visible(item.of)}{item.event && <> <a href={href(['events', item.event])}>event</a></>}</td>
                        <td>{item.at ? <Time at={item.at} /> : <span class="dim">–</span>}</td>
                        <td class="wide"><Text>{[item.by, item.reason].filter(Boolean).join(': ')}</Text></td>
                        <td class="actions">{operates && item.id !== null && <button type="button" onClick={() => void remove(item.id!)} aria-label={`Take back ${visible(flow(item.exception))}`}>Take back</button>}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )}
            {items.length + changes.length > 0 && <Reached at={dataplanes} />}
            {changes.length > 0 && (
              <details>
                <summary>Changes</summary>
                <ul class="history">
                  {changes.slice(0, 20).map((change, number) => (
                    <li key={number}><Time at={change.at} /> {change.what} <code>{visible(flow(change.exception))}</code> by <Text>{change.by}</Text>{change.reason && <>: <Text>{change.reason}</Text></>}</li>
                  ))}
                </ul>
              </details>
            )}
          </>
        )}
      </Loaded>
    </Panel>
  )
}
