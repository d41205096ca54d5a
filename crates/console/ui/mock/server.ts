// An API for `npm run dev`: enough to see every page without a data plane, with text that means it no good.
// It is part of no build. `MOCK=off` has the dev server ask a real one on 127.0.0.1:9901.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Plugin } from 'vite'

const HOSTILE = '<img src=x onerror=alert(1)><script>alert(2)</script>\u202e"\'\u0000'
const page = (items: unknown[]) => ({ items, next: null })
const at = (secondsAgo: number) => new Date(Date.now() - secondsAgo * 1000).toISOString()

function event(number: number) {
  const hostile = number % 7 === 3
  const text = hostile ? HOSTILE : "1' UNION SELECT user,password FROM users--"
  return {
    '@timestamp': at(number * 11),
    id: (0x01a20334c7d213fen - BigInt(number)).toString(16).padStart(32, '0'),
    kind: 'waf',
    action: ['deny', 'would_block', 'pass'][number % 3],
    mode: number % 3 === 0 ? 'block' : 'monitoring',
    verdict: number % 3 === 2 ? 'pass' : 'deny',
    host: 'node-1',
    dataplane: `web-${number % 3}.shop`,
    service: hostile ? HOSTILE : 'web',
    source: { ip: `192.0.2.${number % 250}`, country: 'NL' },
    destination: { hostname: 'web.shop', upstream: '10.0.0.7:3000' },
    method: 'GET',
    path: `/product?page=2&id=${encodeURIComponent(text)}`,
    protocol: 'HTTP/1.1',
    authority: 'shop.example.com',
    user_agent: hostile ? HOSTILE : 'curl/8.4',
    msg: 'WAF check FAILED!',
    rules: [
      { id: '942100', message: 'SQL Injection Attack Detected via libinjection', severity: '2', file: 'REQUEST-942.conf', line: '66', phase: 2, target: 'ARGS:id', data: `Matched Data: sUEnk found within ARGS:id: ${text}`, tags: ['attack-sqli', 'paranoia-level/1'] },
      { id: '949110', message: 'Inbound Anomaly Score Exceeded (Total Score: 20)', target: 'TX:blocking_inbound_anomaly_score', disruptive: true, severity: '2' },
    ],
    findings: [{ attack: 'sqli', detector: 'sql', confidence: 98, point: 'query:id', decode_path: 'base64, json:/cmd', excerpt: text, why: 'closes a string and joins another SELECT', phase: 2 }],
    attacks: ['sqli'],
    cause: 'rule',
    rule_id: 949110,
    scores: { inbound_anomaly_score: 20, sql_injection_score: 15 },
    status: number % 3 === 0 ? 403 : 200,
    answered_by: 'palisade',
    duration_us: 1234,
    request_id: 'a2d960cc66097d0cc4d3cd1b18b6d3bb',
  }
}

function stats(by: string) {
  const series = Array.from({ length: 60 }, (_, n) => ({ time: at((60 - n) * 60), requests: 400 + Math.round(120 * Math.sin(n / 5)), blocked: n % 9, would_block: n % 4 }))
  const keys: Record<string, string[]> = { service: ['web', 'cart', HOSTILE], attack: ['sqli', 'xss', 'path-traversal'], rule: ['942100', '941110'], source: ['192.0.2.7', '198.51.100.3'], country: ['NL', 'DE'], action: ['deny'] }
  const groups = (keys[by] ?? []).map((key, n) => ({ key, requests: 9000 >> n, blocked: 90 >> n, would_block: 40 >> n }))
  return { from: at(3600), to: at(0), step_seconds: 60, total: { requests: 24_000, blocked: 240, would_block: 90, events: 330 }, series, groups }
}

/** 200 services in 12 namespaces. */
function graph() {
  const nodes: unknown[] = [{ id: 'external', kind: 'external', name: 'external', namespace: null, protected: null, mode: null }]
  const names = Array.from({ length: 200 }, (_, n) => [`team-${Math.floor((n * n) / 3400)}`, `service-${n}`] as const)
  for (const [n, [namespace, name]] of names.entries()) nodes.push({ id: `${namespace}/${name}`, kind: 'service', namespace, name, protected: n % 5 !== 0, mode: ['block', 'monitoring', 'block', 'safe_blocking', null][n % 5] })
  const id = (n: number) => names[n % 200]!.join('/')
  const edges = names.flatMap((_, n) => {
    const one = { requests: 10 ** (n % 5), would_block: 0, errors: n % 17 === 3 ? 10 ** (n % 5) : 0, blocked: n % 23 === 7 ? 5 : 0, attacks: n % 41 === 9 ? [{ key: 'sqli', count: 12 }] : [] }
    const edges = [{ ...one, source: id(n), destination: id(n * 7 + 3) }]
    if (n % 40 === 0) edges.push({ ...one, source: 'external', destination: id(n), attacks: [{ key: 'xss', count: 3 }], blocked: 3 })
    if (n % 3 === 0) edges.push({ ...one, source: id(n), destination: id(n + 1), attacks: [], blocked: 0 })
    return edges
  })
  return { nodes, edges }
}

