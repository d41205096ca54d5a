// What a service's API looks like in traffic, and the same as a specification to begin with.
import { useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { type ApiError, ask, query, since, useResource } from '../api'
import { count, plural, visible } from '../format'
import { Empty, Failure, Loaded, Panel, Text, Time } from '../parts/basics'
import { useService } from '../parts/choose-service'
import { href } from '../router'
import type { Endpoint, Inventory } from '../types'

const LIMIT = 200

export function InventoryPage({ place, window }: PageProps) {
  const { service, choice } = useService(place)
  return (
    <>
      <div class="bar">{choice}</div>
      {service === undefined ? <Empty>No service is configured.</Empty> : <OfService key={`${service} ${window}`} service={service} window={window} />}
    </>
  )
}

function OfService({ service, window }: { service: string; window: string }) {
  const [cursors, setCursors] = useState<string[]>([])
  const cursor = cursors.at(-1)
  const path = `services/${encodeURIComponent(service)}/inventory`
  const inventory = useResource<Inventory>(`${path}${cursor ? query({ cursor, limit: LIMIT }) : query({ window, limit: LIMIT })}`)
  return (
    <Panel title="Endpoints" aside={<Export path={`${path}/openapi.json${query({ window })}`} service={service} />}>
      <Loaded from={inventory} what="the inventory" isEmpty={(page) => page.items.length === 0} empty="No endpoint was seen in this window: records of traffic come a few seconds after the requests.">
        {(page) => (
          <>
            <p class="dim">
              {plural(page.endpoints, 'endpoint')}, {plural(page.requests, 'request')}. Left out: {count(page.left_out.stopped)} stopped,{' '}
              {count(page.left_out.not_found)} to paths that never answered but 404{page.left_out.without_room > 0 && <>, {count(page.left_out.without_room)} to more paths than are told apart</>}.
              {page.complete_from && <> Every record was looked at since <Time at={page.complete_from} />.</>}
            </p>
            <div class="scroll" tabIndex={0} role="region" aria-label="Endpoints">
              <table>
                <thead>
                  <tr><th scope="col">Method</th><th scope="col">Path</th><th scope="col">Parameters</th><th scope="col">Answers</th><th scope="col" class="number">Requests</th><th scope="col">Sensitive data seen</th></tr>
                </thead>
                <tbody>{page.items.map((endpoint) => <Row key={`${endpoint.method} ${endpoint.path}`} endpoint={endpoint} service={service} window={window} />)}</tbody>
              </table>
            </div>
            <p class="more">
              {cursors.length > 0 && <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>Back</button>}
              {page.next && <button type="button" onClick={() => setCursors([...cursors, page.next!])}>More endpoints</button>}
            </p>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Row({ endpoint, service, window }: { endpoint: Endpoint; service: string; window: string }) {
  const parameters = [
    ...endpoint.in_path.map((one) => ({ place: 'path', name: one.name, classes: [one.class], sensitive: null as string | null })),
    ...endpoint.parameters,
  ]
  return (
    <tr>
      <td class="mono"><Text>{endpoint.method}</Text></td>
      <td class="wide wrap mono"><a href={href(['events'], { service, window })}>{visible(endpoint.path)}</a></td>
      <td class="wide">
        {parameters.length === 0 ? <span class="dim">none</span> : (
          <details>
            <summary>{plural(parameters.length, 'parameter')}{endpoint.parameters_cut && ' and more'}</summary>
            <ul class="names">
              {parameters.map((one) => (
                <li key={`${one.place} ${one.name}`}>
                  <span class="dim">{visible(one.place)}</span> <code>{visible(one.name)}</code> {visible(one.classes.join(', '))}
                  {one.sensitive && <> <span class="badge would_block">{visible(one.sensitive)}</span></>}
                </li>
              ))}
            </ul>
          </details>
        )}
      </td>
      <td>{Object.entries(endpoint.status_classes).map(([name, number]) => `${name} ${count(number)}`).join(', ')}</td>
      <td class="number">{count(endpoint.requests)}</td>
      <td class="wide wrap">{endpoint.sensitive.length ? endpoint.sensitive.map((one) => <div key={one} class="warn">{visible(one)}</div>) : <span class="dim">none</span>}</td>
    </tr>
  )
}

/** A download made here: the strict policy of this page has no other place for one. */
function Export({ path, service }: { path: string; service: string }) {
  const [error, setError] = useState<ApiError>()
  const save = async () => {
    try {
      const text = JSON.stringify(await ask<unknown>(since(path)), null, 2)
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
      link.download = `${service.replace(/[^\w.-]/g, '_')}.openapi.json`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
    } catch (error) {
      setError(error as ApiError)
    }
  }
  return (
    <>
      <button type="button" onClick={() => void save()}>Export as OpenAPI</button>
      {error && <Failure error={error} />}
    </>
  )
}
