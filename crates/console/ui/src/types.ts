// Shapes of the API. Fields that have nothing to say are left out of events.

export interface Page<T> {
  items: T[]
  next: string | null
}

export type Action = 'pass' | 'deny' | 'would_block'

export interface RuleHit {
  id?: string
  message?: string
  severity?: string
  file?: string
  line?: string
  disruptive?: boolean
  phase?: number
  target?: string
  data?: string
  tags?: string[]
}

export interface Finding {
  attack?: string
  detector?: string
  confidence?: number
  point?: string
  decode_path?: string
  excerpt?: string
  why?: string
  phase?: number
  disruptive?: boolean
}

export interface PolicyHit {
  kind?: string
  namespace?: string
  name?: string
  tier?: string
  action?: string
  policy_index?: number
  rule_index?: number
}

export interface PolicyTrace {
  verdict?: string
  reason?: string
  pending_verdict?: string
  pending_reason?: string
  enforced?: PolicyHit[]
  pending?: PolicyHit[]
  nearest?: string
}

export interface End {
  ip?: string
  port_num?: number
  hostname?: string
  peer_ip?: string
  namespace?: string
  name?: string
  service_account?: string
  spiffe_id?: string
  country?: string
  upstream?: string
}

export interface Event {
  '@timestamp': string
  id: string
  kind: string
  action: Action
  mode?: string
  gray?: boolean
  verdict?: string
  host?: string
  /** Where it came from, at a console for many. */
  dataplane?: string
  service?: string
  application?: number
  listener?: string
  source?: End
  destination?: End
  method?: string
  path?: string
  protocol?: string
  authority?: string
  user_agent?: string
  msg?: string
  rule_info?: string
  rules?: RuleHit[]
  findings?: Finding[]
  attacks?: string[]
  cause?: string
  rule_id?: number
  attack?: string
  framing?: string
  phase?: number
  scores?: Record<string, number>
  policy?: PolicyTrace
  reason?: string
  incomplete?: boolean
  shortfalls?: string[]
  status?: number
  answered_by?: string
  request_bytes?: number
  request_bytes_inspected?: number
  response_bytes?: number
  duration_us?: number
  request_id?: string
  client_request_id?: string
  trace_id?: string
  tls?: { version?: string; cipher?: string; sni?: string }
  dropped?: { at?: string; events?: number; traffic?: number }
}

export interface Counts {
  requests: number
  blocked: number
  would_block: number
}

export interface Stats {
  from: string
  to: string
  step_seconds: number
  total: Counts & { events: number }
  series: (Counts & { time: string })[]
  groups: (Counts & { key: string })[]
}

export interface GraphNode {
  id: string
  kind: 'workload' | 'service' | 'external'
  namespace?: string | null
  name: string
  protected: boolean | null
  mode?: string | null
}

export interface GraphEdge extends Counts {
  source: string
  destination: string
  errors: number
  attacks: { key: string; count: number }[]
}

export interface Graph {
  nodes: GraphNode[]
  edges: GraphEdge[]
}

export interface Service {
  name: string
  application: number | null
  mode: string
  mode_from: string
  mode_written: string
  mode_set: string | null
  mode_override: string
  routes: { hosts: string[]; path: string; mode: string; mode_from: string }[]
}

export interface ModeChange {
  at: string
  by: string
  reason: string
  from: string
  to: string
  set: string | null
}

export interface Status {
  version: string
  state: string
  /** Whether this is a console for many data planes. */
  collects: boolean
  started_at: string
  uptime_seconds: number
  listeners: { name: string; url: string }[]
  services: { name: string; mode: string; rule_set: string | null }[]
  rule_sets: { name: string; rules: number; loaded_at: string }[]
  reloads: { succeeded: number; failed: number; last: { at: string; error: string | null; seconds: number } | null }
  stale: { kind: string; name: string; error: string; since: string }[]
  /** What cannot be done at the moment, in words. */
  problems: string[]
}

export interface Dataplane {
  name: string
  instance: string
  version: string
  /** Null where it is the process that answers. */
  address: string | null
  connected_since: string | null
  last_seen: string
  /** Empty before it has said. */
  state: string
  problem: string | null
  started_at: string | null
  revision: string
  rule_sets: { name: string; rules: number; digest: string }[]
  services: { name: string; mode: string; mode_from: string }[]
  stale: string[]
  spool: { bytes: number; dropped: number }
  received: { records: number; refused: number; latest: string | null }
}

export interface ListEntry {
  id: string
  list: string
  address?: string
  country?: string
  asn?: number
  applications: number[]
  origin: string
  reason: string
  created: string
  expires: string | null
}

export interface ListChange {
  at: string
  what: string
  by: string
  entry: ListEntry
}

/** In the words of the configuration. */
export interface Exception {
  rules?: (number | string)[]
  tags?: string[]
  attacks?: string[]
  points?: string[]
  paths?: string[]
}

export interface Allowance {
  points: (string | null)[]
  exceptions: Exception[]
  broad: number[]
  why_not: string | null
}

