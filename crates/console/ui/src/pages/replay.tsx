// Recorded requests through what is in force, or through a change of it: what would have become of them.
import { useState } from 'preact/hooks'
import type { PageProps } from '../app'
import { type ApiError, ask, useResource } from '../api'
import { bytes, count, plural, visible } from '../format'
import { Ago, Empty, Failure, Field, Loaded, Panel, Text } from '../parts/basics'
import { useService } from '../parts/choose-service'
import { Elsewhere } from '../parts/elsewhere'
import { href } from '../router'
import type { Replay, ReplayedService, ReplayExample, Replays } from '../types'

export function ReplayPage(props: PageProps) {
  if (!props.collects) return <Replaying {...props} />
  return (
    <Elsewhere title="Recordings are replayed at a data plane" command="palisade replay">
      Recordings hold requests as they came, secrets included. They stay in the data folder of the data plane that made them, and are never sent
      here; what they are replayed against stays there as well.
    </Elsewhere>
  )
}

function Replaying({ place, operates }: PageProps) {
  const replays = useResource<Replays>('replays', 1000)
  return (
    <Loaded from={replays} what="replays">
      {({ recording, items }) => (
        <>
          <Panel title="Recording">
            {recording.enabled
              ? <p>Requests are recorded: {bytes(recording.bytes)} to be replayed.</p>
              : <p><strong>Requests are not recorded:</strong> {(recording.how ?? '').split('`').map((part, at) => at % 2 ? <code key={at}>{visible(part)}</code> : visible(part))}. What is kept, for how long, and what is masked stands in the guide to replay.</p>}
          </Panel>
          {operates && (recording.enabled || recording.bytes > 0) && <Start place={place} started={replays.reload} />}
          {items.length === 0
            ? <Panel title="Replays"><Empty>Nothing has been replayed since this process began.</Empty></Panel>
            : items.map((replay) => <Shown key={replay.id} replay={replay} operates={operates} changed={replays.reload} />)}
        </>
      )}
    </Loaded>
  )
}

function Start({ place, started }: { place: PageProps['place']; started: () => void }) {
  const { service, choice } = useService(place)
  const [since, setSince] = useState('')
  const [profile, setProfile] = useState('')
  const [rules, setRules] = useState('')
  const [error, setError] = useState<ApiError>()
  const send = async () => {
    setError(undefined)
    try {
      await ask('replays', { method: 'POST', body: { service, since, profile, rules } })
      started()
    } catch (error) {
      setError(error as ApiError)
    }
  }
  return (
    <Panel title="Replay">
      <form onSubmit={(submit) => { submit.preventDefault(); void send() }}>
        <div class="bar">{choice}</div>
        <Field label="Since" hint="15m, 2h, 3d, or a time; all when empty"><input name="since" value={since} onInput={(input) => setSince(input.currentTarget.value)} /></Field>
        <Field label="Keys of its profile" hint="YAML, in place of those in force; lists add up. Nothing here is served">
          <textarea name="profile" rows={4} spellcheck={false} placeholder="mode: block" value={profile} onInput={(input) => setProfile(input.currentTarget.value)} />
        </Field>
        <Field label="Rules after its own" hint="SecLang">
          <textarea name="rules" rows={4} spellcheck={false} placeholder={'SecRule ARGS "@rx ..." "id:1000,phase:2,deny,status:403"'} value={rules} onInput={(input) => setRules(input.currentTarget.value)} />
        </Field>
        {error && <Failure error={error} />}
        <p class="buttons"><button type="submit" class="main">Replay</button></p>
      </form>
    </Panel>
  )
}

const KINDS: Record<string, [string, string]> = {
  newly_blocked: ['newly blocked', 'deny'],
  no_longer_blocked: ['no longer blocked', 'pass'],
  newly_would_block: ['newly would be blocked', 'would_block'],
  no_longer_would_block: ['no longer would be blocked', 'pass'],
}

function Shown({ replay, operates, changed }: { replay: Replay; operates: boolean; changed: () => void }) {
  const remove = () => void ask(`replays/${replay.id}`, { method: 'DELETE' }).finally(changed)
  const { result } = replay
  return (
    <Panel
      title={<>Replay {replay.id} against {visible(replay.against)}</>}
      aside={operates && <button type="button" onClick={remove}>{replay.state === 'running' ? 'Stop' : 'Forget'}</button>}
    >
      <p class="dim"><Ago at={replay.at} /> by <Text>{replay.by}</Text>{replay.service && <> · service <Text>{replay.service}</Text></>}</p>
      {replay.state === 'running' && (
        <p><progress value={replay.progress} max={1} aria-label="How much of the recording was read" /> {plural(replay.requests, 'request')}</p>
      )}
      {replay.error && <p class="note warn">It failed: {visible(replay.error)}</p>}
      {replay.notes.map((note) => <p class="note" key={note}>{visible(note)}</p>)}
      {result && (
        <>
          <p class="outcome">
            {plural(result.requests, 'request')} replayed: {count(result.same)} as before
            {Object.entries(KINDS).map(([kind, [words]]) => (result.flips[kind] ?? 0) > 0 && <>, <strong>{count(result.flips[kind]!)} {words}</strong></>)}
            {result.undecidable > 0 && <>, {count(result.undecidable)} undecidable</>}.
          </p>
          {result.services.filter((of) => of.same < of.requests).map((of) => <OfService key={of.service} of={of} />)}
        </>
      )}
    </Panel>
  )
}

function OfService({ of }: { of: ReplayedService }) {
  return (
    <section>
      <h3>{visible(of.service || '(no service)')}</h3>
      {of.flips.map((flip) => {
        const [words, kind] = KINDS[flip.kind] ?? [flip.kind, 'pass']
        return (
          <details class="policy" key={flip.kind} open>
            <summary><span class={`badge ${kind}`}>{visible(words)}</span> <strong>{plural(flip.count, 'request')}</strong></summary>
            <table>
              <thead><tr><th scope="col">By</th><th scope="col" class="number">Requests</th></tr></thead>
              <tbody>{[...flip.by].sort((one, other) => other.count - one.count).slice(0, 20).map((by) => <tr key={by.by}><td><By>{by.by}</By></td><td class="number">{count(by.count)}</td></tr>)}</tbody>
            </table>
            <Examples of={flip.examples} />
          </details>
        )
      })}
      {of.undecidable.map((one) => (
        <details class="policy" key={one.reason}>
          <summary><span class="badge">undecidable</span> <strong>{plural(one.count, 'request')}</strong> <span class="dim">{visible(one.reason)}</span></summary>
          <Examples of={one.examples} />
        </details>
      ))}
    </section>
  )
}

function By({ children }: { children: string }) {
  const rule = /^rule (\d+)$/.exec(children)?.[1]
  return rule ? <a href={href(['rules'], { q: rule })}>{children}</a> : <Text>{children}</Text>
}

function Examples({ of }: { of: ReplayExample[] }) {
  return (
    <ul class="names">
      {of.map((one) => (
        <li key={one.id}>
          <a href={href(['events'], { q: `request_id = "${one.id}"`, window: '7d' })}>{visible(one.id.slice(0, 8))}</a> <span class="mono">{visible(`${one.method} ${one.target}`)}</span>{' '}
          <span class="dim">then {said(one.then)}, now {said(one.now)}</span>
        </li>
      ))}
    </ul>
  )
}

function said(decided: ReplayExample['now']): string {
  const outcome = decided.outcome.replaceAll('_', ' ')
  return visible(decided.cause ? `${outcome} by ${decided.cause}` : outcome)
}
