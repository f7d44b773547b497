/** The command line: what is understood, what is refused, where it is written and with which exit status. Analysis is played. */
import { afterEach, expect, test, vi } from 'vitest'
import type { Options } from '../src/analyze.ts'
import { run } from '../src/cli.ts'
import { type Finding, UserError } from '../src/model.ts'
import type { HopRecord, LookupRecord, MessageRecord } from '../src/report/record-types.ts'
import type { Glance } from '../src/report/report-types.ts'
import { CAPTURE, FINDING, GLANCE, HOP, MESSAGE, REPORT, WATCHED } from './fixtures/report.ts'

const played = vi.hoisted(() => ({
  options: null as Options | null,
  records: 1,
  fail: null as Error | null,
  progress: 0,
  findings: [] as Finding[],
}))

vi.mock('../src/analyze.ts', () => ({
  analyze: async (
    options: Options,
    sinks: { lookup?: (l: LookupRecord) => void; hop?: (h: HopRecord) => void } = {},
  ) => {
    played.options = options
    if (played.fail) throw played.fail
    options.onProgress?.(50_000_000, 100_000_000)
    if (played.progress > 0) {
      vi.advanceTimersByTime(played.progress)
      options.onProgress?.(60_000_000, 100_000_000)
    }
    for (let i = 0; i < played.records; i++) {
      sinks.lookup?.(REPORT.slowest[i % REPORT.slowest.length]!)
      sinks.hop?.(HOP)
    }
    return { ...REPORT, findings: played.findings }
  },
  messages: async (options: Options, sink: (m: MessageRecord) => void) => {
    played.options = options
    for (let i = 0; i < played.records; i++) sink(MESSAGE)
    return [CAPTURE]
  },
}))

vi.mock('../src/watch.ts', () => ({
  watchLookups: async (options: Options, sink: (l: LookupRecord) => void) => {
    played.options = options
    for (let i = 0; i < played.records; i++) sink(REPORT.slowest[i % REPORT.slowest.length]!)
    return { ...REPORT, findings: played.findings }
  },
  watchIntervals: async (options: Options, seconds: number, sink: (g: Glance) => void) => {
    played.options = options
    sink({ ...GLANCE, seconds })
    return REPORT
  },
  watch: (options: Options) => ({
    look: () => WATCHED,
    report: new Promise(resolve => options.signal?.addEventListener('abort', () => resolve(REPORT))),
  }),
}))

afterEach(() => {
  Object.assign(played, { options: null, records: 1, fail: null, progress: 0, findings: [] })
  vi.useRealTimers()
})

interface Terminal {
  stdin?: boolean
  stdout?: boolean
  stderr?: boolean
  env?: Record<string, string>
}

async function dnstrail(line: string, { stdin = false, stdout = false, stderr = false, env = {} }: Terminal = {}) {
  const out: string[] = []
  const err: string[] = []
  let interrupt = () => {}
  const status = await run(['node', 'dnstrail', ...line.split(' ').filter(Boolean)], {
    stdin: { isTTY: stdin },
    stdout: { isTTY: stdout, columns: stdout ? 100 : undefined, write: text => out.push(text) },
    stderr: { isTTY: stderr, write: text => err.push(text) },
    env,
    onInterrupt: stop => {
      interrupt = stop
    },
  })
  return { status, out: out.join(''), writes: out.length, err: err.join(''), interrupt }
}

test('a capture alone is analysed', async () => {
  const { status, out, err } = await dnstrail('a.pcap b.pcap')
  expect({ status, err }).toEqual({ status: 0, err: '' })
  expect(out).toContain('Latency per hop')
  expect(out).not.toContain('\x1b')
  expect(played.options).toMatchObject({
    files: ['a.pcap', 'b.pcap'],
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  })
})

test('"analyze" is the same', async () => {
  expect((await dnstrail('analyze a.pcap')).out).toBe((await dnstrail('a.pcap')).out)
})

test('options stand before or after the command', async () => {
  const after = await dnstrail('lookups a.pcap -o ndjson -n shop')
  const before = await dnstrail('-o ndjson -n shop lookups a.pcap')
  expect(after.out).toBe(before.out)
  expect(JSON.parse(after.out)).toEqual(REPORT.slowest[0])
  expect(played.options?.filters.namespace).toBe('shop')
})

