// Asks the API, and keeps what components show of it: loading, data, or an error in words.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { Session } from './types'

export class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

let csrf: string | null = null
const loggedOut = new Set<() => void>()

/** Has somebody told when the server asks who we are. */
export function onLoggedOut(told: () => void): () => void {
  loggedOut.add(told)
  return () => loggedOut.delete(told)
}

interface Asked {
  method?: string
  body?: unknown
  signal?: AbortSignal
}

/** Asks a path below `/api/v1/`. */
export async function ask<T>(path: string, { method = 'GET', body, signal }: Asked = {}): Promise<T> {
  const headers: Record<string, string> = {}
  if (method !== 'GET' && csrf) headers['x-palisade-csrf'] = csrf
  if (body !== undefined) headers['content-type'] = typeof body === 'string' ? 'application/yaml' : 'application/json'
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  let answer: Response
  try {
    answer = await fetch(`/api/v1/${path}`, { method, headers, body: content, signal, credentials: 'same-origin' })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiError(0, 'Palisade does not answer at this address. Is it running?')
  }
  const text = await answer.text()
  const value = parsed(text)
  if (!answer.ok) {
    if (answer.status === 401 && path !== 'login') for (const told of loggedOut) told()
    const said = value && typeof value === 'object' && 'error' in value ? String(value.error) : answer.statusText
    throw new ApiError(answer.status, said)
  }
  return value as T
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Who we are to the server. What it gives to prove changes by is kept here. */
export async function session(): Promise<Session> {
  const session = await ask<Session>('session')
  csrf = session.csrf
  return session
}

export interface Resource<T> {
  /** The last that came; stays while it is asked for again. */
  data: T | undefined
  error: ApiError | undefined
  loading: boolean
  reload: () => void
}

/** What a path answers, asked again every so often while the page is seen, as `read` takes it. Asks nothing without a path. */
export function useResource<T>(path: string | null, everyMs = 0, read: (answer: T) => T = (answer) => answer): Resource<T> {
  const [state, setState] = useState<{ path: string | null; data?: T; error?: ApiError }>({ path: null })
  const [turn, setTurn] = useState(0)
  const shown = useRef(path)
  shown.current = path
  useEffect(() => {
    if (path === null) return
    const ending = new AbortController()
    let timer = 0
    const once = async () => {
      if (document.hidden && everyMs) {
        timer = setTimeout(once, 1000)
        return
      }
      try {
        const data = read(await ask<T>(since(path), { signal: ending.signal }))
        setState({ path, data })
      } catch (error) {
        if (ending.signal.aborted) return
        const told = error instanceof ApiError ? error : new ApiError(0, String(error))
        setState((before) => ({ path, data: before.path === path ? before.data : undefined, error: told }))
      }
      if (everyMs && !ending.signal.aborted) timer = setTimeout(once, everyMs)
    }
    void once()
    return () => {
      ending.abort()
      clearTimeout(timer)
    }
  }, [path, turn, everyMs])
  const reload = useCallback(() => setTurn((turn) => turn + 1), [])
  const current = state.path === path
  return {
    // Numbers of another window are better than none while the new ones come.
    data: state.data,
    error: current ? state.error : undefined,
    loading: path !== null && !current,
    reload,
  }
}

/** Windows of time that pages are about, and their seconds. */
export const WINDOWS: Record<string, number> = { '15m': 900, '1h': 3600, '6h': 21_600, '24h': 86_400, '7d': 604_800 }

/** A path that asks about the last while (`window=1h`), as the API is asked: `from=` a moment. */
export function since(path: string): string {
  return path.replace(/([?&])window=(\w+)/, (_, before: string, window: string) => {
    const from = new Date(Date.now() - 1000 * (WINDOWS[window] ?? 3600))
    return `${before}from=${encodeURIComponent(from.toISOString())}`
  })
}

/** A query string of what is there, with its `?`. */
export function query(parameters: Record<string, string | number | undefined | null>): string {
  const known = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '')
  const text = new URLSearchParams(known.map(([key, value]) => [key, String(value)])).toString()
  return text && `?${text}`
}
