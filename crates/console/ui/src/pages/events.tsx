// Events by filters, which stand in the address: a link shows another the same.
import { useEffect, useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { ApiError, ask, query, since } from '../api'
import { eventsOf } from '../event/shape'
import { Empty, Failure, Loading, Panel } from '../parts/basics'
import { ChooseDataplane } from '../parts/choose-dataplane'
import { EventTable } from '../parts/event-table'
import { go, withQuery } from '../router'
import type { Event, Page } from '../types'

const FILTERS = ['dataplane', 'service', 'action', 'rule', 'source', 'q'] as const
const LIMIT = 50

export function Events({ place, window, collects }: PageProps) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, place.query.get(name) ?? '']))
  const asked = `events${query({ ...filters, window, limit: LIMIT })}`
  const [found, setFound] = useState<{ asked: string; events: Event[]; next: string | null }>()
  const [error, setError] = useState<ApiError>()
  const [busy, setBusy] = useState(false)

  const load = async (cursor?: string, signal?: AbortSignal) => {
    setBusy(true)
    setError(undefined)
    try {
      const path = since(asked) + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : '')
      const page = eventsOf(await ask<Page<Event>>(path, { signal }))
      setFound((before) => ({ asked, events: cursor && before ? [...before.events, ...page.items] : page.items, next: page.next }))
    } catch (error) {
      if (signal?.aborted) return
      setError(error as ApiError)
    }
    setBusy(false)
  }
  useEffect(() => {
    const ending = new AbortController()
    void load(undefined, ending.signal)
    return () => ending.abort()
  }, [asked])

  const current = found?.asked === asked ? found : undefined
  const set = (name: string, value: string) => go(withQuery(place, { [name]: value }), true)
  return (
    <>
      <form class="bar" role="search" onSubmit={(submit) => { submit.preventDefault(); void load() }}>
        <Filter name="q" label="Words" value={filters.q ?? ''} set={set} placeholder="union select, a request id" wide />
        {collects && <ChooseDataplane place={place} />}
        <Filter name="service" label="Service" value={filters.service ?? ''} set={set} placeholder="any" />
        <label class="quiet">
          <span>Action</span>
          <select value={filters.action} onChange={(change) => set('action', change.currentTarget.value)}>
            <option value="">any</option>
            <option value="deny">blocked</option>
            <option value="would_block">would block</option>
            <option value="pass">passed</option>
          </select>
        </label>
        <Filter name="rule" label="Rule" value={filters.rule ?? ''} set={set} placeholder="942100" />
        <Filter name="source" label="Source" value={filters.source ?? ''} set={set} placeholder="192.0.2.7" />
        <button type="submit" disabled={busy}>Refresh</button>
        {FILTERS.some((name) => filters[name]) && (
          <button type="button" onClick={() => go(withQuery(place, Object.fromEntries(FILTERS.map((name) => [name, '']))))}>Clear</button>
        )}
      </form>
      {error && <Failure error={error} again={() => void load()} />}
      <Panel>
        {!current && !error && <Loading what="events" />}
        {current?.events.length === 0 && <Empty>No events like this in the last {window}.</Empty>}
        {current && current.events.length > 0 && <EventTable events={current.events} dataplanes={collects} />}
        {current?.next && (
          <p class="more">
            <button type="button" disabled={busy} onClick={() => void load(current.next!)}>Show more</button>
          </p>
        )}
      </Panel>
    </>
  )
}

function Filter({ name, label, value, set, placeholder, wide }: {
  name: string
  label: string
  value: string
  set: (name: string, value: string) => void
  placeholder: string
  wide?: boolean
}) {
  return (
    <label class="quiet">
      <span>{label}</span>
      <input
        class={wide ? 'wide' : ''}
        name={name}
        value={value}
        placeholder={placeholder}
        spellcheck={false}
        autocomplete="off"
        onChange={(change) => set(name, change.currentTarget.value.trim())}
      />
    </label>
  )
}
