// Which service a page is about: the one of the address, or the first; or all of them, where that has a word.
import { useResource } from '../api'
import { visible } from '../format'
import { go, type Place, withQuery } from '../router'
import type { Page, Service } from '../types'

export function useService(place: Place, allOfThem?: string): { service: string | undefined; choice: preact.JSX.Element | null } {
  const services = useResource<Page<Service>>('services')
  const names = (services.data?.items ?? []).map((service) => service.name)
  const asked = place.query.get('service')
  const service = asked ?? (allOfThem ? undefined : names[0])
  const all = asked && !names.includes(asked) ? [...names, asked] : names
  const choice = services.data ? (
    <label class="quiet">
      <span>Service</span>
      <select name="service" value={service ?? ''} onChange={(change) => go(withQuery(place, { service: change.currentTarget.value, cursor: '' }))}>
        {allOfThem && <option value="">{allOfThem}</option>}
        {all.map((name) => <option key={name} value={name}>{visible(name)}</option>)}
      </select>
    </label>
  ) : null
  return { service, choice }
}
