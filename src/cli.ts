/**
 * The command line: arguments become one plain `Options`, `analyze` does the work, what it gives is written. Alone knows `process`:
 * streams, exit status, Ctrl-C, a broken pipe. Whatever is heavy is loaded when it is needed, so that --help is quick.
 *
 * Long because: every command and every option stands here, each only read and handed on.
 */
import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Options } from './analyze.ts'
import {
  type HopRecord,
  type LookupRecord,
  type MessageRecord,
  type Report,
  ROLES,
  type Role,
  UserError,
} from './model.ts'
import { plural } from './quantities.ts'
import { escapeText } from './report/escape.ts'
import {
  chosenLookups,
  durationOf,
  isSelective,
  type LookupChoice,
  limitOf,
  lookupChoice,
  SORTS,
} from './report/lookup-choice.ts'
import { LOOKUP_COLUMNS } from './report/lookup-columns.ts'
import { OUTPUTS, type Output } from './report/output.ts'
import type { Watched } from './report/screen.ts'
import { FullScreen } from './terminal.ts'
import type { Change } from './trace/change.ts'
import { VERSION } from './version.ts'
import { isTunnelName, TUNNEL_NAMES, type TunnelPort } from './wire/ports.ts'

const ANALYSED = 0
const FOUND = 1
const COULD_NOT_ANALYSE = 2

/** Below this many characters a write costs more than what it writes. */
const WRITE_SIZE = 1 << 16
/** A reader of a pipe sees what a slow capture brought after this at the latest. */
const FLUSH_AFTER_MS = 200
/** Who watches wants each line when it is known: all that one chunk of the capture brought leaves at once. */
const AT_ONCE_MS = 0
const DRAW_EVERY_MS = 1000
/** A span of `watch --every`: shorter ones are shorter than it takes to decide upon a lookup. */
const SHORTEST_SPAN_MS = 1000
/** Where nothing else is said: a terminal that can only print lines. */
const USUAL_SPAN_MS = 10_000
/** A capture that is read sooner than this needs no progress. */
const PROGRESS_AFTER_MS = 500
const PROGRESS_EVERY_MS = 100

const EXAMPLES = `
Examples:
  dnstrail node-a.pcap node-b.pcap             an incident seen from two nodes
  tcpdump -i any -w - port 53 | dnstrail -     live; Ctrl-C ends it and reports
  hubble observe -f -o json | dnstrail watch   flows, on a screen as they come
  dnstrail lookups -n shop -o csv node-a.pcap  every lookup of a namespace
  dnstrail --resources all.json node-a.pcap    with names of pods and services
  dnstrail --fail-on problem node-a.pcap       for scripts
  dnstrail explain ndots-waste                 what a finding means, what to do

Exit status: 0 analysed, 1 a finding of --fail-on, 2 could not analyse.
`

/** What the command line needs of its process; tests give their own. */
export interface Console {
  stdin: { isTTY?: boolean | undefined }
  stdout: Screen
  stderr: Screen
  env: Record<string, string | undefined>
  /** Calls back once, on the first Ctrl-C; the second one kills. */
  onInterrupt: (stop: () => void) => void
  /** Calls `leave` before the process ends or is stopped in whatever way, `comeBack` when it goes on. Gives back how to end that. */
  onLeave?: (leave: () => void, comeBack: () => void) => () => void
}

interface Screen {
  isTTY?: boolean | undefined
  columns?: number | undefined
  rows?: number | undefined
  write: (text: string) => unknown
  on?: (event: 'resize', listener: () => void) => unknown
  off?: (event: 'resize', listener: () => void) => unknown
}