test('filters and hints reach the analysis', async () => {
  await dnstrail(
    'hops --pod cart --name google.com --since 2026-11-21T02:51:09Z --until 2026-11-21T02:52:00Z --resources all.json ' +
      '--role coredns=10.244.1.5,10.244.1.6 --role upstream=fd00::35 --resolv-conf resolv.conf --cluster-domain k8s.example ' +
      '--dns-port 1053,5300 --tunnel geneve=6082 --tunnel vxlan=8473 a.pcap',
  )
  expect(played.options).toMatchObject({
    files: ['a.pcap'],
    filters: { pod: 'cart', name: 'google.com', since: '2026-11-21T02:51:09Z', until: '2026-11-21T02:52:00Z' },
    hints: {
      resources: 'all.json',
      roles: [
        { role: 'coredns', addresses: ['10.244.1.5', '10.244.1.6'] },
        { role: 'upstream', addresses: ['fd00::35'] },
      ],
      resolvConf: 'resolv.conf',
      clusterDomain: 'k8s.example',
    },
    ports: {
      dns: [1053, 5300],
      tunnels: [
        { name: 'geneve', port: 6082 },
        { name: 'vxlan', port: 8473 },
      ],
    },
  })
})

test('a pipe on stdin is read without being named', async () => {
  await dnstrail('')
  expect(played.options?.files).toEqual(['-'])
})

test('nothing to read on a terminal prints the help and fails', async () => {
  const { status, out, err } = await dnstrail('', { stdin: true })
  expect({ status, out }).toEqual({ status: 2, out: '' })
  expect(err).toMatch(/^Usage: dnstrail /)
})

test.each([
  ['--wat a.pcap', "dnstrail: unknown option '--wat'"],
  ['--dns-port 0 a.pcap', `dnstrail: option '--dns-port <port,...>' argument '0' is invalid. "0" is no port.`],
  [
    '--tunnel wireguard=51820 a.pcap',
    "dnstrail: option '--tunnel <kind=port,...>' argument 'wireguard=51820' is invalid. It is KIND=PORT, and KIND one of vxlan, geneve, vxlan-gpe, gre, mpls, gtp, l2tp.",
  ],
  ['--outptu json a.pcap', "dnstrail: unknown option '--outptu' (Did you mean --output?)"],
  [
    '-o xml a.pcap',
    "dnstrail: option '-o, --output <form>' argument 'xml' is invalid. Allowed choices are text, json, ndjson, csv.",
  ],
  ['-o csv a.pcap', 'dnstrail: the report comes as text, json or ndjson; csv is for lookups, hops and messages.'],
  [
    '--role dns=10.0.0.1 a.pcap',
    "dnstrail: option '--role <role=address,...>' argument 'dns=10.0.0.1' is invalid. It is ROLE=ADDRESS, and ROLE one of pod, host, host-resolver, node-local-cache, coredns, upstream.",
  ],
  [
    '--role coredns=10.0.0 a.pcap',
    `dnstrail: option '--role <role=address,...>' argument 'coredns=10.0.0' is invalid. "10.0.0" is no IP address.`,
  ],
  [
    '--role coredns a.pcap',
    "dnstrail: option '--role <role=address,...>' argument 'coredns' is invalid. An address is missing.",
  ],
  [
    '--role coredns=10.0.0.1=10.0.0.2 a.pcap',
    `dnstrail: option '--role <role=address,...>' argument 'coredns=10.0.0.1=10.0.0.2' is invalid. "10.0.0.1=10.0.0.2" is no IP address.`,
  ],
  [
    '--tunnel vxlan=8472=8473 a.pcap',
    `dnstrail: option '--tunnel <kind=port,...>' argument 'vxlan=8472=8473' is invalid. "8472=8473" is no port.`,
  ],
  ['lokups a.pcap', 'dnstrail: There is no file lokups; did you mean the command lookups?'],
  ['shwo a.pcap L3', 'dnstrail: There is no file shwo; did you mean the command show?'],
  ['mesage a.pcap', 'dnstrail: There is no file mesage; did you mean the command messages?'],
  ['report a.pcap', 'dnstrail: There is no file report; did you mean the command analyze?'],
  [
    '--fail-on note a.pcap',
    'dnstrail: there is no finding "note"; "dnstrail explain" lists them all. It may also be problem, warning, info.',
  ],
  ['lookups - -', 'dnstrail: standard input ("-") can be read only once.'],
  ['a.pcap -n', "dnstrail: option '-n, --namespace <name>' argument missing"],
])('%s is refused in one sentence', async (line, sentence) => {
  expect(await dnstrail(line)).toMatchObject({ status: 2, out: '', err: `${sentence}\n` })
  expect(played.options).toBeNull()
})

