// A request that nobody sends: what would be decided about it, and why.
import { useEffect, useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { type ApiError, ask, query, useResource } from '../api'
import { eventOf } from '../event/shape'
import { duration, MODES, modeWord, severityWord, visible } from '../format'
import { Empty, Failure, Field, Panel, Text } from '../parts/basics'
import { Elsewhere } from '../parts/elsewhere'
import type { Event, Explained, Page, Service } from '../types'

export function Try(props: PageProps) {
  if (!props.collects) return <Trying {...props} />
  return (
    <Elsewhere title="Requests are tried at a data plane" command="palisade explain">
      What would become of a request is said by the rules, lists and policies that would decide about it, and a console for many data planes
      has none of its own: data planes tell it digests of theirs. What was decided is explained here, on the page of each event.
    </Elsewhere>
  )
}

function Trying({ place }: PageProps) {
  const services = useResource<Page<Service>>('services')
  const from = place.query.get('event')
  const event = useResource<Event>(from ? `events/${encodeURIComponent(from)}` : null, 0, eventOf)
  const [service, setService] = useState('')
  const [mode, setMode] = useState('block')
  const [method, setMethod] = useState('GET')
  const [uri, setUri] = useState("/product?id=1'+OR+'1'='1")
  const [headers, setHeaders] = useState('Host: shop.example.com\nUser-Agent: Mozilla/5.0\nAccept: */*')
  const [body, setBody] = useState('')
  const [answer, setAnswer] = useState<Explained>()
  const [error, setError] = useState<ApiError>()
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    const { data } = event
    if (!data) return
    setMethod(data.method ?? 'GET')
    setUri(data.path ?? '/')
    setHeaders([`Host: ${data.authority ?? ''}`, data.user_agent !== undefined ? `User-Agent: ${data.user_agent}` : '', 'Accept: */*'].filter(Boolean).join('\n'))
    setService(data.service ?? '')
  }, [event.data])

  const send = async () => {
    setBusy(true)
    const lines = headers.split('\n').filter((line) => line.includes(':'))
    const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()])
    if (body && !pairs.some(([name]) => name?.toLowerCase() === 'content-length')) pairs.push(['Content-Length', String(new TextEncoder().encode(body).length)])
    try {
      setAnswer(await ask<Explained>(`explain${query({ service, mode })}`, { method: 'POST', body: { method, uri, headers: pairs, body: body || undefined } }))
      setError(undefined)
    } catch (error) {
      setError(error as ApiError)
    }
    setBusy(false)
  }
  return (
    <div class="pair">
      <Panel title="Request">
        <form onSubmit={(submit) => { submit.preventDefault(); void send() }}>
          <div class="fields">
            <Field label="Service">
              <select value={service} onChange={(change) => setService(change.currentTarget.value)}>
                <option value="">the first</option>
                {services.data?.items.map(({ name }) => <option key={name} value={name}>{visible(name)}</option>)}
              </select>
            </Field>
            <Field label="Mode">
              <select value={mode} onChange={(change) => setMode(change.currentTarget.value)}>
                {MODES.map((name) => <option key={name} value={name}>{modeWord(name)}</option>)}
              </select>
            </Field>
            <Field label="Method"><input value={method} size={8} onInput={(input) => setMethod(input.currentTarget.value)} /></Field>
          </div>
          <Field label="Target" hint="path and query"><input class="mono" name="uri" value={uri} spellcheck={false} onInput={(input) => setUri(input.currentTarget.value)} /></Field>
          <Field label="Headers"><textarea class="mono" rows={5} spellcheck={false} value={headers} onInput={(input) => setHeaders(input.currentTarget.value)} /></Field>
          <Field label="Body"><textarea class="mono" rows={5} spellcheck={false} value={body} onInput={(input) => setBody(input.currentTarget.value)} /></Field>
          <p class="buttons"><button class="main" type="submit" disabled={busy}>Explain</button><span class="dim">Nothing is sent to the service, and nothing is recorded.</span></p>
        </form>
        {from && <p class="note">Taken from an event: secrets are masked there and its body is not kept, so the verdict may differ.</p>}
      </Panel>
      <Panel title="What would happen">
        {error && <Failure error={error} />}
        {!error && !answer && <Empty>Say what is asked for, and press Explain.</Empty>}
        {!error && answer && <Verdict answer={answer} />}
      </Panel>
    </div>
  )
}

function Verdict({ answer }: { answer: Explained }) {
  if (answer.error) return <Failure error={new Error(answer.error.message)} />
  const action = answer.verdict === 'pass' ? (answer.would ? 'would_block' : 'pass') : 'deny'
  const told = answer.matched.filter((matched) => matched.logged)
  return (
    <div class="verdict">
      <p>
        <span class={`badge ${action}`}>{visible(answer.verdict ?? '')}{answer.status ? ` ${answer.status}` : ''}</span>{' '}
        {answer.cause && <>by <Text>{answer.cause}</Text></>}
        {answer.would && <> · block mode would {visible(answer.would)} it</>}
        {answer.time_us !== undefined && <span class="dim"> · {duration(answer.time_us)}</span>}
      </p>
      {answer.findings.map((finding, number) => (
        <div class="finding" key={number}>
          <p><strong><Text>{finding.attack}</Text></strong> <span class="dim">{finding.confidence} % sure, at</span> <mark>{visible(finding.point)}</mark></p>
          <ol class="decoding" aria-label="How it was decoded">
            <li>as sent</li>
            {finding.decode_path.map((step, at) => <li key={at}>{visible(step)}</li>)}
            <li class="result"><code>{visible(finding.excerpt)}</code></li>
          </ol>
          <p><Text>{finding.why}</Text></p>
        </div>
      ))}
      {told.length > 0 && (
        <table class="rules">
          <thead><tr><th scope="col">Rule</th><th scope="col">What it says</th><th scope="col">Severity</th><th scope="col">Where</th><th scope="col">Saw</th></tr></thead>
          <tbody>
            {told.map((matched, number) => (
              <tr key={number}>
                <td>{matched.id}</td>
                <td><Text>{matched.msg}</Text></td>
                <td>{severityWord(matched.severity)}</td>
                <td class="mono"><Text>{matched.target}</Text></td>
                <td class="wrap"><code>{visible(matched.value)}</code>{matched.transformations.length > 0 && <div class="sub">{matched.transformations.join(', ')}</div>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {Object.keys(answer.scores).length > 0 && <p class="note">Scores: {Object.entries(answer.scores).map(([name, score]) => `${visible(name)} ${score}`).join(', ')}</p>}
      {answer.shortfalls.map((shortfall) => <p class="note warn" key={shortfall}>Not looked at: {visible(shortfall)}</p>)}
    </div>
  )
}