/** Runs `dnstrail` for the process; `argv` as in process.argv. */
export async function main(argv: string[]): Promise<void> {
  // `dnstrail capture | head`: whoever reads has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(ANALYSED)
    throw error
  })
  const { env } = process
  const onInterrupt = (stop: () => void) => process.once('SIGINT', stop)
  // Not process.exit: what is still to be written has to leave first.
  process.exitCode = await run(argv, {
    // Node makes a stream when somebody asks for it.
    get stdin() {
      return process.stdin
    },
    get stderr() {
      return process.stderr
    },
    stdout: process.stdout,
    env,
    onInterrupt,
    onLeave,
  })
}

/** What a shell adds a signal's number to. */
const KILLED = 128

function onLeave(leave: () => void, comeBack: () => void): () => void {
  const ends = { SIGTERM: 15, SIGHUP: 1, SIGQUIT: 3 } as const
  const listeners: [NodeJS.Signals, () => void][] = [
    ...Object.entries(ends).map(([signal, number]): [NodeJS.Signals, () => void] => [
      signal as NodeJS.Signals,
      () => process.exit(KILLED + number),
    ]),
    [
      'SIGTSTP',
      () => {
        leave()
        process.kill(process.pid, 'SIGSTOP')
      },
    ],
    ['SIGCONT', comeBack],
  ]
  for (const [signal, listener] of listeners) process.on(signal, listener)
  process.on('exit', leave)
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener)
    process.off('exit', leave)
  }
}

/** Gives the exit status. */
export async function run(argv: string[], console: Console): Promise<number> {
  const outcome: Outcome = { status: ANALYSED }
  try {
    await program(console, outcome).parseAsync(argv)
    return outcome.status
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return ANALYSED
      if (error.code !== 'commander.help') complain(console, error.message.replace(/^error: /, ''))
      return COULD_NOT_ANALYSE
    }
    if (!(error instanceof UserError)) throw error
    complain(console, error.message)
    return COULD_NOT_ANALYSE
  }
}

// -- Arguments ------------------------------------------------------------------------------------------------------------

interface Flags {
  output: Output
  namespace?: string
  pod?: string
  name?: string
  since?: string
  until?: string
  resources?: string
  role?: Options['hints']['roles']
  resolvConf?: string
  clusterDomain?: string
  dnsPort?: number[]
  tunnel?: TunnelPort[]
  findings?: string[]
  ignore?: string[]
  failOn?: string[]
  color?: boolean
}

/** What the process will end with. */
interface Outcome {
  status: number
}

