/** The values of options: text becomes what the analysis is told, or one sentence that says what is wrong with it. */
import { isIP } from 'node:net'
import { InvalidArgumentError } from 'commander'
import type { Options } from './analyze.ts'
import { distance } from './findings/typo.ts'
import { ROLES, type Role, UserError } from './model.ts'
import type { Output } from './report/output.ts'
import { isTunnelName, TUNNEL_NAMES, type TunnelPort } from './wire/ports.ts'

/** A span of `watch --every`: shorter ones are shorter than it takes to decide upon a lookup. */
const SHORTEST_SPAN_MS = 1000

/** The options that stand before or after any command. */
export interface Flags {
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

// -- Who reads what ---------------------------------------------------------------------------------------------------------

const WHO = ['namespace', 'pod'] as const
const WHAT = ['name', 'since', 'until'] as const
const NAMES = ['resources', 'role', 'resolvConf', 'clusterDomain'] as const
const PORTS = ['dnsPort', 'tunnel'] as const
const ANALYSIS = [...WHO, ...WHAT, ...NAMES, ...PORTS]
const FINDINGS = ['findings', 'ignore', 'failOn'] as const

/** Which of the options each command reads. One that it does not read is refused: who gives it expects something of it. */
const READS: Record<string, readonly (keyof Flags)[]> = {
  analyze: ['output', ...ANALYSIS, ...FINDINGS, 'color'],
  lookups: ['output', ...ANALYSIS, 'color'],
  show: ['output', ...ANALYSIS, 'color'],
  'what-if': ['output', ...ANALYSIS, 'color'],
  compare: ['output', ...ANALYSIS, ...FINDINGS, 'color'],
  watch: ['output', ...ANALYSIS, ...FINDINGS, 'color'],
  hops: ['output', ...ANALYSIS, 'color'],
  // A message is as the wire has it: whose it is the analysis finds out.
  messages: ['output', ...WHAT, ...PORTS, 'color'],
  explain: ['color'],
}

const COMMANDS = Object.keys(READS)

export const isRead = (command: string, flag: string): boolean => READS[command]?.includes(flag as keyof Flags) ?? false

/** "lookups does not read --fail-on; the report, compare and watch do." */
export function unreadSentence(command: string, option: string, flag: string): string {
  const readers = COMMANDS.filter(name => isRead(name, flag)).map(name => (name === 'analyze' ? 'the report' : name))
  const last = readers.pop()
  return `${command} does not read ${option}; ${readers.join(', ')} and ${last} do.`
}

// -- Words that are nearly right --------------------------------------------------------------------------------------------

/** What people call the commands besides. */
const ALSO: Record<string, string> = { report: 'analyze' }
const NEAR = 2

/** The command that was meant by a word with a slip of the finger or two; null where it is like none. */
export function commandLike(word: string): string | null {
  const near = COMMANDS.map(name => ({ name, distance: distance(word, name) }))
    .filter(({ name, distance }) => distance <= NEAR && distance <= name.length / 2)
    .sort((a, b) => a.distance - b.distance)
  return ALSO[word] ?? near[0]?.name ?? null
}

// -- Values -----------------------------------------------------------------------------------------------------------------

/** A sentence of ours about an argument, as commander wants it. */
export const valid =
  <Value>(read: (text: string) => Value) =>
  (text: string): Value => {
    try {
      return read(text)
    } catch (error) {
      throw error instanceof UserError ? new InvalidArgumentError(error.message) : error
    }
  }

export interface ComparedFiles {
  before: string[]
  after: string[]
}

export function comparedFiles(
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

export function ndotsOf(text: string): number {
  const ndots = Number(text)
  if (!/^\d+$/.test(text) || ndots > MOST_NDOTS) throw new UserError(`ndots is a number from 0 to ${MOST_NDOTS}.`)
  return ndots
}

/** Names as the report has them: lower case, without the dot at the end. */
export const addName = (text: string, names: string[] = []): string[] => [
  ...names,
  text.toLowerCase().replace(/\.$/, ''),
]

/** "KIND=LIST"; a second "=" belongs to the list, where it is no port and no address. */
function pairOf(text: string): [name: string, list: string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function portOf(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port === 0 || port > 65_535) throw new InvalidArgumentError(`"${text}" is no port.`)
  return port
}

export const portList = (text: string): number[] => text.split(',').map(portOf)

export function addTunnel(text: string, tunnels: TunnelPort[] = []): TunnelPort[] {
  const [name, list] = pairOf(text)
  if (!isTunnelName(name))
    throw new InvalidArgumentError(`It is KIND=PORT, and KIND one of ${TUNNEL_NAMES.join(', ')}.`)
  return [...tunnels, ...portList(list).map(port => ({ name, port }))]
}

export const commaList = (text: string): string[] => text.split(',').filter(Boolean)

export function addRole(text: string, roles: Options['hints']['roles'] = []): Options['hints']['roles'] {
  const [name, list] = pairOf(text)
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
export function spanOf(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([smh])$/.exec(text.trim()) ?? []
  if (digits === undefined) throw new UserError(`"${text}" is no span such as 10s, 1m or 1h.`)
  const ms = Number(digits) * SPAN_UNITS[unit]
  if (ms < SHORTEST_SPAN_MS) throw new UserError('a span is at least 1s long.')
  return ms
}