export interface ExceptionInForce {
  id: number | null
  of: string
  exception: Exception
  at: string | null
  by: string | null
  reason: string | null
  event: string | null
}

/** How far exceptions that were set at a console for many have come. */
export interface ExceptionsAt {
  dataplane: string
  instance: string
  state: 'in_force' | 'waiting' | 'away' | 'refused'
  why: string | null
}

export interface Exceptions extends Page<ExceptionInForce> {
  changes: ExceptionChange[]
  dataplanes: ExceptionsAt[]
}

export interface ExceptionChange {
  at: string
  what: string
  by: string
  reason: string
  exception: Exception
}

export interface TuningGroup {
  points: string[]
  rules: { id: number; message: string }[]
  attacks: string[]
  requests: number
  blocked: number
  would_block: number
  sources: number
  top_sources: { key: string; count: number }[]
  of_probing_sources: number
  detector_sure: number
  paths: { key: string; count: number }[]
  paths_complete: boolean
  first: string
  last: string
  samples: string[]
  looks: 'ordinary' | 'unclear' | 'attack'
  exceptions: Exception[]
}

export interface Tuning extends Page<TuningGroup> {
  from: string
  to: string
  safe_to_block: {
    requests: number
    ordinary: number
    unclear: number
    attacks: number
    wrong: number
    wrong_at_most: number
    wrong_at_most_after_exceptions: number
    enough: boolean
    not_enough_because: string | null
  }
  complete_from: string | null
  others: number
}

export interface Endpoint {
  method: string
  path: string
  in_path: { name: string; class: string }[]
  requests: number
  statuses: Record<string, number>
  status_classes: Record<string, number>
  parameters: { place: string; name: string; count: number; classes: string[]; bytes_max: number; sensitive: string | null }[]
  parameters_cut: boolean
  sensitive: string[]
  first: string
  last: string
}

export interface Inventory extends Page<Endpoint> {
  from: string
  to: string
  endpoints: number
  requests: number
  left_out: { stopped: number; not_found: number; without_room: number }
  complete_from: string | null
}

export interface ReplayExample {
  id: string
  time: string | null
  method: string
  target: string
  then: { outcome: string; cause?: string }
  now: { outcome: string; cause?: string }
}

export interface ReplayedService {
  service: string
  requests: number
  same: number
  flips: { kind: string; count: number; by: { by: string; count: number }[]; examples: ReplayExample[] }[]
  undecidable: { reason: string; count: number; examples: ReplayExample[] }[]
}

export interface Replay {
  id: number
  state: 'running' | 'done' | 'failed'
  at: string
  by: string
  service: string | null
  against: string
  progress: number
  requests: number
  result: { requests: number; same: number; undecidable: number; flips: Record<string, number>; services: ReplayedService[] } | null
  notes: string[]
  error: string | null
}

export interface Replays extends Page<Replay> {
  recording: { enabled: boolean; bytes: number; how: string | null }
}

export interface Session {
  /** Whether somebody has to say who they are. */
  login: boolean
  /** Ways to do so: `token`, `password`. */
  ways: string[]
  user: string | null
  role: 'anybody' | 'viewer' | 'operator'
  /** To be sent with each change. */
  csrf: string | null
}

export interface Policy {
  kind: string
  namespace: string
  name: string
  tier: string
  order: number | null
  staged: boolean
  selector: string
  directions: string[]
  rules: { direction: string; index: number; action: string; text: string }[]
}

export interface PolicyRuleHits {
  tier: string
  kind: string
  namespace: string
  name: string
  rule_index: number | null
  stopped: number
  would_stop: number
  last: string
}

export interface PolicySuggestions extends Page<PolicySuggestion> {
  learned: number
  left_out: { requests: number; why: string }[]
  complete_from: string | null
}

/** Policies of a workload, what they rest on and what they would have denied of it. */
export interface PolicySuggestion {
  namespace: string
  service_account: string
  services: string[]
  requests: number
  sources: { namespace: string | null; service_account: string | null; port: number; requests: number }[]
  notes: string[]
  tried: { what: string; requests: number; denied: number; examples: string[] }[]
  yaml: string
}

export interface Rule {
  rule_set: string
  id: number | null
  phase: number
  msg: string
  severity: string | null
  tags: string[]
  file: string
  line: number
  /** Why it does not run as written: an exception, or nothing. */
  excepted: string[]
  off: string[]
  removed: boolean
  cost: { sampled: number; runs: number; us: number; share: number } | null
}

export interface Explained {
  verdict: string | null
  status: number | null
  redirect: string | null
  rule_id: number | null
  phase: number | null
  matched: {
    id: number
    phase: number
    msg: string
    data: string
    severity: number | null
    tags: string[]
    target: string
    value: string
    transformations: string[]
    logged: boolean
    file: string
    line: number
  }[]
  findings: {
    attack: string
    detector: string
    confidence: number
    point: string
    decode_path: string[]
    excerpt: string
    why: string
  }[]
  scores: Record<string, number>
  cause: string | null
  would: string | null
  shortfalls: string[]
  time_us?: number
  error: { message: string; file: string | null; line: number | null } | null
}
