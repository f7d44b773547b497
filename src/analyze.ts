/** The story: captures -> messages -> transactions -> lookups and hops -> report. */
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { examine } from './findings/examine.ts'
import { type Clock, compareClocks } from './input/clocks.ts'
import { readResolvConf, readResources } from './input/hints.ts'
import type { FlowSinks } from './input/hubble.ts'
import { Conversations } from './input/hubble-conversations.ts'
import { readCaptures } from './input/merge.ts'
import { isNow, LiveClock } from './live.ts'
import {
  type Capture,
  type FilterRecord,
  type Filters,
  type Messages,
  NONE,
  type PodDns,
  type Role,
  type Time,
  UserError,
} from './model.ts'
import { assemble } from './report/assemble.ts'
import { hopFilter, isFiltered, lookupFilter, messageFilter } from './report/filter.ts'
import { limitIssues } from './report/limits.ts'
import { captureRecords, messageRecord } from './report/message-record.ts'
import type { HopRecord, LookupRecord, MessageRecord } from './report/record-types.ts'
import { hopRecord, lookupRecord, type RecordContext } from './report/records.ts'
import type { Report } from './report/report-types.ts'
import type { Hint } from './trace/contradictions.ts'
import type { Hop } from './trace/hop.ts'
import type { Identities } from './trace/identity.ts'
import { InOrder } from './trace/in-order.ts'
import { inwardOf } from './trace/inward.ts'
import type { Lookup } from './trace/lookup.ts'
import type { Inward } from './trace/sums.ts'
import { Trace } from './trace/trace.ts'
import { type LookupWasteSums, sumWaste } from './trace/waste.ts'
import { VERSION } from './version.ts'
import { readAnswers } from './wire/answers.ts'
import { Issues } from './wire/issues.ts'
import type { PortHints } from './wire/ports.ts'
import { newTables, type Tables } from './wire/tables.ts'

export interface Options {
  files: string[]
  filters: Filters
  hints: {
    /** Path. */
    resources: string | null
    roles: { role: Role; addresses: string[] }[]
    /** Path. */
    resolvConf: string | null
    clusterDomain: string | null
  }
  /** What the user says of ports. */
  ports?: PortHints
  signal?: AbortSignal
  /** See ReadOptions. */
  worthAThread?: number
  /** In place of the process's standard input. */
  stdin?: Readable
  onProgress?: (bytes: number, total: number | null) => void
}

/** Names, and addresses, of messages that are only printed: nothing but the tables keeps them. */
const MOST_PRINTED = 1 << 22

export interface Sinks {
  lookup?: (record: LookupRecord) => void
  hop?: (record: HopRecord) => void
  /** Called as lookups and hops are closed; nothing of what they get may be kept. */
  closedLookup?: (lookup: Lookup, waste: LookupWasteSums) => void
  closedHop?: (hop: Hop, trace: Trace) => void
  /** Called once, when all is read: what the report does not hold. */
  finished?: (trace: Trace, context: RecordContext, filters: FilterRecord | null) => void
  onlooker?: Onlooker
}

/** Who looks on while captures are read, and wants to know of everything as soon as it is over, in whatever order that is. */
export interface Onlooker {
  /** Answers as text are wanted. */
  detailed: boolean
  /** Called before the first message. */
  begin: (view: View) => void
  lookup: (lookup: Lookup, waste: LookupWasteSums, inward: Inward) => void
  hop: (hop: Hop) => void
  /** No lookup and no hop that began before this time will come any more. */
  settled: (before: Time) => void
}

/** What there is to be looked at meanwhile. */
export interface View {
  trace: Trace
  context: RecordContext
  captures: readonly Capture[]
}

/** A lookup is decided upon this long after it began where somebody looks on: answers are in by then, and it is soon enough. */
const ONLOOKER_HOLD: Time = 2e9

/**
 * Reads the captures and analyses them. The sinks get every lookup and every hop in order of start, while the captures are read.
 * Throws a UserError where nothing can be analysed.
 */