function program(console: Console, outcome: Outcome): Command {
  const root = new Command('dnstrail')
  root
    .description(
      'Follows every DNS lookup of a Kubernetes cluster through search domains, caches and servers, from packet captures.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .exitOverride()
    .configureOutput({
      writeOut: text => console.stdout.write(text),
      writeErr: text => console.stderr.write(text),
      // Said once, by `run`.
      outputError: () => {},
      getOutHelpWidth: () => screenWidth(console),
      getErrHelpWidth: () => screenWidth(console),
    })
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: command => `${command.name()} ${command.usage().replace('[options] ', '')}`,
    })
    .argument('[capture...]', `pcap, pcapng or Hubble's JSON; "-" is stdin`)
    .addOption(new Option('-o, --output <form>', 'how it is written').choices(OUTPUTS).default('text'))
    .optionsGroup('Filters:')
    .option('-n, --namespace <name>', 'lookups by this namespace')
    .option('--pod <name>', 'lookups by this pod, its workload or its address')
    .option('--name <name>', 'lookups of this name')
    .option('--since <time>', 'from this time on, as in 2026-11-21T02:51:09Z')
    .option('--until <time>', 'up to this time')
    .optionsGroup('Hints (without them everything is inferred):')
    .option('--resources <file>', 'kubectl get pods,svc,endpointslices,nodes -A -o json')
    .option('--role <role=address,...>', `${ROLES.filter(role => role !== 'unknown').join(', ')}; repeatable`, addRole)
    .option('--resolv-conf <file>', "/etc/resolv.conf of the cluster's pods")
    .option('--cluster-domain <name>', 'where it is not cluster.local')
    .option('--dns-port <port,...>', 'DNS servers listen there too', portList)
    .option('--tunnel <kind=port,...>', `${TUNNEL_NAMES.join(', ')}; repeatable`, addTunnel)
    .optionsGroup('Findings ("dnstrail explain" lists the codes):')
    .option('--findings <code,...>', 'only these', commaList)
    .option('--ignore <code,...>', 'all but these', commaList)
    .option('--fail-on <code,...>', 'exit status 1 if found; or problem, warning, info', commaList)
    .optionsGroup('Other:')
    .option('--color', 'colours even in a pipe')
    .option('--no-color', 'no colours (also NO_COLOR=1)')
    .addHelpText('after', EXAMPLES)
    .action((files: string[]) => report(files, root, console, outcome))

  const command = (name: string, description: string, action: (files: string[]) => Promise<void>) =>
    root.command(name).description(description).argument('[capture...]').action(action)
  root.commandsGroup('Commands:')
  command('analyze', 'the report: what was captured, failures, waste, latency (the default)', files =>
    report(files, root, console, outcome),
  )
  const list = command('lookups', 'every question of an application, one a line', files =>
    lookups(files, list.opts<Partial<LookupChoice>>(), root, console),
  )
  list
    .option('--failed', 'only those that did not get what was asked')
    .option('--slower <time>', 'only those that waited longer, as in 100ms, 1.5s, 250us', valid(durationOf))
    .option('--wasteful', 'only those with queries that were not needed')
    .option('--limit <count>', 'no more than so many', valid(limitOf))
    .addOption(
      new Option(
        '--sort <order>',
        'start, longest wait, or most waste first; wait and waste print at the end, and without --limit keep all in memory',
      )
        .choices(SORTS)
        .default('start'),
    )
  root
    .command('show')
    .description('one lookup as a waterfall: an id from "lookups", or a name for its slowest')
    .usage('[capture...] <id>')
    .argument('<capture...>')
    .option('-v, --verbose', 'and its messages, decoded in full')
    .action((all: string[], { verbose = false }: { verbose?: boolean }) => showLookup(all, verbose, root, console))
  root
    .command('what-if')
    .description('the same lookups under another configuration: what it saves, what it breaks')
    .argument('[capture...]')
    .option('--ndots <number>', 'from so many dots on, a name is asked as it is first', valid(ndotsOf))
    .option('--trailing-dot <name>', 'this name would end with a dot; repeatable', addName)
    .option('--drop-suffix <domain>', 'this domain would not be searched; repeatable', addName)
    .option('--autopath', 'CoreDNS would walk the search list for its pods')
    .option('--node-local-cache', 'every node would have a DNS cache')
    .action((files: string[], flags: Partial<Change>) => whatIf(files, flags, root, console))
  root
    .command('compare')
    .description('before and after a change: what differs by more than noise, findings that came and went')
    .usage('<before> <after>')
    .argument('[before]')
    .argument('[after]')
    .option('--before <capture...>', 'where there are several')
    .option('--after <capture...>', 'where there are several')
    .action((before: string | undefined, after: string | undefined, flags: Partial<ComparedFiles>) =>
      compare(comparedFiles(before, after, flags), root, console, outcome),
    )
  const watching = command('watch', 'a live capture on a screen; in a pipe one ndjson line per lookup', files =>
    watch(files, watching.opts<{ every?: number }>().every, root, console, outcome),
  )
  watching.option('--every <time>', 'a short report per span instead, as in 10s, 1m', valid(spanOf))
  command('hops', 'every query to every server, one a line', files => hops(files, root, console))
  command('messages', 'every DNS message on the wire, one a line', files => messages(files, root, console))
  root
    .command('explain')
    .description('what a finding means and what to do; without a code, all of them')
    .argument('[code]')
    .action((code: string | undefined) => explain(code, root, console))
  return root
}

