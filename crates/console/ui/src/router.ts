// Where we are: everything behind `#`, so that the server knows one page only and a link says it all.
import { useEffect, useState } from 'preact/hooks'

export interface Place {
  /** Segments of the path, each unescaped: `['events', ID]`. */
  path: string[]
  query: URLSearchParams
}

function read(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2)
  const segments = path.split('/').filter(Boolean).map(unescaped)
  return { path: segments, query: new URLSearchParams(query) }
}

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

export type Query = Record<string, string | undefined | null>

/** A link within the console; what is empty is left out. */
export function href(path: string[], query: Query = {}): string {
  const known = Object.entries(query).filter((pair): pair is [string, string] => !!pair[1])
  const asked = new URLSearchParams(known).toString()
  return `#/${path.map(encodeURIComponent).join('/')}${asked ? `?${asked}` : ''}`
}

/** Goes somewhere. In place: the way back does not stop at every filter that was typed. */
export function go(to: string, inPlace = false): void {
  if (inPlace) {
    history.replaceState(null, '', to)
    dispatchEvent(new HashChangeEvent('hashchange'))
  } else {
    location.hash = to
  }
}

export function usePlace(): Place {
  const [place, setPlace] = useState(read)
  useEffect(() => {
    const moved = () => setPlace(read())
    addEventListener('hashchange', moved)
    return () => removeEventListener('hashchange', moved)
  }, [])
  return place
}

/** The query of where we are, with some of it changed. */
export function withQuery(place: Place, changes: Query): string {
  const query: Query = Object.fromEntries(place.query)
  return href(place.path, { ...query, ...changes })
}
