// Events as rows, for the pages that list them.
import { actionWord, clock, moment } from '../format'
import { href } from '../router'
import type { Event } from '../types'
import { reasonOf, sourceOf } from '../event/words'
import { ActionBadge, Text } from './basics'

/** `dataplanes`: whether events come from several. */
export function EventTable({ events, fresh, withDay = true, dataplanes }: { events: Event[]; fresh?: Set<string>; withDay?: boolean; dataplanes: boolean }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Events">
      <table class="events">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Action</th>
            {dataplanes && <th scope="col">Data plane</th>}
            <th scope="col">Service</th>
            <th scope="col">Source</th>
            <th scope="col">Request</th>
            <th scope="col">Why</th>
            <th scope="col" class="number">Status</th>
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
              {dataplanes && <td><Text>{event.dataplane}</Text></td>}
              <td><Text>{event.service}</Text></td>
              <td>
                <Text>{sourceOf(event)}</Text>
                {event.source?.country && <span class="dim"> <Text>{event.source.country}</Text></span>}
              </td>
              <td class="wide mono"><Text>{`${event.method ?? ''} ${event.path ?? ''}`.trim()}</Text></td>
              <td class="wide"><Text>{reasonOf(event)}</Text></td>
              <td class="number"><Text>{event.status}</Text></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