const ROUTES: [RegExp, (match: string[], url: URL) => unknown][] = [
  [/^session$/, () => ({ login: false, ways: [], user: null, role: 'operator', csrf: null })],
  [/^events$/, (_, url) => page(Array.from({ length: 50 }, (_, n) => event(n)).filter((event) => !url.searchParams.get('action') || event.action === url.searchParams.get('action')))],
  [/^events\/(.*)\/allowance$/, () => ({ points: ['query:id', null], exceptions: [{ rules: [942100], points: ['query:id'], paths: ['/product'] }], broad: [], why_not: null })],
  [/^services\/.*\/exceptions$/, () => ({ ...page([{ id: 1, of: 'run-time', exception: { rules: [942100], points: ['query:id'] }, at: at(60), by: HOSTILE, reason: HOSTILE, event: null }]), changes: [], dataplanes: [{ dataplane: 'web-0.shop', instance: '00000000', state: 'in_force', why: null }, { dataplane: 'web-1.shop', instance: '00000001', state: 'refused', why: HOSTILE }] })],
  [/^services\/.*\/tuning$/, () => ({ from: at(3600), to: at(0), complete_from: null, others: 0, next: null, safe_to_block: { requests: 24_000, ordinary: 30, unclear: 4, attacks: 90, wrong: 0.0014, wrong_at_most: 0.002, wrong_at_most_after_exceptions: 0.0004, enough: true, not_enough_because: null }, items: [{ points: ['query:id'], rules: [{ id: 942100, message: HOSTILE }], attacks: ['sqli'], requests: 30, blocked: 0, would_block: 30, sources: 6, top_sources: [{ key: HOSTILE, count: 5 }], of_probing_sources: 0, detector_sure: 1, paths: [{ key: '/product', count: 30 }], paths_complete: true, first: at(3000), last: at(10), samples: [event(1).id], looks: 'ordinary', exceptions: [{ rules: [942100], points: ['query:id'], paths: ['/product'] }] }] })],
  [/^services\/.*\/inventory$/, () => ({ from: at(3600), to: at(0), endpoints: 1, requests: 9, left_out: { stopped: 1, not_found: 2, without_room: 0 }, complete_from: null, next: null, items: [{ method: 'GET', path: '/users/{id}', in_path: [{ name: 'id', class: 'integer' }], requests: 9, statuses: { 200: 9 }, status_classes: { '2xx': 9 }, parameters: [{ place: 'query', name: HOSTILE, count: 9, classes: ['text'], bytes_max: 9, sensitive: null }], parameters_cut: false, sensitive: [], first: at(99), last: at(9) }] })],
  [/^replays$/, () => ({ recording: { enabled: true, bytes: 123_456, how: null }, ...page([{ id: 1, state: 'done', at: at(60), by: 'api', service: null, against: 'what is in force', progress: 1, requests: 9, notes: [], error: null, result: { requests: 9, same: 8, undecidable: 0, flips: { newly_blocked: 1 }, services: [{ service: HOSTILE, requests: 9, same: 8, undecidable: [], flips: [{ kind: 'newly_blocked', count: 1, by: [{ by: HOSTILE, count: 1 }], examples: [{ id: 'x', time: at(9), method: 'GET', target: HOSTILE, then: { outcome: 'pass' }, now: { outcome: 'blocked', cause: 'rule 1' } }] }] }] } }]) })],
  [/^policies\/hits$/, () => page([{ tier: 'default', kind: 'np', namespace: 'shop', name: 'web', rule_index: 0, stopped: 3, would_stop: 0, last: at(9) }])],
  [/^policies\/suggestions$/, () => ({ ...page([{ namespace: 'shop', service_account: 'web', services: ['web', HOSTILE], requests: 900, sources: [{ namespace: 'shop', service_account: 'cart', port: 8080, requests: 800 }, { namespace: null, service_account: null, port: 8080, requests: 100 }], notes: [HOSTILE], tried: [{ what: 'that they were made of', requests: 900, denied: 0, examples: [] }, { what: 'taken for attacks, or stopped', requests: 9, denied: 9, examples: [HOSTILE] }], yaml: `# ${HOSTILE}\nkind: StagedNetworkPolicy\n` }]), learned: 900, left_out: [{ requests: 9, why: HOSTILE }], complete_from: null })],
  [/^events\/(.*)$/, ([, id]) => Array.from({ length: 50 }, (_, n) => event(n)).find((event) => event.id === id)],
  [/^stats$/, (_, url) => stats(url.searchParams.get('by') ?? '')],
  [/^graph$/, () => graph()],
  [/^services$/, () => page([{ name: 'web', application: 1, mode: 'monitoring', mode_from: 'run-time', mode_written: 'block', mode_set: 'monitoring', mode_override: 'on', routes: [] }])],
  [/^services\/.*\/mode$/, () => ({ service: {}, changes: [{ at: at(60), by: HOSTILE, reason: 'test', from: 'block', to: 'monitoring', set: 'monitoring' }] })],
  [/^status$/, () => ({ version: '0.1.0 (mock)', state: 'ready', collects: true, started_at: at(9000), uptime_seconds: 9000, listeners: [{ name: 'web', url: 'http://127.0.0.1:8080' }], services: [{ name: 'web', mode: 'block', rule_set: 'default' }], rule_sets: [{ name: 'default', rules: 812, loaded_at: at(9000) }], reloads: { succeeded: 2, failed: 0, last: null }, stale: [], problems: [HOSTILE] })],
  [/^dataplanes$/, () => page([0, 1, 2].map((n) => ({ name: `web-${n}.shop`, instance: `0000000${n}`, version: '0.1.0 (mock)', address: `10.0.0.${n}:41000`, connected_since: at(9000), last_seen: at(n), state: n === 2 ? 'gone' : 'ready', problem: n === 1 ? HOSTILE : null, started_at: at(9000), revision: 'a1b2c3d4'.repeat(8), rule_sets: [{ name: 'default', rules: 812, digest: '0f1e2d3c'.repeat(8) }], services: [{ name: n === 1 ? HOSTILE : 'web', mode: 'block', mode_from: 'profile' }], stale: n === 1 ? [HOSTILE] : [], spool: { bytes: n * 4096, dropped: n === 2 ? 17 : 0 }, received: { records: 9000 >> n, refused: 0, latest: at(n) } })))],
  [/^lists\/changes$/, () => page([])],
  [/^lists\/(\w+)$/, ([, list]) => page([{ id: `${list}:192.0.2.7`, list, address: '192.0.2.7', applications: [], origin: 'api', reason: HOSTILE, created: at(99), expires: at(-3600) }])],
  [/^rules$/, () => page([{ rule_set: 'default', id: 942100, phase: 2, msg: 'SQL Injection Attack Detected via libinjection', severity: '2', tags: ['attack-sqli'], file: '/usr/share/crs/rules/REQUEST-942.conf', line: 66, off: [], removed: false, cost: { sampled: 9, runs: 7, us: 1.5, share: 0.2 }, excepted: [] }])],
  [/^policies$/, () => page([{ kind: 'NetworkPolicy', namespace: 'shop', name: 'web', tier: 'default', order: 10, staged: false, selector: "app == 'web'", directions: ['ingress'], rules: [{ direction: 'ingress', index: 0, action: 'Allow', text: 'methods GET, paths /shop' }] }])],
  [/^alerts(\/fired)?$/, () => page([])],
]

export function mock(): Plugin {
  return {
    name: 'mock',
    apply: 'serve',
    config: () => (process.env.MOCK === 'off' ? { server: { proxy: { '/api': 'http://127.0.0.1:9901' } } } : {}),
    configureServer(server) {
      if (process.env.MOCK === 'off') return
      server.middlewares.use('/api/v1/', (request: IncomingMessage, response: ServerResponse) => {
        const url = new URL(request.url ?? '/', 'http://mock')
        const path = url.pathname.slice(1)
        if (path === 'stream') {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          const timer = setInterval(() => response.write(`event: event\ndata: ${JSON.stringify({ ...event(Date.now() % 9), id: Date.now().toString(16).padStart(32, '0') })}\n\n`), 1500)
          request.on('close', () => clearInterval(timer))
          return
        }
        for (const [pattern, answer] of ROUTES) {
          const match = pattern.exec(path)
          if (!match) continue
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify(answer([...match], url)))
          return
        }
        response.statusCode = 404
        response.end(JSON.stringify({ error: 'the mock does not have this' }))
      })
    },
  }
}
