// Sources that are allowed, denied or gray: who is on which list, why, until when; and who changed that.
import { useEffect, useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { type ApiError, ask, query, useResource } from '../api'
import { visible } from '../format'
import { Ago, Dialog, Failure, Field, Loaded, Panel, Text, Time } from '../parts/basics'
import { go, withQuery } from '../router'
import type { ListChange, ListEntry, Page } from '../types'

const LISTS = ['deny', 'allow', 'gray'] as const
const MEANING: Record<string, string> = {
  deny: 'Refused in every mode, before anything is looked at.',
  allow: 'Passes without the firewall. Policy, framing and rate limits still count.',
  gray: 'In safe blocking, attacks of these sources are stopped.',
}

export function Lists({ place, operates }: PageProps) {
  const list = LISTS.find((name) => name === place.query.get('list')) ?? 'deny'
  const q = place.query.get('q') ?? ''
  const [cursors, setCursors] = useState<string[]>([])
  useEffect(() => setCursors([]), [list, q])
  const cursor = cursors.at(-1)
  const asked = /^[\d.:a-f]+$/i.test(q) && /[.:]/.test(q) ? { address: q } : { q }
  const entries = useResource<Page<ListEntry>>(`lists/${list}${query({ ...asked, limit: 100, cursor })}`, 5000)
  const changes = useResource<Page<ListChange>>('lists/changes?limit=20', 10_000)
  const address = place.query.get('address')
  const [adding, setAdding] = useState(false)
  const [error, setError] = useState<ApiError>()
  const changed = () => {
    setError(undefined)
    entries.reload()
    changes.reload()
  }
  const remove = (entry: ListEntry) => ask(`lists/${list}${query({ id: entry.id })}`, { method: 'DELETE' }).then(changed, setError)
  return (
    <>
      <div class="bar">
        <div class="segments" role="group" aria-label="List">
          {LISTS.map((name) => <button key={name} type="button" aria-pressed={name === list} onClick={() => go(withQuery(place, { list: name }))}>{name}</button>)}
        </div>
        <label class="quiet">
          <span>Address or words of a reason</span>
          <input value={q} spellcheck={false} onChange={(change) => go(withQuery(place, { q: change.currentTarget.value.trim() }), true)} />
        </label>
        <span class="spring" />
        {operates && <button type="button" class="main" onClick={() => setAdding(true)}>Add to {list}</button>}
      </div>
      {error && <Failure error={error} />}
      <Panel title={`Sources on the ${list} list`} aside={<span class="dim">{MEANING[list]}</span>}>
        <Loaded from={entries} what="entries" isEmpty={(page) => page.items.length === 0 && page.next === null} empty={`Nobody is on the ${list} list${q ? ' like this' : ''}.`}>
          {(page) => (
            <>
              <div class="scroll" tabIndex={0} role="region" aria-label="Entries">
                <table>
                  <thead>
                    <tr><th scope="col">Source</th><th scope="col">Counts for</th><th scope="col">Reason</th><th scope="col">Origin</th><th scope="col">Since</th><th scope="col">Until</th><th scope="col">{operates && <span class="hidden">Change</span>}</th></tr>
                  </thead>
                  <tbody>
                    {page.items.map((entry) => (
                      <tr key={entry.id}>
                        <td class="mono"><Text>{entry.address ?? entry.country ?? `AS${entry.asn ?? ''}`}</Text></td>
                        <td>{entry.applications.length === 0 ? 'all' : `applications ${entry.applications.join(', ')}`}</td>
                        <td class="wide"><Text>{entry.reason}</Text></td>
                        <td>{entry.origin}</td>
                        <td><Time at={entry.created} /></td>
                        <td>{entry.expires ? <Time at={entry.expires} /> : <span class="dim">for ever</span>}</td>
                        <td class="actions">
                          {operates && entry.origin !== 'file' && <button type="button" aria-label={`Remove ${entry.id}`} onClick={() => void remove(entry)}>Remove</button>}
                          {entry.origin === 'file' && <span class="dim">in the file</span>}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <p class="more">
                {cursors.length > 0 && <button type="button" onClick={() => setCursors(cursors.slice(0, -1))}>Newer</button>}
                {page.next && <button type="button" onClick={() => setCursors([...cursors, page.next!])}>Older</button>}
              </p>
            </>
          )}
        </Loaded>
      </Panel>
      <Panel title="Changes">
        <Loaded from={changes} what="changes" isEmpty={(page) => page.items.length === 0} empty="No list has been changed.">
          {(page) => (
            <ul class="history">
              {page.items.map((change, number) => (
                <li key={number}>
                  <Ago at={change.at} /> {change.what} <code>{visible(change.entry.id)}</code> by <Text>{change.by}</Text>{change.entry.reason && <>: <Text>{change.entry.reason}</Text></>}
                </li>
              ))}
            </ul>
          )}
        </Loaded>
      </Panel>
      {(adding || (address && operates)) && (
        <AddDialog
          list={list}
          address={address ?? ''}
          changed={changed}
          close={() => { setAdding(false); if (address) go(withQuery(place, { address: '' }), true) }}
        />
      )}
    </>
  )
}

function AddDialog({ list, address, changed, close }: { list: string; address: string; changed: () => void; close: () => void }) {
  const [kind, setKind] = useState('address')
  const [subject, setSubject] = useState(address)
  const [expires, setExpires] = useState('1h')
  const [reason, setReason] = useState('')
  const [applications, setApplications] = useState('')
  const [error, setError] = useState<ApiError>()
  const send = async () => {
    const numbers = applications.split(/[\s,]+/).filter(Boolean).map(Number)
    const body = { [kind]: subject.trim(), expires: expires || null, reason, applications: numbers }
    try {
      await ask(`lists/${list}`, { method: 'POST', body })
      changed()
      close()
    } catch (error) {
      setError(error as ApiError)
    }
  }
  return (
    <Dialog title={`Add to the ${list} list`} close={close}>
      <form onSubmit={(submit) => { submit.preventDefault(); void send() }}>
        <Field label="What">
          <select value={kind} onChange={(change) => setKind(change.currentTarget.value)}>
            <option value="address">address or network</option>
            <option value="country">country</option>
            <option value="asn">autonomous system</option>
          </select>
        </Field>
        <Field label={kind === 'address' ? 'Address' : kind === 'country' ? 'Country' : 'AS number'} hint={{ address: '192.0.2.7 or 192.0.2.0/24', country: 'NL', asn: 'AS64500' }[kind]}>
          <input name="subject" required value={subject} onInput={(input) => setSubject(input.currentTarget.value)} />
        </Field>
        <Field label="Until" hint="30m, 1h, 7d, a moment; empty for ever">
          <input name="expires" value={expires} onInput={(input) => setExpires(input.currentTarget.value)} />
        </Field>
        <Field label="Reason">
          <input name="reason" maxLength={256} value={reason} onInput={(input) => setReason(input.currentTarget.value)} />
        </Field>
        <Field label="Applications" hint="numbers; empty for all">
          <input name="applications" value={applications} onInput={(input) => setApplications(input.currentTarget.value)} />
        </Field>
        {error && <Failure error={error} />}
        <p class="buttons"><button class="main" type="submit">Add</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  )
}