/** A sentence of ours about an argument, as commander wants it. */
const valid =
  <Value>(read: (text: string) => Value) =>
  (text: string): Value => {
    try {
      return read(text)
    } catch (error) {
      throw error instanceof UserError ? new InvalidArgumentError(error.message) : error
    }
  }

interface ComparedFiles {
  before: string[]
  after: string[]
}

function comparedFiles(
  before: string | undefined,
  after: string | undefined,
  flags: Partial<ComparedFiles>,
): ComparedFiles {
  const files = {
    before: flags.before ?? (before === undefined ? [] : [before]),
    after: flags.after ?? (after === undefined ? [] : [after]),
  }
  const both = (flags.before && before !== undefined) || (flags.after && after !== undefined)
  if (files.before.length === 0 || files.after.length === 0 || both)
    throw new UserError(
      'compare wants BEFORE and AFTER, a capture each; for several captures, --before FILE... --after FILE...',
    )
  if ([...files.before, ...files.after].filter(file => file === '-').length > 1)
    throw new UserError('standard input ("-") can be read only once.')
  return files
}

const MOST_NDOTS = 15

function ndotsOf(text: string): number {
  const ndots = Number(text)
  if (!/^\d+$/.test(text) || ndots > MOST_NDOTS) throw new UserError(`ndots is a number from 0 to ${MOST_NDOTS}.`)
  return ndots
}

/** Names as the report has them: lower case, without the dot at the end. */
const addName = (text: string, names: string[] = []): string[] => [...names, text.toLowerCase().replace(/\.$/, '')]

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port === 0 || port > 65_535) throw new InvalidArgumentError(`"${text}" is no port.`)
  return port
}

const portList = (text: string): number[] => text.split(',').map(portOf)

function addTunnel(text: string, tunnels: TunnelPort[] = []): TunnelPort[] {
  const [name = '', list = ''] = text.split('=')
  if (!isTunnelName(name))
    throw new InvalidArgumentError(`It is KIND=PORT, and KIND one of ${TUNNEL_NAMES.join(', ')}.`)
  return [...tunnels, ...portList(list).map(port => ({ name, port }))]
}

const commaList = (text: string): string[] => text.split(',').filter(Boolean)

function addRole(text: string, roles: Options['hints']['roles'] = []): Options['hints']['roles'] {
  const [name, list = ''] = text.split('=')
  const role = ROLES.find(role => role === name && role !== 'unknown') as Role | undefined
  const addresses = list.split(',')
  if (role === undefined)
    throw new InvalidArgumentError(`It is ROLE=ADDRESS, and ROLE one of ${ROLES.slice(0, -1).join(', ')}.`)
  const bad = addresses.find(address => isIP(address) === 0)
  if (bad !== undefined)
    throw new InvalidArgumentError(bad === '' ? 'An address is missing.' : `"${bad}" is no IP address.`)
  return [...roles, { role, addresses }]
}

const SPAN_UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000 }

/** "10s", "1m", "1h" as milliseconds. */
function spanOf(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([smh])$/.exec(text.trim()) ?? []
  if (digits === undefined) throw new UserError(`"${text}" is no span such as 10s, 1m or 1h.`)
  const ms = Number(digits) * SPAN_UNITS[unit]
  if (ms < SHORTEST_SPAN_MS) throw new UserError('a span is at least 1s long.')
  return ms
}

/** What analyze is told. Ctrl-C stops the reading; progress is shown where it disturbs nobody. */
function analyzeOptions(files: string[], root: Command, console: Console, progress: Progress): Options {
  const flags = root.opts<Flags>()
  if (files.length === 0) {
    if (console.stdin.isTTY) root.help({ error: true })
    files = ['-']
  }
  if (files.filter(file => file === '-').length > 1) throw new UserError('standard input ("-") can be read only once.')
  const stop = new AbortController()
  console.onInterrupt(() => stop.abort())
  return {
    files,
    filters: {
      namespace: flags.namespace ?? null,
      pod: flags.pod ?? null,
      name: flags.name ?? null,
      since: flags.since ?? null,
      until: flags.until ?? null,
    },
    hints: {
      resources: flags.resources ?? null,
      roles: flags.role ?? [],
      resolvConf: flags.resolvConf ?? null,
      clusterDomain: flags.clusterDomain ?? null,
    },
    ports: { dns: flags.dnsPort ?? [], tunnels: flags.tunnel ?? [] },
    signal: stop.signal,
    onProgress: progress.show,
  }
}

