// The frame of every page: where one can go, what window of time pages are about, who is there, light or dark.
import type { ComponentChildren, ComponentType } from 'preact'
import { useCallback, useEffect, useErrorBoundary, useState } from 'preact/hooks'
import { ask, onLoggedOut, session as askSession, useResource, WINDOWS } from './api'
import { Failure, Loading } from './parts/basics'
import { go, href, type Place, usePlace, withQuery } from './router'
import type { Session, Status } from './types'
import { Alerts } from './pages/alerts'
import { EventPage } from './pages/event'
import { Events } from './pages/events'
import { GraphPage } from './pages/graph'
import { Health } from './pages/health'
import { Lists } from './pages/lists'
import { InventoryPage } from './pages/inventory'
import { Live } from './pages/live'
import { Login } from './pages/login'
import { Overview } from './pages/overview'
import { Policies } from './pages/policies'
import { ReplayPage } from './pages/replay'
import { Rules } from './pages/rules'
import { Services } from './pages/services'
import { Try } from './pages/try'
import { TuningPage } from './pages/tuning'

export interface PageProps {
  place: Place
  window: string
  /** Whether who is there may change something. */
  operates: boolean
  /** Whether this is a console for many data planes. */
  collects: boolean
}

interface Entry {
  path: string
  title: string
  page: ComponentType<PageProps>
  /** Whether it is about a window of time. */
  timed?: boolean
}

const GROUPS: { title: string; entries: Entry[] }[] = [
  {
    title: 'Traffic',
    entries: [
      { path: '', title: 'Overview', page: Overview, timed: true },
      { path: 'live', title: 'Live', page: Live },
      { path: 'events', title: 'Events', page: Events, timed: true },
      { path: 'graph', title: 'Graph', page: GraphPage, timed: true },
      { path: 'alerts', title: 'Alerts', page: Alerts },
    ],
  },
  {
    title: 'Protection',
    entries: [
      { path: 'services', title: 'Services', page: Services, timed: true },
      { path: 'tuning', title: 'Tuning', page: TuningPage, timed: true },
      { path: 'inventory', title: 'API inventory', page: InventoryPage, timed: true },
      { path: 'policies', title: 'Policies', page: Policies, timed: true },
      { path: 'rules', title: 'Rules', page: Rules, timed: true },
      { path: 'lists', title: 'Lists', page: Lists },
    ],
  },
  {
    title: 'Tools',
    entries: [
      { path: 'try', title: 'Try a request', page: Try },
      { path: 'replay', title: 'Replay', page: ReplayPage },
      { path: 'health', title: 'Health', page: Health },
    ],
  },
]

const ENTRIES = GROUPS.flatMap((group) => group.entries)

export function App() {
  const place = usePlace()
  const [session, setSession] = useState<Session>()
  const [error, setError] = useState<Error>()
  const refresh = useCallback(() => {
    askSession().then(setSession, setError)
  }, [])
  useEffect(refresh, [])
  useEffect(() => onLoggedOut(refresh), [])
  // What it is stays so while it runs, and is asked once.
  const status = useResource<Status>(session && session.role !== 'anybody' ? 'status' : null)

  const section = place.path[0] ?? ''
  const entry = ENTRIES.find((entry) => entry.path === section)
  const isEvent = section === 'events' && place.path[1] !== undefined
  const title = isEvent ? 'Event' : entry?.title ?? 'Nothing here'
  useEffect(() => {
    document.title = `${title} · Palisade`
  }, [title])

  if (error) return <main class="alone"><Failure error={error} /></main>
  if (!session) return <main class="alone"><Loading what="the console" /></main>
  if (session.login && session.user === null) return <Login ways={session.ways} done={refresh} />

  if (!status.data) return <main class="alone">{status.error ? <Failure error={status.error} again={status.reload} /> : <Loading what="the console" />}</main>

  const window = WINDOWS[place.query.get('window') ?? ''] ? place.query.get('window')! : '1h'
  const props: PageProps = { place, window, operates: session.role === 'operator', collects: status.data.collects }
  const PageOf = isEvent ? EventPage : entry?.page
  return (
    <div class="frame">
      <a class="skip" href="#content" onClick={(click) => { click.preventDefault(); document.getElementById('content')?.focus() }}>
        Skip to content
      </a>
      <Navigation section={section} window={window} />
      <header class="top">
        <h1>{title}</h1>
        {entry?.timed && !isEvent && <Windows place={place} window={window} />}
        <span class="spring" />
        <Theme />
        {session.login && <Who session={session} done={refresh} />}
      </header>
      <main id="content" tabIndex={-1}>
        {PageOf ? <Caught key={isEvent ? place.path[1] : section}><PageOf {...props} /></Caught> : <p class="empty">There is no page at this address.</p>}
      </main>
    </div>
  )
}

/** A page that fails says so, and the others stay. */
function Caught({ children }: { children: ComponentChildren }) {
  const [error, again] = useErrorBoundary()
  return error ? <Failure error={error as Error} again={again} /> : <>{children}</>
}

function Navigation({ section, window }: { section: string; window: string }) {
  return (
    <nav class="side" aria-label="Pages">
      <a class="brand" href={href([])}>
        <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
          <path d="M3 7l2.5-3L8 7v14H3zM9.5 7L12 4l2.5 3v14h-5zM16 7l2.5-3L21 7v14h-5z" />
        </svg>
        Palisade
      </a>
      {GROUPS.map((group) => (
        <section key={group.title}>
          <h2>{group.title}</h2>
          <ul>
            {group.entries.map(({ path, title, timed }) => (
              <li key={path}>
                <a
                  href={href(path ? [path] : [], timed ? { window: window === '1h' ? '' : window } : {})}
                  aria-current={section === path ? 'page' : undefined}
                >
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  )
}

function Windows({ place, window }: { place: Place; window: string }) {
  return (
    <div class="segments" role="group" aria-label="Window of time">
      {Object.keys(WINDOWS).map((name) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === window}
          onClick={() => go(withQuery(place, { window: name, cursor: '' }))}
        >
          {name}
        </button>
      ))}
    </div>
  )
}

const THEMES = ['system', 'light', 'dark'] as const

function Theme() {
  const [theme, setTheme] = useState(() => localStorage.getItem('theme') ?? 'system')
  useEffect(() => {
    const { dataset } = document.documentElement
    if (theme === 'system') delete dataset.theme
    else dataset.theme = theme
    localStorage.setItem('theme', theme)
    dispatchEvent(new Event('theme'))
  }, [theme])
  return (
    <label class="quiet">
      <span>Theme</span>
      <select value={theme} onChange={(change) => setTheme(change.currentTarget.value)}>
        {THEMES.map((name) => <option key={name} value={name}>{name}</option>)}
      </select>
    </label>
  )
}

function Who({ session, done }: { session: Session; done: () => void }) {
  const leave = () => void ask('logout', { method: 'POST' }).finally(done)
  return (
    <span class="who">
      <span>{session.user} <span class="dim">{session.role}</span></span>
      <button type="button" onClick={leave}>Log out</button>
    </span>
  )
}