/** What a command does not read, and who does. */
const ANALYSING = 'the report, lookups, show, what-if, compare, watch and hops'
const UNREAD: Record<string, [option: string, readers: string][]> = {
  lookups: [['--fail-on problem', 'the report, compare and watch']],
  show: [['--ignore ndots-waste', 'the report, compare and watch']],
  'what-if': [['--findings ndots-waste', 'the report, compare and watch']],
  hops: [['--fail-on problem', 'the report, compare and watch']],
  messages: [
    ['--namespace shop', ANALYSING],
    ['--pod cart', ANALYSING],
    ['--role coredns=10.0.0.1', ANALYSING],
    ['--ignore ndots-waste', 'the report, compare and watch'],
  ],
  explain: [
    ['--output json', `${ANALYSING.replace(' and hops', ', hops')} and messages`],
    ['--name google.com', `${ANALYSING.replace(' and hops', ', hops')} and messages`],
    ['--dns-port 1053', `${ANALYSING.replace(' and hops', ', hops')} and messages`],
    ['--fail-on problem', 'the report, compare and watch'],
  ],
}

test.each(
  Object.entries(UNREAD).flatMap(([command, rows]) =>
    rows.map(([option, readers]) => [command, option, readers] as const),
  ),
)('%s does not read %s, before it or after it', async (command, option, readers) => {
  const sentence = `dnstrail: ${command} does not read ${option.split(' ')[0]}; ${readers} do.\n`
  for (const line of [`${command} a.pcap b.pcap ${option}`, `${option} ${command} a.pcap b.pcap`]) {
    const args = command === 'explain' ? line.replace(' a.pcap b.pcap', '') : line
    expect(await dnstrail(args)).toMatchObject({ status: 2, out: '', err: sentence })
  }
  expect(played.options).toBeNull()
  expect((await dnstrail(`${command} --help`)).out).not.toContain(`${option.split(' ')[0]} `)
})

test.each([
  ['a.pcap', 'fail-on', 'namespace', 'tunnel'],
  ['watch a.pcap', 'fail-on', 'namespace', 'tunnel'],
  ['compare a.pcap b.pcap', 'fail-on', 'namespace', 'tunnel'],
  ['lookups a.pcap', 'namespace', 'tunnel', 'resources'],
  ['hops a.pcap', 'pod', 'tunnel', 'resources'],
  ['messages a.pcap', 'since', 'until', 'name', 'dns-port'],
])('%s reads --%s, --%s ..., before it or after it', async (line, ...options) => {
  const values: Record<string, string> = { tunnel: 'vxlan=8473', 'dns-port': '1053', 'fail-on': 'problem' }
  const given = options.map(option => `--${option} ${values[option] ?? 'x'}`).join(' ')
  for (const args of [`${line} ${given}`, `${given} ${line}`]) {
    const { status, err } = await dnstrail(args)
    expect(status).toBe(0)
    expect(err).not.toContain('does not read')
  }
})

test('the help of a command lists what it reads', async () => {
  const { status, out } = await dnstrail('help lookups')
  expect(status).toBe(0)
  expect(out).toBe((await dnstrail('lookups --help')).out)
  expect(out).toContain('--namespace <name>')
  expect(out).not.toContain('--fail-on')
  expect((await dnstrail('help')).out).toBe((await dnstrail('--help')).out)
})

test('show without a capture says that it is missing', async () => {
  expect((await dnstrail('show L3', { stdin: true })).err).toBe(
    'dnstrail: captures are missing: dnstrail show CAPTURE... L3\n',
  )
})

test("the user's mistake is one sentence", async () => {
  played.fail = new UserError('no.pcap: no such file.')
  for (const command of ['', 'lookups ', 'lookups -o csv ', 'lookups -o json ']) {
    expect(await dnstrail(`${command}no.pcap`)).toMatchObject({
      status: 2,
      out: '',
      err: 'dnstrail: no.pcap: no such file.\n',
    })
  }
})

test('our own mistake is thrown', async () => {
  played.fail = new TypeError('x is not a function')
  await expect(dnstrail('a.pcap')).rejects.toThrow(TypeError)
})