// -- Commands -------------------------------------------------------------------------------------------------------------

async function report(files: string[], root: Command, console: Console, outcome: Outcome): Promise<void> {
  if (root.opts<Flags>().output === 'csv')
    throw new UserError('the report comes as text, json or ndjson; csv is for lookups, hops and messages.')
  const progress = progressLine(console, true)
  const options = analyzeOptions(files, root, console, progress)
  const print = await reportPrinter(root, console, outcome)
  const { analyze } = await import('./analyze.ts')
  await print(await analyze(options).finally(progress.erase))
}

/** Prints a report with the chosen findings, and lets these decide the exit status. Refuses a wrong choice before anything is read. */
async function reportPrinter(
  root: Command,
  console: Console,
  outcome: Outcome,
): Promise<(whole: Report) => Promise<void>> {
  const { output, findings, ignore, failOn } = root.opts<Flags>()
  const { checkChoice, chosen, fails } = await import('./findings/choose.ts')
  const choice = { only: findings ?? null, ignore: ignore ?? [], failOn: failOn ?? [] }
  checkChoice(choice)
  return async whole => {
    const report = { ...whole, findings: chosen(whole.findings, choice) }
    if (fails(report.findings, choice)) outcome.status = FOUND
    if (output === 'text') {
      const { reportText } = await import('./report/text.ts')
      console.stdout.write(reportText(report, { width: screenWidth(console), color: colorful(root, console) }))
    } else {
      const { jsonLine, jsonText } = await import('./report/json.ts')
      console.stdout.write(output === 'json' ? jsonText(report) : `${jsonLine(report)}\n`)
    }
  }
}

/** On a terminal a screen, else a line per lookup; with `every` (milliseconds) a short report per span. */
async function watch(
  files: string[],
  every: number | undefined,
  root: Command,
  console: Console,
  outcome: Outcome,
): Promise<void> {
  const { output } = root.opts<Flags>()
  const { stdout, env } = console
  if (output === 'json' || output === 'csv') throw new UserError('what is watched comes as text or ndjson.')
  const options = analyzeOptions(files, root, console, progressLine(console, false))
  const print = await reportPrinter(root, console, outcome)
  const asked = root.getOptionValueSource('output') === 'cli'
  const asRecords = output === 'ndjson' || (every === undefined && !stdout.isTTY && !asked)
  const watching = await import('./watch.ts')
  const { jsonLine } = await import('./report/json.ts')
  const out = batched(stdout, AT_ONCE_MS)
  if (every === undefined && stdout.isTTY && env.TERM !== 'dumb' && !asRecords) {
    await print(await onScreen(watching.watch(options), options, root, console))
  } else if (asRecords) {
    const line = (record: object) => out.write(`${jsonLine(record)}\n`)
    const reading =
      every === undefined ? watching.watchLookups(options, line) : watching.watchIntervals(options, every / 1000, line)
    const report = await reading.finally(out.flush)
    for (const trouble of issueSentences(report)) complain(console, escapeText(trouble))
  } else {
    const { glanceText } = await import('./report/text/glance.ts')
    const page = { width: screenWidth(console), color: colorful(root, console) }
    const seconds = (every ?? USUAL_SPAN_MS) / 1000
    const report = await watching
      .watchIntervals(options, seconds, glance => out.write(glanceText(glance, page)))
      .finally(out.flush)
    stdout.write('\n')
    await print(report)
  }
}

