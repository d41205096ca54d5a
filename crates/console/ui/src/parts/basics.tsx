// Small parts that every page is made of.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Resource } from '../api'
import { actionWord, modeWord, moment, ago, visible } from '../format'

export function Panel({ title, aside, children, class: name = '' }: {
  title?: ComponentChildren
  aside?: ComponentChildren
  children: ComponentChildren
  class?: string
}) {
  return (
    <section class={`panel ${name}`}>
      {title && (
        <header>
          <h2>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  )
}

export function Loading({ what }: { what: string }) {
  return <p class="empty" role="status">Loading {what} …</p>
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>
}

export function Failure({ error, again }: { error: Error; again?: () => void }) {
  return (
    <div class="failure" role="alert">
      <strong>This could not be loaded.</strong> {visible(error.message)}
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  )
}

/** What came of asking: loading, an error, nothing, or what is made of it. An error beside older data shows both. */
export function Loaded<T>({ from, what, isEmpty, empty, children }: {
  from: Resource<T>
  what: string
  isEmpty?: (data: T) => boolean
  empty?: ComponentChildren
  children: (data: T) => ComponentChildren
}) {
  const { data, error } = from
  if (error && data === undefined) return <Failure error={error} again={from.reload} />
  if (data === undefined) return <Loading what={what} />
  return (
    <>
      {error && <Failure error={error} again={from.reload} />}
      {isEmpty?.(data) ? <Empty>{empty ?? `No ${what}.`}</Empty> : children(data)}
    </>
  )
}

export function ActionBadge({ action }: { action: string }) {
  return <span class={`badge ${action}`}>{actionWord(action)}</span>
}

export function Mode({ mode }: { mode: string }) {
  return <span class={`badge mode-${mode}`}>{modeWord(mode)}</span>
}

/** Text of clients, made visible; long ones are cut by the page and whole on hover. */
export function Text({ children, class: name }: { children: string | number | undefined | null; class?: string }) {
  if (children === undefined || children === null || children === '') return <span class="dim">–</span>
  const text = visible(String(children))
  return <span class={name} title={text.length > 40 ? text : undefined}>{text}</span>
}

export function Time({ at }: { at: string }) {
  return <time dateTime={at} title={`${moment(at)} (${at})`}>{moment(at)}</time>
}

export function Ago({ at }: { at: string }) {
  return <time dateTime={at} title={moment(at)}>{ago(at)}</time>
}

export function Copy({ text, children = 'Copy' }: { text: string; children?: ComponentChildren }) {
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setDone(true)
    } catch {
      setDone(false)
    }
  }
  return <button type="button" onClick={copy}>{done ? 'Copied' : children}</button>
}

/** A dialog of the browser's own: keeps the focus within, ends with Escape. */
export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
    // What is written first, not the cross.
    dialog.current?.querySelector<HTMLElement>('form input:checked, form input, form select')?.focus()
  }, [])
  return (
    <dialog ref={dialog} onClose={close} aria-label={title}>
      <header>
        <h2>{title}</h2>
        <button type="button" aria-label="Close" onClick={() => dialog.current?.close()}>×</button>
      </header>
      {children}
    </dialog>
  )
}

export function Field({ label, hint, children }: { label: string; hint?: string; children: ComponentChildren }) {
  return (
    <label class="field">
      <span>{label}{hint && <small> {hint}</small>}</span>
      {children}
    </label>
  )
}

/** A bar behind a cell: how much of the most it is. */
export function Share({ of }: { of: number }) {
  return <i class="share" aria-hidden="true" style={{ width: `${Math.round(100 * Math.min(1, of))}%` }} />
}

/** A list of names and what they are. What is nothing is left out. */
export function Facts({ of }: { of: [string, ComponentChildren][] }) {
  const known = of.filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false)
  return (
    <dl class="facts">
      {known.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{typeof value === 'string' ? visible(value) : value}</dd>
        </div>
      ))}
    </dl>
  )
}
