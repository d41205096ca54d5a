// Events as rows, for the pages that list them.
import { actionWord, clock, moment } from '../format'
import { href } from '../router'
import type { Event } from '../types'
import { reasonOf, sourceOf } from '../event/words'
import { ActionBadge, Text } from './basics'

export function EventTable({ events, fresh, withDay = true }: { events: Event[]; fresh?: Set<string>; withDay?: boolean }) {
  const planes = new Set(events.map((event) => event.host ?? ''))
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Events">
      <table class="events">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Action</th>
            <th scope="col">Service</th>
            <th scope="col">Source</th>
            <th scope="col">Request</th>
            <th scope="col">Why</th>
            <th scope="col" class="number">Status</th>
            {planes.size > 1 && <th scope="col">Data plane</th>}
          </tr>
        </thead>
        <tbody>
          {events.map((event) => (
            <tr key={event.id} class={fresh?.has(event.id) ? 'fresh' : ''} data-id={event.id}>
              <td>
                <a href={href(['events', event.id])} aria-label={`${actionWord(event.action)} at ${moment(event['@timestamp'])}: show it`}>
                  {withDay ? moment(event['@timestamp']) : clock(event['@timestamp'])}
                </a>
              </td>
              <td><ActionBadge action={event.action} /></td>
              <td><Text>{event.service}</Text></td>
              <td>
                <Text>{sourceOf(event)}</Text>
                {event.source?.country && <span class="dim"> <Text>{event.source.country}</Text></span>}
              </td>
              <td class="wide mono"><Text>{`${event.method ?? ''} ${event.path ?? ''}`.trim()}</Text></td>
              <td class="wide"><Text>{reasonOf(event)}</Text></td>
              <td class="number"><Text>{event.status}</Text></td>
              {planes.size > 1 && <td><Text>{event.host}</Text></td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
