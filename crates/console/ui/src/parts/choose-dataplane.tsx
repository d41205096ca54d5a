// Which data plane a page is about, at a console for many: all of them, or one that stands in the address.
import { useResource } from '../api'
import { visible } from '../format'
import { go, type Place, withQuery } from '../router'
import type { Dataplane, Page } from '../types'

export function ChooseDataplane({ place }: { place: Place }) {
  const dataplanes = useResource<Page<Dataplane>>('dataplanes', 30_000)
  const asked = place.query.get('dataplane') ?? ''
  // Replicas share a name. One that is in the address may have been forgotten since.
  const names = new Set([...(dataplanes.data?.items ?? []).map((dataplane) => dataplane.name), ...(asked ? [asked] : [])])
  return (
    <label class="quiet">
      <span>Data plane</span>
      <select name="dataplane" value={asked} onChange={(change) => go(withQuery(place, { dataplane: change.currentTarget.value }), true)}>
        <option value="">all</option>
        {[...names].sort().map((name) => <option key={name} value={name}>{visible(name)}</option>)}
      </select>
    </label>
  )
}
