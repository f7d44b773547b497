/** upstreams-disagree: of two servers behind one forwarder, one knows a name that the other denies. */

import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, listed, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample, onlyFrame } from './frame-sample.ts'
import { Rows } from './rows.ts'
import { type Draft, MOST_CLIENTS, type Observer, type Rule } from './rule.ts'
import { isClusterDns, nameOf, serverRole, type World, who, whoAll } from './world.ts'

/** A name may be created or deleted between two answers; each side must have said it this often. */
const MIN_ANSWERS = 2
const MOST_ASKERS = 8
/** Clients that ask a server of the two themselves: fewer queries may be somebody's dig. */
const MIN_DIRECT = 10
/** Who denies so many names that others know, and never has anything for anybody, is not to be asked at all. */
const MANY_NAMES = 5

export const upstreamsDisagree: Rule = {
  code: 'upstreams-disagree',
  severity: 'problem',
  title: 'Upstream servers give contradicting answers',
  means:
    'The same question gets an answer with data from one upstream server and NXDOMAIN from another, and one forwarder asks both. Whether a lookup succeeds is a matter of chance, and a cached NXDOMAIN keeps it failing for a while. A look at the node shows nothing: it asks its servers in order, so the first one always wins.',
  why: 'CoreDNS "forward" picks a server at random for each query and takes NXDOMAIN for a valid answer; it never asks the next one for it. Servers behind one "forward" must therefore know the same names. A custom DNS server beside that of the cloud, or a list that is out of date, breaks this.',
  todo: 'Give the private zone a server block of its own in the Corefile (a stub domain) that forwards to the server that knows it, and leave only equal servers behind "forward .". A server that denies whatever it is asked for belongs out of the list. "policy sequential" only hides the trouble: it still ends at the other server when the first one is slow.',
  evidence: `Answers of servers with the role upstream, asked by the same CoreDNS or node-local cache, held against each other by name: one always has it, the other never. Silent below ${MIN_ANSWERS} answers on each side. Lookups that ended with NXDOMAIN for such a name are counted as explained.`,
  links: [
    'https://coredns.io/plugins/forward/',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/',
    'https://github.com/coredns/coredns/issues/2830',
  ],
  shownBy: [
    'samples/04-upstreams-disagree.pcap',
    'test/findings/upstreams-disagree.txt',
    'recordings 04-upstreams-disagree and 10-busy',
  ],
  begin: world => new UpstreamsDisagree(world),
}

/** Columns of the rows: what one server, asked by forwarders, said of one name. */
const NAME = 0
const SERVER = 1
/** Answers with data, without any, and denials. */
const DATA = 2
const EMPTY = 3
const DENIED = 4
/** The first that asked; further ones stand beside. */
const ASKER = 5
/** `onlyFrame` of the first answer with data and of the first denial; 0 while there is none. */
const FIRST_DATA = 6
const FIRST_DENIED = 7
const COLUMNS = 8

/** Two servers that contradict each other, and the rows of what they said: of the one that knows a name, of the one that denies it. */
interface Pair {
  knows: AddressId
  denies: AddressId
  rows: { yes: number; no: number }[]
}

/** What a client got that asked one of the servers itself. */
interface Direct {
  name: NameId
  server: AddressId
  data: number
  nxdomain: number
  clients: Set<AddressId>
}