/** Draws what is seen until the input ends or Ctrl-C, and leaves the terminal as it was. */
async function onScreen(
  { look, report }: { look: () => Watched; report: Promise<Report> },
  { signal }: Options,
  root: Command,
  console: Console,
): Promise<Report> {
  const { screenLines } = await import('./report/screen.ts')
  const { stdout } = console
  const screen = new FullScreen(stdout)
  const color = colorful(root, console)
  const draw = (): void => screen.draw(screenLines(look(), { ...screen.size, color }))
  const timer = setInterval(draw, DRAW_EVERY_MS)
  const end = (): void => {
    clearInterval(timer)
    stdout.off?.('resize', draw)
    screen.leave()
  }
  stdout.on?.('resize', draw)
  signal?.addEventListener('abort', end)
  const forget = console.onLeave?.(screen.leave, draw)
  return report.finally(() => {
    end()
    forget?.()
  })
}

async function lookups(files: string[], flags: Partial<LookupChoice>, root: Command, console: Console): Promise<void> {
  const choice = lookupChoice(flags)
  await stream<LookupRecord>(
    'lookup',
    LOOKUP_COLUMNS,
    files,
    root,
    console,
    async (options, sink) => {
      const { analyze } = await import('./analyze.ts')
      const chosen = chosenLookups(choice, sink)
      const report = await analyze(options, { lookup: chosen.add })
      chosen.end()
      return issueSentences(report)
    },
    isSelective(choice),
  )
}

/** The last argument is the lookup; a capture in its place was meant as a capture. */
async function showLookup(all: string[], verbose: boolean, root: Command, console: Console): Promise<void> {
  const { output } = root.opts<Flags>()
  const files = all.slice(0, -1)
  const wanted = all.at(-1)!
  if (existsSync(wanted) || (files.length === 0 && console.stdin.isTTY))
    throw new UserError('show wants captures and then a lookup: its id, as "dnstrail lookups" prints it, or a name.')
  if (output === 'csv') throw new UserError('a lookup is shown as text, json or ndjson.')
  const progress = progressLine(console, true)
  const { show } = await import('./show.ts')
  const { shown, captured, report } = await show(
    analyzeOptions(files, root, console, progress),
    wanted,
    verbose,
  ).finally(progress.erase)
  if (output === 'text') {
    const { showText } = await import('./report/show/text.ts')
    const wireshark = report.captures.some(({ lines }) => lines === null)
    const screen = { width: screenWidth(console), color: colorful(root, console), wireshark }
    console.stdout.write(showText(shown, captured, screen))
  } else {
    const { jsonLine, jsonText } = await import('./report/json.ts')
    const { showRecord } = await import('./report/show/record.ts')
    const record = showRecord(shown, captured)
    console.stdout.write(output === 'json' ? jsonText(record) : `${jsonLine(record)}\n`)
  }
  for (const trouble of issueSentences(report)) complain(console, escapeText(trouble))
}

async function whatIf(files: string[], flags: Partial<Change>, root: Command, console: Console): Promise<void> {
  const { output } = root.opts<Flags>()
  const progress = progressLine(console, true)
  const [{ whatIf }, { NO_CHANGE }] = await Promise.all([import('./what-if.ts'), import('./trace/change.ts')])
  const options = analyzeOptions(files, root, console, progress)
  const { whatIf: result, report } = await whatIf(options, { ...NO_CHANGE, ...flags }).finally(progress.erase)
  if (output === 'text') {
    const { whatIfText } = await import('./report/what-if/text.ts')
    console.stdout.write(whatIfText(result, { width: screenWidth(console), color: colorful(root, console) }))
  } else if (output === 'csv') {
    const [{ csvHead, csvRow }, { WHAT_IF_COLUMNS }] = await Promise.all([
      import('./report/csv.ts'),
      import('./report/what-if/columns.ts'),
    ])
    console.stdout.write(csvHead(WHAT_IF_COLUMNS) + result.workloads.map(row => csvRow(WHAT_IF_COLUMNS, row)).join(''))
  } else {
    const { jsonLine, jsonText } = await import('./report/json.ts')
    console.stdout.write(output === 'json' ? jsonText(result) : `${jsonLine(result)}\n`)
  }
  for (const trouble of issueSentences(report)) complain(console, escapeText(trouble))
}

