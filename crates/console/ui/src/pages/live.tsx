// Events as they come.
import { useEffect, useRef, useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { ask, query } from '../api'
import { eventOf, eventsOf } from '../event/shape'
import { Empty, Panel } from '../parts/basics'
import { ChooseDataplane } from '../parts/choose-dataplane'
import { EventTable } from '../parts/event-table'
import { go, withQuery } from '../router'
import type { Event, Page } from '../types'

/** Rows that stay; the oldest go. */
const ROWS_MAX = 300
/** New rows are drawn at most so often, however fast they come. */
const DRAW_EVERY_MS = 200

type Connection = 'connecting' | 'live' | 'interrupted'

export function Live({ place, collects }: PageProps) {
  const dataplane = place.query.get('dataplane') ?? ''
  // Another choice begins anew.
  return <Following key={dataplane} place={place} dataplane={dataplane} collects={collects} />
}

function Following({ place, dataplane, collects }: Pick<PageProps, 'place' | 'collects'> & { dataplane: string }) {
  const [events, setEvents] = useState<Event[]>([])
  const [fresh, setFresh] = useState<Set<string>>(new Set())
  const [connection, setConnection] = useState<Connection>('connecting')
  const [paused, setPaused] = useState(false)
  const action = place.query.get('action') ?? ''
  const waiting = useRef<Event[]>([])
  const isPaused = useRef(paused)
  isPaused.current = paused

  useEffect(() => {
    const take = (more: Event[]) =>
      setEvents((before) => {
        const known = new Set(before.map((event) => event.id))
        const added = more.filter((event) => !known.has(event.id))
        return [...added, ...before].sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, ROWS_MAX)
      })
    // What was a moment ago says what to expect; what comes meanwhile is told apart by its id.
    ask<Page<Event>>(`events${query({ dataplane, limit: 50 })}`).then((page) => take(eventsOf(page).items), () => {})
    const stream = new EventSource('/api/v1/stream')
    stream.onopen = () => setConnection('live')
    stream.onerror = () => setConnection('interrupted')
    stream.addEventListener('event', (message) => {
      try {
        const event = eventOf(JSON.parse((message as MessageEvent<string>).data))
        if (dataplane && event.dataplane !== dataplane) return
        waiting.current.push(event)
      } catch {
        return
      }
      if (waiting.current.length > ROWS_MAX) waiting.current.shift()
    })
    const timer = setInterval(() => {
      if (isPaused.current || waiting.current.length === 0) return
      const more = waiting.current.splice(0).reverse()
      setFresh(new Set(more.map((event) => event.id)))
      take(more)
    }, DRAW_EVERY_MS)
    return () => {
      stream.close()
      clearInterval(timer)
    }
  }, [])

  const shown = action ? events.filter((event) => event.action === action) : events
  return (
    <>
      <div class="bar">
        <span class={`connection ${connection}`} role="status">
          {connection === 'live' ? 'Connected' : connection === 'connecting' ? 'Connecting …' : 'Interrupted, connecting again …'}
        </span>
        <label class="quiet">
          <span>Action</span>
          <select value={action} onChange={(change) => go(withQuery(place, { action: change.currentTarget.value }), true)}>
            <option value="">all</option>
            <option value="deny">blocked</option>
            <option value="would_block">would block</option>
            <option value="pass">passed</option>
          </select>
        </label>
        {collects && <ChooseDataplane place={place} />}
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? 'Go on' : 'Pause'}
        </button>
      </div>
      <Panel>
        {shown.length === 0 ? <Empty>Waiting for events. Requests that pass unremarked make none.</Empty> : <EventTable events={shown} fresh={fresh} withDay={false} dataplanes={collects} />}
      </Panel>
    </>
  )
}
