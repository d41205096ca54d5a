// What only a data plane can do, at a console for many: why, and where.
import type { ComponentChildren } from 'preact'
import { useResource } from '../api'
import { visible } from '../format'
import { href } from '../router'
import type { Dataplane, Page } from '../types'
import { Panel } from './basics'

const NAMED_MAX = 12

/** `command` is what does the same without pages. */
export function Elsewhere({ title, command, children }: { title: string; command: string; children: ComponentChildren }) {
  const planes = useResource<Page<Dataplane>>('dataplanes')
  const names = [...new Set((planes.data?.items ?? []).filter((plane) => plane.state !== 'gone').map((plane) => plane.name))]
  return (
    <Panel title={title}>
      <p>{children}</p>
      <p class="note">
        Open the console of a data plane, at its <code>admin.address</code> (9901 as a rule; in a cluster by <code>kubectl port-forward</code>), or
        run <code>{command}</code> with its configuration.
      </p>
      {names.length > 0 && (
        <p class="note">
          There now: {names.slice(0, NAMED_MAX).map((name, number) => <>{number > 0 && ', '}<code>{visible(name)}</code></>)}
          {names.length > NAMED_MAX && <> and {names.length - NAMED_MAX} more</>}. <a href={href(['health'])}>How they are</a>
        </p>
      )}
    </Panel>
  )
}
