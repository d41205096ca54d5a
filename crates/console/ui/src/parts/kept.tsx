// What a page shows that is not what the configuration says, because that could not be used.
import { useResource } from '../api'
import { visible } from '../format'
import type { Status } from '../types'
import { Time } from './basics'

/** Says which objects of a kind stay as they were, since when and why; nothing where all are as configured. */
export function Kept({ kind }: { kind: Status['stale'][number]['kind'] }) {
  const status = useResource<Status>('status', 10_000)
  const kept = (status.data?.stale ?? []).filter((object) => object.kind === kind)
  return (
    <div class="keeps" role="status">
      {kept.map(({ name, error, since }) => (
        <p class="note warn kept" key={name}>
          Not as configured since <Time at={since} />: {kind === name ? kind : `${kind} ${visible(name)}`}. What was in force before stays, for what is configured
          now cannot be used: {visible(error)}
        </p>
      ))}
    </div>
  )
}