test.each([
  ['a.pcap -o json', 'slowest'],
  ['a.pcap -o ndjson', 'slowest'],
])('%s is the report', async (line, field) => {
  const { out } = await dnstrail(line)
  expect(JSON.parse(out)).toEqual(REPORT)
  expect(out).toContain(field)
  expect(out.endsWith('}\n')).toBe(true)
})

test('each kind of record has its head', async () => {
  expect((await dnstrail('lookups a.pcap')).out.split('\n')[0]).toContain('client')
  expect((await dnstrail('hops a.pcap')).out.split('\n')[0]).toContain('served from')
  expect((await dnstrail('messages a.pcap')).out.split('\n')[0]).toContain('kind')
  expect((await dnstrail('messages -o csv a.pcap')).out.split('\r\n')[0]).toMatch(/^file,frame,time,/)
})

test('many records leave in few writes', async () => {
  played.records = 10_000
  const { out, writes } = await dnstrail('lookups -o ndjson a.pcap')
  expect(out.split('\n')).toHaveLength(10_001)
  expect(writes).toBeLessThan(out.length / 60_000)
})

test('what a stream of records cannot say is said on stderr', async () => {
  expect((await dnstrail('lookups a.pcap')).err).toBe(
    'dnstrail: node-a-any.pcap: A name in a DNS message points forward or to itself (3 times).\n' +
      'dnstrail: node-a-any.pcap: The file ends in the middle of a record.\n',
  )
  expect((await dnstrail('messages a.pcap')).err).toBe('dnstrail: node-a-any.pcap: 3 frames could not be read.\n')
})

test('no record is said too', async () => {
  played.records = 0
  expect((await dnstrail('messages a.pcap')).err).toContain('dnstrail: there is no message in the capture.\n')
  expect((await dnstrail('hops -n shop a.pcap')).err).toContain('dnstrail: no hop matches the filters.\n')
  expect((await dnstrail('lookups -o json a.pcap')).out).toBe('[]\n')
})

test.each([
  ['a terminal', 'a.pcap', { stdout: true }, true],
  ['a pipe', 'a.pcap', {}, false],
  ['NO_COLOR', 'a.pcap', { stdout: true, env: { NO_COLOR: '1' } }, false],
  ['an empty NO_COLOR', 'a.pcap', { stdout: true, env: { NO_COLOR: '' } }, true],
  ['FORCE_COLOR', 'a.pcap', { env: { FORCE_COLOR: '1' } }, true],
  ['--color over NO_COLOR', 'a.pcap --color', { env: { NO_COLOR: '1' } }, true],
  ['--no-color', 'a.pcap --no-color', { stdout: true }, false],
  ['a dumb terminal', 'a.pcap', { stdout: true, env: { TERM: 'dumb' } }, false],
])('colour with %s', async (_case, line, terminal, colored) => {
  expect((await dnstrail(line, terminal)).out.includes('\x1b[')).toBe(colored)
})

test('Ctrl-C ends the reading, not the report', async () => {
  const { interrupt } = await dnstrail('a.pcap')
  expect(played.options?.signal?.aborted).toBe(false)
  interrupt()
  expect(played.options?.signal?.aborted).toBe(true)
})

test('progress is one line that disappears, on a terminal and after a while', async () => {
  vi.useFakeTimers()
  played.progress = 600
  expect((await dnstrail('a.pcap')).err).toBe('')
  expect((await dnstrail('a.pcap', { stderr: true })).err).toBe(
    '\r\x1b[Kreading: 60.0 MB, 60 % (Ctrl-C ends and reports)\r\x1b[K',
  )
  played.progress = 100
  expect((await dnstrail('a.pcap', { stderr: true })).err).toBe('')
})

test('the help has examples and fits 80 columns', async () => {
  const { status, out } = await dnstrail('--help')
  expect(status).toBe(0)
  await expect(out).toMatchFileSnapshot('fixtures/help.txt')
  expect(Math.max(...out.split('\n').map(text => text.length))).toBeLessThanOrEqual(80)
})