class UpstreamsDisagree implements Observer {
  private readonly world: World
  /** By name and server. */
  private readonly answers = new Rows(COLUMNS, key => this.forget(key))
  /** By the same keys: all askers where there are several. */
  private readonly askers = new Map<number, Set<AddressId>>()
  /** By key and column: first answers that several captures show. */
  private readonly firsts = new Map<number, FrameSample>()
  /** By name. */
  private readonly failed = new Tally<string, { lookups: number; clients: Set<AddressId> }>(() => ({
    lookups: 0,
    clients: new Set(),
  }))
  private readonly direct = new Tally<number, Direct>(() => ({
    name: NONE,
    server: NONE,
    data: 0,
    nxdomain: 0,
    clients: new Set(),
  }))
  /** Servers outside that somebody other than a forwarder asked. */
  private readonly askedDirectly = new Tally<AddressId, { queries: number }>(() => ({ queries: 0 }))
  private denied = 0

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, from, forwarder, role }: Hop): void {
    if (!forwarder && role !== 'upstream') return
    if (t.state !== ANSWERED || t.qname === NONE) return
    if (t.rcode !== NOERROR && t.rcode !== NXDOMAIN) return
    if (!forwarder) {
      this.noteDirect(t)
      return
    }
    const { answers } = this
    const row = answers.of(pairOf(t.qname, t.server))
    answers.set(row, NAME, t.qname)
    answers.set(row, SERVER, t.server)
    this.noteAsker(row, from)
    if (t.rcode === NXDOMAIN) {
      answers.add(row, DENIED)
      this.noteFirst(row, FIRST_DENIED, t)
    } else if (hasAnswer(t)) {
      answers.add(row, DATA)
      this.noteFirst(row, FIRST_DATA, t)
    } else answers.add(row, EMPTY)
  }

  private forget(key: number): void {
    this.askers.delete(key)
    this.firsts.delete(key * COLUMNS + FIRST_DATA)
    this.firsts.delete(key * COLUMNS + FIRST_DENIED)
  }

  private noteAsker(row: number, from: AddressId): void {
    const { answers, askers } = this
    const first = answers.get(row, ASKER) - 1
    if (first === from) return
    if (first === NONE) {
      answers.set(row, ASKER, from + 1)
      return
    }
    const all = askers.get(answers.keyOf(row))
    if (!all) askers.set(answers.keyOf(row), new Set([first, from]))
    else if (all.size < MOST_ASKERS) all.add(from)
  }

  private noteFirst(row: number, column: number, t: Transaction): void {
    if (this.answers.get(row, column) !== 0) return
    const frame = onlyFrame(t)
    this.answers.set(row, column, frame)
    if (frame !== NONE) return
    const first = new FrameSample()
    first.add(t)
    this.firsts.set(this.answers.keyOf(row) * COLUMNS + column, first)
  }

  private noteDirect(t: Transaction): void {
    this.askedDirectly.of(t.server).queries++
    const direct = this.direct.of(pairOf(t.qname, t.server))
    direct.name = t.qname
    direct.server = t.server
    if (t.rcode === NXDOMAIN) direct.nxdomain++
    else if (hasAnswer(t)) direct.data++
    if (direct.clients.size < MOST_ASKERS) direct.clients.add(t.client)
  }

  lookup(lookup: Lookup): void {
    if (lookup.outcome !== 'nxdomain') return
    this.denied++
    const failed = this.failed.of(lookup.base)
    failed.lookups++
    if (failed.clients.size < MOST_CLIENTS) failed.clients.add(lookup.client)
  }

  conclude(): Draft[] {
    const { answers } = this
    const byPair = new Map<string, Pair>()
    for (const rows of answers.sharing(NAME)) {
      for (const yes of rows) {
        const data = answers.get(yes, DATA)
        if (data === 0 || answers.get(yes, DENIED) > 0 || data + answers.get(yes, EMPTY) < MIN_ANSWERS) continue
        const knows = answers.get(yes, SERVER)
        if (serverRole(this.world, knows) !== 'upstream') continue
        for (const no of rows) {
          if (answers.get(no, DENIED) < MIN_ANSWERS || answers.get(no, DATA) + answers.get(no, EMPTY) > 0) continue
          const denies = answers.get(no, SERVER)
          if (serverRole(this.world, denies) !== 'upstream' || !this.oneAsksBoth(yes, no)) continue
          const key = `${knows} ${denies}`
          const pair = byPair.get(key) ?? { knows, denies, rows: [] }
          byPair.set(key, pair)
          pair.rows.push({ yes, no })
        }
      }
    }
    return [...byPair.values()].map(pair => this.draft(pair))
  }

  /** One pod with a resolver of its own beside CoreDNS with another is no contradiction: one forwarder must ask both. */
  private oneAsksBoth(yes: number, no: number): boolean {
    const askers = this.askersOf(no)
    return this.askersOf(yes).some(asker => askers.includes(asker) && isClusterDns(this.world, asker))
  }

  private askersOf(row: number): AddressId[] {
    return [...(this.askers.get(this.answers.keyOf(row)) ?? [this.answers.get(row, ASKER) - 1])]
  }

  private addFirst(frames: FrameSample, row: number, column: number): void {
    const first = this.firsts.get(this.answers.keyOf(row) * COLUMNS + column)
    if (first) frames.addAll(first)
    else frames.addOnly(this.answers.get(row, column))
  }

  /** All lookups of a name; where it is one of too many names, at least those that failed. */
  private lookupsOf(name: string): number {
    const all = this.world.trace.sums.byName.get(name)?.lookups ?? 0
    return Math.max(all, this.failed.get(name)?.lookups ?? 0)
  }

  private draft({ knows, denies, rows }: Pair): Draft {
    const { answers } = this
    const names = rows.map(({ yes }) => nameOf(this.world, answers.get(yes, NAME)))
    const positive = rows.reduce((n, { yes }) => n + answers.get(yes, DATA) + answers.get(yes, EMPTY), 0)
    const negative = rows.reduce((n, { no }) => n + answers.get(no, DENIED), 0)
    const hit = names.map(name => this.failed.get(name)).filter(failed => failed !== undefined)
    const explained = hit.reduce((n, failed) => n + failed.lookups, 0)
    const all = names.reduce((n, name) => n + this.lookupsOf(name), 0)
    const frames = new FrameSample()
    for (const { yes, no } of rows) {
      this.addFirst(frames, yes, FIRST_DATA)
      this.addFirst(frames, no, FIRST_DENIED)
    }
    const zone = zoneOfNames(names)
    const knowsNothing = names.length >= MANY_NAMES && isOfSeveralDomains(names) && this.deniesAll(denies)
    const failures =
      explained > 0
        ? ` ${count(explained)} of ${plural(all, 'lookup')} of ${names.length === 1 ? 'this name' : 'these names'} failed by it: ${share(explained, this.denied)} of all "no such name".`
        : ''
    return {
      what: `${who(this.world, knows)} knows ${listed(names, 2)} (${plural(positive, 'answer')}), ${who(this.world, denies)} says that there is no such name (${count(negative)} times), and both are asked at random.${knowsNothing ? ` It denied all that it was asked for.` : ''}${failures}${this.directly(knows, denies, names)}`,
      why: 'CoreDNS takes NXDOMAIN from any server behind "forward" for final and does not ask the next one.',
      advice: knowsNothing
        ? `Take ${who(this.world, denies)} out of the list behind "forward" until it answers names that exist; a server block of its own for each name would be no help.`
        : `Forward ${zone} to ${who(this.world, knows)} alone, in a server block of its own, and keep only servers with equal knowledge behind "forward .".`,
      snippet: knowsNothing
        ? `dig @${this.world.tables.addresses.text(denies)} ${names[0]} A +tries=1   # NXDOMAIN
# Corefile
forward . ${this.world.tables.addresses.text(knows)}`
        : `# Corefile
${zone}:53 {
    errors
    cache 30
    forward . ${this.world.tables.addresses.text(knows)}
}`,
      count: explained > 0 ? explained : negative,
      share: explained > 0 ? explained / all : negative / (negative + positive),
      clients: new Set(hit.flatMap(failed => [...failed.clients])),
      servers: [knows, denies],
      frames,
      // What was forgotten of an answer may have been the opposite.
      confidence: rows.some(({ yes, no }) => !answers.isWhole(yes) || !answers.isWhole(no))
        ? 'low'
        : positive + negative >= 10
          ? 'high'
          : 'medium',
      names,
    }
  }

  /** Never had it an answer for anybody. */
  private deniesAll(server: AddressId): boolean {
    const { answers } = this
    for (let row = 0; row < answers.size; row++)
      if (answers.get(row, SERVER) === server && answers.get(row, DATA) + answers.get(row, EMPTY) > 0) return false
    const isDirect = this.direct.values().some(d => d.server === server && d.data > 0)
    return !isDirect && answers.forgotten === 0 && this.direct.forgotten === 0
  }

  /** Who asks one of the two servers itself, and which of the two nobody else asks. */
  private directly(knows: AddressId, denies: AddressId, names: readonly string[]): string {
    const got = [...this.direct.values()].filter(
      d => (d.server === knows || d.server === denies) && names.includes(nameOf(this.world, d.name)),
    )
    const clients = whoAll(
      this.world,
      got.flatMap(d => [...d.clients]),
    )
    const data = got.reduce((n, d) => n + d.data, 0)
    const nxdomain = got.reduce((n, d) => n + d.nxdomain, 0)
    // Who says "always", "never" and "nobody" must not have forgotten anything.
    if (this.direct.forgotten > 0 || this.askedDirectly.forgotten > 0) return ''
    const told =
      data > 0 && nxdomain === 0
        ? ` ${clients}, asking ${who(this.world, knows)} directly, always got it (${plural(data, 'time')}): it resolves where others fail.`
        : nxdomain > 0 && data === 0
          ? ` ${clients}, asking ${who(this.world, denies)} directly, never got it.`
          : ''
    const asked = (server: AddressId): number => this.askedDirectly.get(server)?.queries ?? 0
    const left = asked(knows) >= MIN_DIRECT && asked(denies) === 0 ? denies : null
    return left === null
      ? told
      : `${told} Nobody else asks ${who(this.world, left)}: it stands second in the nodes' list, or CoreDNS has a list that is out of date.`
  }
}

/** Who knows only one domain not at all may know all others. */
const isOfSeveralDomains = (names: readonly string[]): boolean => {
  const domain = zoneOfNames(names)
  return names.includes(domain) || !domain.includes('.')
}

/** The zone that holds all names: their common ending, at most all but the first label. */
function zoneOfNames(names: readonly string[]): string {
  const split = names.map(name => name.split('.').reverse())
  const shortest = Math.min(...split.map(labels => labels.length)) - 1
  let common = 0
  while (common < shortest && split.every(labels => labels[common] === split[0][common])) common++
  return common === 0 ? names[0] : split[0].slice(0, common).reverse().join('.')
}
