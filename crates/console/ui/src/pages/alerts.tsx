// Alerts: what fired, and the rules that fire.
import { useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { type ApiError, ask, query, useResource } from '../api'
import { visible } from '../format'
import { Ago, Dialog, Failure, Field, Loaded, Panel, Text, Time } from '../parts/basics'
import { Kept } from '../parts/kept'
import type { Page } from '../types'

/** Of either kind only what is shown is named here; the rest is shown as it is. */
type Named = Record<string, unknown>

export function Alerts({ operates }: PageProps) {
  const [all, setAll] = useState(false)
  const fired = useResource<Page<Named> & { dismissed: Record<string, { at: string; by: string; reason: string }> }>(`alerts/fired${query({ limit: 100, dismissed: all ? 'all' : 'no' })}`, 5000)
  const alerts = useResource<Page<Named>>('alerts', 10_000)
  const [editing, setEditing] = useState<{ name: string; text: string }>()
  const [error, setError] = useState<ApiError>()
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const choose = (id: string, is: boolean) => setChosen(new Set([...chosen].filter((one) => one !== id).concat(is ? [id] : [])))
  const dismiss = (ids: string[], again = false) => ask('alerts/fired/dismissed', { method: again ? 'DELETE' : 'POST', body: { ids } }).then(() => { setError(undefined); setChosen(new Set()); fired.reload() }, setError)
  const remove = (kind: string, name: string) => ask(`alerts/${encodeURIComponent(name)}${query({ kind })}`, { method: 'DELETE' }).then(() => { setError(undefined); alerts.reload() }, setError)
  return (
    <>
      <Panel
        title="Fired"
        aside={
          <span class="buttons">
            <label class="quiet"><span>Show dismissed</span><input type="checkbox" name="all" checked={all} onChange={(change) => setAll(change.currentTarget.checked)} /></label>
            {operates && <button type="button" class="dismiss" disabled={chosen.size === 0} onClick={() => void dismiss([...chosen])}>Dismiss {chosen.size || ''}</button>}
          </span>
        }
      >
        <Loaded from={fired} what="fired alerts" isEmpty={(page) => page.items.length === 0} empty={all ? 'No alert has fired.' : 'No alert has fired that was not dismissed.'}>
          {(page) => (
            <div class="scroll" tabIndex={0} role="region" aria-label="Fired alerts">
              <table>
                <thead><tr>{operates && <th scope="col"><span class="hidden">Choose</span></th>}<th scope="col">Time</th><th scope="col">Alert</th><th scope="col">Severity</th><th scope="col">What happened</th><th scope="col">{operates && <span class="hidden">Change</span>}</th></tr></thead>
                <tbody>
                  {page.items.map((alert, number) => {
                    const at = word(alert, 'time', '@timestamp', 'at')
                    const id = word(alert, 'id')
                    const name = word(alert, 'name', 'alert', 'origin')
                    const dismissal = page.dismissed?.[id]
                    return (
                      <tr key={id || number}>
                        {operates && <td><input type="checkbox" disabled={!!dismissal} checked={chosen.has(id)} aria-label={`Choose ${visible(name)} at ${at}`} onChange={(change) => choose(id, change.currentTarget.checked)} /></td>}
                        <td>{at && <Time at={at} />}</td>
                        <td><Text>{name}</Text></td>
                        <td><Text>{word(alert, 'severity')}</Text></td>
                        <td class="wide wrap">
                          <Text>{word(alert, 'description', 'summary', 'message')}</Text>
                          {dismissal && <div class="sub">dismissed <Ago at={dismissal.at} /> by <Text>{dismissal.by}</Text>{dismissal.reason && <>: <Text>{dismissal.reason}</Text></>}</div>}
                          <details><summary>Record</summary><pre>{visible(JSON.stringify(alert, null, 2))}</pre></details>
                        </td>
                        <td class="actions">
                          {operates && dismissal && <button type="button" onClick={() => void dismiss([id], true)}>Show again</button>}
                          {operates && <button type="button" class="except" aria-label={`Exception from ${visible(name)}`} onClick={() => setEditing({ name: '', text: exceptionFrom(alert, name) })}>Exception …</button>}
                        </td>
                      </tr>
                    )
                  })}
                </tbody>
              </table>
            </div>
          )}
        </Loaded>
      </Panel>
      {error && <Failure error={error} />}
      <Kept kind="alerts" />
      <Panel title="Alert rules" aside={operates && <button type="button" onClick={() => setEditing({ name: '', text: EXAMPLE })}>New alert</button>}>
        <Loaded from={alerts} what="alerts" isEmpty={(page) => page.items.length === 0} empty="No alerts are configured. An alert asks about events again and again, and fires when their number, or another measure, is beyond what it says.">
          {(page) => (
            <table>
              <thead><tr><th scope="col">Alert</th><th scope="col">Kind</th><th scope="col">Severity</th><th scope="col">Asks</th><th scope="col">From</th><th scope="col">Last fired</th><th scope="col">{operates && <span class="hidden">Change</span>}</th></tr></thead>
              <tbody>
                {page.items.map((alert) => {
                  const name = nameOf(alert)
                  const spec = (alert.spec ?? alert) as Named
                  const origin = word(alert, 'origin', 'from')
                  return (
                    <tr key={word(alert, 'kind') + name}>
                      <td><strong><Text>{name}</Text></strong>{word(spec, 'description', 'summary') && <div class="sub"><Text>{word(spec, 'description', 'summary')}</Text></div>}</td>
                      <td><Text>{word(alert, 'kind')}</Text></td>
                      <td><Text>{word(spec, 'severity')}</Text></td>
                      <td class="wide wrap mono"><Text>{word(spec, 'query') || word(spec, 'dataSet')}</Text></td>
                      <td><span title={word(alert, 'file')}>{origin}</span></td>
                      <td>{lastOf(alert) ? <Ago at={lastOf(alert)} /> : <span class="dim">never</span>}</td>
                      <td class="actions">
                        {operates && origin !== 'file' && <button type="button" aria-label={`Edit ${name}`} onClick={() => setEditing({ name, text: JSON.stringify(objectOf(alert), null, 2) })}>Edit</button>}
                        {operates && origin !== 'file' && <button type="button" aria-label={`Remove ${name}`} onClick={() => void remove(word(alert, 'kind'), name)}>Remove</button>}
                      </td>
                    </tr>
                  )
                })}
              </tbody>
            </table>
          )}
        </Loaded>
      </Panel>
      {editing && <Editor start={editing} close={() => setEditing(undefined)} changed={alerts.reload} />}
    </>
  )
}

function Editor({ start, close, changed }: { start: { name: string; text: string }; close: () => void; changed: () => void }) {
  const [name, setName] = useState(start.name)
  const [text, setText] = useState(start.text)
  const [error, setError] = useState<ApiError>()
  const send = async () => {
    try {
      await ask(`alerts/${encodeURIComponent(name)}`, { method: 'PUT', body: text })
      changed()
      close()
    } catch (error) {
      setError(error as ApiError)
    }
  }
  return (
    <Dialog title={start.name ? `Alert ${visible(start.name)}` : 'New object of alerts'} close={close}>
      <form onSubmit={(submit) => { submit.preventDefault(); void send() }}>
        <Field label="Name"><input required value={name} readOnly={!!start.name} onInput={(input) => setName(input.currentTarget.value)} /></Field>
        <Field label="Object" hint="YAML or JSON, as in docs/guide/alerts.md">
          <textarea rows={16} spellcheck={false} value={text} onInput={(input) => setText(input.currentTarget.value)} />
        </Field>
        {error && <Failure error={error} />}
        <p class="buttons"><button class="main" type="submit">Save</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  )
}

/** The object as it was written, of what the API shows of it. */
function objectOf(alert: Named): Named {
  const { kind, spec } = alert
  return { apiVersion: 'projectcalico.org/v3', kind, metadata: { name: nameOf(alert) }, spec }
}

function nameOf(alert: Named): string {
  const metadata = alert.metadata as Named | undefined
  return word(alert, 'name') || (metadata ? word(metadata, 'name') : '')
}

function lastOf(alert: Named): string {
  return alert.status ? word(alert.status as Named, 'lastEvent') : ''
}

function word(of: Named, ...keys: string[]): string {
  for (const key of keys) {
    const value = of[key]
    if (typeof value === 'string' || typeof value === 'number') return String(value)
  }
  return ''
}

/** An exception for what fired: its alert, and the source where one is known. It is narrowed or widened by who reads it. */
function exceptionFrom(alert: Named, name: string): string {
  const source = word(alert, 'source_ip') || word((alert.source ?? {}) as Named, 'ip')
  const parts = [`origin = ${JSON.stringify(name)}`, ...(source ? [`source_ip = ${JSON.stringify(source)}`] : [])]
  return `apiVersion: projectcalico.org/v3
kind: AlertException
metadata:
  name: ${name.toLowerCase().replace(/[^a-z0-9-]+/g, '-').replace(/^-+|-+$/g, '') || 'alert'}-exception
spec:
  description: why this is not worth an alert
  selector: ${JSON.stringify(parts.join(' AND '))}
`
}

const EXAMPLE = `apiVersion: projectcalico.org/v3
kind: GlobalAlert
metadata:
  name: many-attacks
spec:
  summary: Many requests were blocked
  description: \${count} requests were blocked
  severity: 80
  dataSet: waf
  query: action = "deny"
  metric: count
  condition: gt
  threshold: 100
  period: 5m
  lookback: 10m
`