test('--fail-on ends with 1 where a finding is at least that bad; --ignore takes it out first', async () => {
  played.findings = [{ ...FINDING, code: 'ndots-waste', severity: 'warning' }]
  expect((await dnstrail('a.pcap --fail-on problem')).status).toBe(0)
  expect((await dnstrail('a.pcap --fail-on warning')).status).toBe(1)
  expect((await dnstrail('a.pcap --fail-on info')).status).toBe(1)
  expect((await dnstrail('a.pcap --fail-on useless-suffix,ndots-waste')).status).toBe(1)
  expect((await dnstrail('a.pcap --fail-on warning --ignore ndots-waste')).status).toBe(0)
  expect((await dnstrail('a.pcap --findings useless-suffix')).out).toContain('Findings  none')
  expect((await dnstrail('a.pcap --fail-on warnings')).err).toContain('there is no finding "warnings"')
})

test('explain tells of one finding or lists all', async () => {
  expect((await dnstrail('explain')).out).toContain('ndots-waste')
  const { status, out } = await dnstrail('explain ndots-waste')
  expect(status).toBe(0)
  for (const title of ['What it means', 'Why it happens', 'What to do', 'How we know', 'Read on'])
    expect(out).toContain(title)
  const unknown = await dnstrail('explain no-such-code')
  expect(unknown).toMatchObject({ status: 2, out: '' })
})

test('what is watched in a pipe is one line of ndjson per lookup', async () => {
  played.records = 3
  const { out, err } = await dnstrail('watch a.pcap')
  expect(
    out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).id),
  ).toEqual(REPORT.slowest.slice(0, 3).map(l => l.id))
  expect(err).toContain('node-a-any.pcap: The file ends')
  played.findings = [{ ...FINDING, code: 'ndots-waste' }]
  expect((await dnstrail('watch --fail-on ndots-waste a.pcap')).status).toBe(1)
  expect((await dnstrail('watch --fail-on ndots-waste --ignore ndots-waste a.pcap')).status).toBe(0)
  expect((await dnstrail('watch -o ndjson a.pcap', { stdout: true })).out).toBe(out)
})

test('--every prints a short report per span and the report at the end; as ndjson the spans alone', async () => {
  const { out } = await dnstrail('watch --every 10s a.pcap')
  expect(out).toMatch(/^02:51:00 {2}\d/)
  expect(out).toContain('Latency per hop')
  const records = await dnstrail('watch --every 1m -o ndjson a.pcap')
  expect(JSON.parse(records.out)).toMatchObject({ seconds: 60, dropped: 42 })
  // A terminal that can only print lines, and a pipe of which text is wanted.
  for (const [line, terminal] of [
    ['watch a.pcap', { stdout: true, env: { TERM: 'dumb' } }],
    ['watch -o text a.pcap', {}],
  ] as const) {
    const { out } = await dnstrail(line, terminal)
    expect(out).toMatch(/^02:51:00 {2}\d/)
    expect(out).not.toContain('\x1b')
  }
  for (const bad of ['watch --every 10', 'watch --every 0.5s', 'watch -o csv'])
    expect((await dnstrail(`${bad} a.pcap`)).status).toBe(2)
})

test('on a terminal it is a screen of its own, left as it was found, and then the report', async () => {
  vi.useFakeTimers()
  const writes: string[] = []
  let resize = () => {}
  let interrupt = () => {}
  const stdout = {
    isTTY: true,
    columns: 80,
    rows: 24,
    write: (text: string) => writes.push(text),
    on: (_: 'resize', listener: () => void) => {
      resize = listener
    },
    off: () => {
      resize = () => {}
    },
  }
  const ending = run(['node', 'dnstrail', 'watch', '-'], {
    stdin: {},
    stdout,
    stderr: { write: () => {} },
    env: { NO_COLOR: '1' },
    onInterrupt: stop => {
      interrupt = stop
    },
  })
  await vi.dynamicImportSettled()
  await vi.advanceTimersByTimeAsync(1100)
  expect(writes).toHaveLength(1)
  expect(writes[0]).toMatch(/^\x1b\[\?1049h\x1b\[\?25l/)
  stdout.rows = 10
  resize()
  expect(writes).toHaveLength(2)
  expect(writes[1]).toContain('\x1b[10;1H')
  expect(writes[1]).not.toContain('\x1b[11;1H')
  interrupt()
  // At once, so that a second Ctrl-C, which kills, leaves nothing behind.
  expect(writes[2]).toBe('\x1b[?25h\x1b[?1049l')
  expect(await ending).toBe(0)
  expect(writes.slice(3).join('')).toMatch(/^Capture/)
})