/** --fail-on works on what is new: findings that came, or became worse. */
async function compare(files: ComparedFiles, root: Command, console: Console, outcome: Outcome): Promise<void> {
  const { output, findings, ignore, failOn } = root.opts<Flags>()
  if (output === 'csv') throw new UserError('a comparison comes as text, json or ndjson.')
  const { checkChoice, chosen, fails } = await import('./findings/choose.ts')
  const choice = { only: findings ?? null, ignore: ignore ?? [], failOn: failOn ?? [] }
  checkChoice(choice)
  const progress = progressLine(console, true)
  const [{ compare }, { cameIn }] = await Promise.all([import('./compare.ts'), import('./report/compare/record.ts')])
  const sides = [files.before, files.after].map(side => analyzeOptions(side, root, console, progress))
  const { comparison, reports } = await compare(sides[0]!, sides[1]!, all => chosen(all, choice)).finally(
    progress.erase,
  )
  if (fails(cameIn(comparison), choice)) outcome.status = FOUND
  if (output === 'text') {
    const { compareText } = await import('./report/compare/text.ts')
    console.stdout.write(compareText(comparison, { width: screenWidth(console), color: colorful(root, console) }))
  } else {
    const { jsonLine, jsonText } = await import('./report/json.ts')
    console.stdout.write(output === 'json' ? jsonText(comparison) : `${jsonLine(comparison)}\n`)
  }
  for (const trouble of reports.flatMap(issueSentences)) complain(console, escapeText(trouble))
}

async function hops(files: string[], root: Command, console: Console): Promise<void> {
  const { HOP_COLUMNS } = await import('./report/hop-columns.ts')
  await stream<HopRecord>('hop', HOP_COLUMNS, files, root, console, async (options, hop) => {
    const { analyze } = await import('./analyze.ts')
    return issueSentences(await analyze(options, { hop }))
  })
}

async function messages(files: string[], root: Command, console: Console): Promise<void> {
  const { MESSAGE_COLUMNS } = await import('./report/message-columns.ts')
  await stream<MessageRecord>('message', MESSAGE_COLUMNS, files, root, console, async (options, message) => {
    const analysis = await import('./analyze.ts')
    const captures = await analysis.messages(options, message)
    return captures
      .filter(capture => capture.issueFrames > 0)
      .map(({ file, issueFrames }) => `${file}: ${plural(issueFrames, 'frame')} could not be read.`)
  })
}

async function explain(code: string | undefined, root: Command, console: Console): Promise<void> {
  const [{ RULES }, { explainList, explainText }, { paint }] = await Promise.all([
    import('./findings/rules.ts'),
    import('./report/explain.ts'),
    import('./report/paint.ts'),
  ])
  const page = { width: screenWidth(console), paint: paint(colorful(root, console)) }
  const rule = RULES.find(rule => rule.code === code)
  if (code !== undefined && rule === undefined)
    throw new UserError(`there is no finding "${code}"; "dnstrail explain" lists them all.`)
  console.stdout.write(rule ? explainText(rule, page) : explainList(RULES, page))
}

function issueSentences({ issues }: Report): string[] {
  return issues.map(({ file, what, count }) => {
    const times = count > 1 ? ` (${plural(count, 'time')})` : ''
    return `${file}: ${what.replace(/\.$/, '')}${times}.`
  })
}