export async function analyze(options: Options, sinks: Sinks = {}): Promise<Report> {
  const tables = newTables()
  const issues = new Issues()
  const identities = await readIdentities(options)
  const { onlooker } = sinks
  const detailed = sinks.lookup !== undefined || onlooker?.detailed === true
  const context: RecordContext = {
    tables,
    files: fileNames(options.files),
    origin: () => trace.matching.origin ?? 0,
    get endpoints() {
      return trace.endpoints
    },
    get searchLists() {
      return trace.searchLists
    },
    get places() {
      return trace.places
    },
    identities,
  }
  const { lookup: lookupSink, hop: hopSink } = sinks
  const lookups = lookupSink
    ? new InOrder<{ lookup: Lookup; waste: LookupWasteSums; inward: Inward }>(
        ({ lookup }) => lookup.start,
        ({ lookup, waste, inward }) => lookupSink(lookupRecord(context, lookup, waste, inward)),
      )
    : null
  const hops = hopSink
    ? new InOrder<Hop>(
        hop => hop.transaction.start,
        hop => hopSink(hopRecord(context, hop)),
      )
    : null
  const filters: FilterRecord | null = isFiltered(options.filters) ? { ...options.filters, lookupsInAll: 0 } : null
  const isWanted = lookupFilter(options.filters, context)
  const isWantedHop = hopFilter(options.filters, context)
  const trace: Trace = new Trace(tables, {
    clusterDomain: options.hints.clusterDomain,
    roles: roleHints(options, identities, tables),
    resolvConf: options.hints.resolvConf === null ? null : await readResolvConf(options.hints.resolvConf),
    pods: podHints(identities, tables),
    readAnswers: detailed ? answersOf : null,
    wanted: lookup => {
      if (filters) filters.lookupsInAll++
      return isWanted(lookup)
    },
    keepsRecords: lookups !== null || hops !== null || onlooker !== undefined,
    lookup: (lookup, waste, inward) => {
      examination.lookup(lookup, waste, inward)
      sinks.closedLookup?.(lookup, waste)
      lookups?.add({ lookup, waste, inward })
      onlooker?.lookup(lookup, waste, inward)
    },
    hop: hop => {
      examination.hop(hop)
      sinks.closedHop?.(hop, trace)
      if (hops && isWantedHop(hop)) hops.add(hop)
      onlooker?.hop(hop)
    },
    settled:
      lookups || hops || onlooker
        ? before => {
            lookups?.release(before)
            hops?.release(before)
            onlooker?.settled(before)
          }
        : null,
  })
  const examination = examine({ trace, tables, identities, files: context.files })
  const flows = flowSinks(identities, tables, trace)
  let first = onlooker !== undefined || options.files.includes('-')
  let live = false
  const clock = new LiveClock(trace, () => live)
  const take = (m: Messages, i: number): void => {
    if (first) {
      first = false
      live = isNow(m.seconds[i])
      if (onlooker) trace.follow(ONLOOKER_HOLD)
      else if (live) trace.follow()
      if (onlooker || live) clock.start()
    }
    trace.add(m, i)
  }
  const onOpen = (captures: readonly Capture[]): void => onlooker?.begin({ trace, context, captures })
  const clocks = await clocksOf(options, context.files)
  if (clocks) trace.matching.clientsEnd.readAt = clocks.map(({ readAt }) => readAt ?? NONE)
  const captures = await read(options, tables, issues, detailed, take, flows, clocks, onOpen).finally(() =>
    clock.stop(),
  )
  trace.finish()
  learnNames(captures, identities)
  const slowest = trace.sums.slowest.map(lookup =>
    lookupRecord(context, lookup, sumWaste(lookup), inwardOf(lookup, trace.endpoints, trace.serving)),
  )
  const findings = examination.conclude()
  sinks.finished?.(trace, context, filters)
  const limits = limitIssues(trace.sums.limit, examination.limit, tables.encrypted.unlisted, context.files)
  const all = [...issues.list, ...limits]
  return assemble({
    version: VERSION,
    captures,
    clocks,
    trace,
    issues: all,
    findings,
    filters,
    slowest,
    flows,
    context,
  })
}

/**
 * Reads the captures and hands over every DNS message of the wanted frames and times, and with the wanted name in its question, as the
 * wire has it: its record, and its row with bytes. Times are the captures' own, or those of the run's clock as in `analyze`.
 */