/** Writes records as they come; what was wrong with the capture is said on stderr, since no report says it. */
async function stream<Row>(
  noun: string,
  columns: readonly import('./report/columns.ts').Column<Row>[],
  files: string[],
  root: Command,
  console: Console,
  read: (options: Options, sink: (record: Row) => void) => Promise<string[]>,
  selective = false,
): Promise<void> {
  const { recordsFormat } = await import('./report/records-format.ts')
  const { output } = root.opts<Flags>()
  const progress = progressLine(console, !console.stdout.isTTY)
  const options = analyzeOptions(files, root, console, progress)
  const screen = { width: console.stdout.isTTY ? screenWidth(console) : null, color: colorful(root, console) }
  const format = recordsFormat(output, columns, screen)
  const out = batched(console.stdout)
  let records = 0
  let begun = false
  const begin = () => {
    if (!begun) out.write(format.before)
    begun = true
  }
  const troubles = await read(options, record => {
    begin()
    out.write(format.record(record, records++))
  }).finally(() => {
    progress.erase()
    out.flush()
  })
  // Only now, so that a capture that cannot be read prints nothing on stdout.
  begin()
  out.write(format.after(records))
  out.flush()
  for (const trouble of troubles) complain(console, escapeText(trouble))
  if (records === 0 && output === 'text') {
    const filtered = selective || Object.values(options.filters).some(filter => filter !== null)
    complain(console, filtered ? `no ${noun} matches the filters.` : `there is no ${noun} in the capture.`)
  }
}

// -- The terminal -----------------------------------------------------------------------------------------------------------

/** Gathers small texts into big writes. Writes to files, pipes and terminals block in Node on Unix, so nothing piles up behind them. */
function batched(screen: Screen, flushAfterMs = FLUSH_AFTER_MS): { write: (text: string) => void; flush: () => void } {
  // Who watches a live capture wants each line at once.
  const size = screen.isTTY ? 1 : WRITE_SIZE
  let waiting = ''
  let timer: NodeJS.Timeout | null = null
  const flush = () => {
    if (timer) clearTimeout(timer)
    timer = null
    if (waiting !== '') screen.write(waiting)
    waiting = ''
  }
  return {
    write: text => {
      waiting += text
      if (waiting.length >= size) flush()
      else timer ??= setTimeout(flush, flushAfterMs)
    },
    flush,
  }
}

interface Progress {
  show: (bytes: number, total: number | null) => void
  erase: () => void
}

/** One line on stderr that refreshes itself and disappears; only on a terminal and only when reading takes long. */
function progressLine(console: Console, wanted: boolean): Progress {
  if (!wanted || !console.stderr.isTTY) return { show: () => {}, erase: () => {} }
  let next = performance.now() + PROGRESS_AFTER_MS
  let shown = false
  return {
    show: (bytes, total) => {
      const now = performance.now()
      if (now < next) return
      next = now + PROGRESS_EVERY_MS
      shown = true
      const part = total !== null && total > 0 ? `, ${Math.min(100, Math.floor((100 * bytes) / total))} %` : ''
      console.stderr.write(`\r\x1b[Kreading: ${(bytes / 1e6).toFixed(1)} MB${part} (Ctrl-C ends and reports)`)
    },
    erase: () => {
      if (shown) console.stderr.write('\r\x1b[K')
      shown = false
    },
  }
}

function complain(console: Console, sentence: string): void {
  console.stderr.write(`dnstrail: ${sentence.replace(/\s*\n\s*/g, ' ')}\n`)
}

/** The option decides, then NO_COLOR and FORCE_COLOR (https://no-color.org), then whether somebody looks. */
function colorful(root: Command, { stdout, env }: Console): boolean {
  const { color } = root.opts<Flags>()
  if (color !== undefined) return color
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return stdout.isTTY === true && env.TERM !== 'dumb'
}

const WIDTH_OF_A_PIPE = 80

function screenWidth({ stdout, env }: Console): number {
  return stdout.columns || Number(env.COLUMNS) || WIDTH_OF_A_PIPE
}