export async function messages(
  options: Options,
  sink: (record: MessageRecord, m: Messages, i: number) => void,
  wanted: (file: string, frame: number) => boolean = () => true,
  onOneClock = false,
): Promise<Report['captures']> {
  const tables = newTables(MOST_PRINTED)
  const files = fileNames(options.files)
  const isWanted = messageFilter(options.filters)
  const consume = (m: Messages, i: number): void => {
    if (!wanted(files[m.file[i]], m.frame[i])) return
    const record = messageRecord(m, i, tables, files)
    if (record && isWanted(record, m, i)) sink(record, m, i)
  }
  const clocks = onOneClock ? await clocksOf(options, files) : null
  const captures = await read(options, tables, new Issues(), true, consume, undefined, clocks)
  return captureRecords(captures, tables)
}

const read = (
  options: Options,
  tables: Tables,
  issues: Issues,
  keepBytes: boolean,
  consume: (m: Messages, i: number) => void,
  flows?: FlowSinks,
  clocks: Clock[] | null = null,
  onOpen?: (captures: readonly Capture[]) => void,
): Promise<Capture[]> => {
  const { signal, stdin, onProgress, ports, worthAThread } = options
  return readCaptures(
    options.files,
    { keepBytes, tables, issues, flows, ports, signal, stdin, onProgress, onOpen, worthAThread },
    consume,
    clocks,
  )
}

/** How the clocks of several captures differ; null where there is one. */
const clocksOf = async ({ files, ports, signal, worthAThread }: Options, names: string[]): Promise<Clock[] | null> =>
  files.length < 2
    ? null
    : compareClocks(files, names, {
        keepBytes: false,
        tables: newTables(),
        issues: new Issues(),
        ports,
        signal,
        worthAThread,
      })

/** What flows tell of addresses; the user's files come first. */
function flowSinks(identities: Identities, tables: Tables, trace: Trace): FlowSinks {
  const fromFiles = new Set(identities.keys())
  return {
    learn: ({ address, evidence, ...identity }) => {
      if (fromFiles.has(address)) return
      identities.set(address, identity)
      if (identity.role) trace.endpoints.tell(tables.addresses.internText(address), identity.role, evidence ?? '')
    },
    conversations: new Conversations(),
  }
}

/** What captures call addresses (name resolution blocks), where nobody else says whose they are. */
function learnNames(captures: readonly Capture[], identities: Identities): void {
  for (const { names } of captures) {
    for (const [address, name] of Object.entries(names)) {
      if (identities.has(address)) continue
      identities.set(address, { namespace: null, pod: null, workload: null, node: null, name, role: null })
    }
  }
}

const answersOf = (m: Messages, i: number): string[] =>
  m.answers?.[i] ?? readAnswers(m.bytes, m.start[i], m.start[i] + m.bytesLength[i])

/** Base names, unless two files share one. */
function fileNames(files: string[]): string[] {
  const names = files.map(file => basename(file))
  return new Set(names).size === names.length ? names : files
}

// -- Hints ----------------------------------------------------------------------------------------------------------------------------

async function readIdentities({ hints }: Options): Promise<Identities> {
  const identities: Identities = new Map()
  if (hints.resources === null) return identities
  for (const { address, ...identity } of await readResources(hints.resources)) identities.set(address, identity)
  return identities
}

function roleHints({ hints }: Options, identities: Identities, tables: Tables): Hint[] {
  const fromFiles = [...identities].flatMap(([address, { role }]) =>
    role ? [{ role, address: tables.addresses.internText(address), from: '--resources' }] : [],
  )
  const given = hints.roles.flatMap(({ role, addresses }) =>
    addresses.map(address => {
      const id = tables.addresses.internText(address)
      if (id === NONE) throw new UserError(`--role ${role}=${address}: "${address}" is not an address.`)
      return { role, address: id, from: '--role' }
    }),
  )
  return [...fromFiles, ...given]
}

function podHints(identities: Identities, tables: Tables): { address: number; dns: PodDns }[] {
  return [...identities].flatMap(([address, { dns }]) =>
    dns ? [{ address: tables.addresses.internText(address), dns }] : [],
  )
}
