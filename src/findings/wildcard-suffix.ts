/** wildcard-suffix: a search domain answers everything, so names of the Internet lead to the wrong place. */

import { NXDOMAIN } from '../codes.ts'
import type { AddressId, Time } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { domainOf } from './domains.ts'
import { type FewAddresses, NOBODY, withAddress } from './few-addresses.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { clockTime, type World, whoAll, zoneOf } from './world.ts'

/** Names of the Internet that a search domain answered: two may have been made on purpose. */
const MIN_NAMES = 3
/** A wildcard leaves nothing out; some names may be older than it. */
const MIN_SHARE = 0.9
const MOST_NAMES = 1000
const MOST_ADDRESSES = 100
/** Names and servers of an address that names outside of the domain got, too. */
const MOST_OUTSIDE = 10
const MOST_SERVERS = 4
/** No denial is older in the cache of CoreDNS. */
const OLDEST_DENIAL: Time = 31e9

/** A name that ends like this was meant as a full one: no search domain is expected to hold "github.com". */
const INTERNET = /\.(com|net|org|io|dev|cloud|app|gov|edu)$/

export const wildcardSuffix: Rule = {
  code: 'wildcard-suffix',
  severity: 'problem',
  title: 'A wildcard in a search domain answers for names that it does not own',
  means:
    'Full names such as github.com are answered by a search domain (github.com.corp.example) before they are asked as they are. Applications connect to whatever the wildcard points at: usually the wrong host, with a wrong certificate.',
  why: 'A search domain holds a wildcard record (*.corp.example), so it has an answer for anything; or a resolver of the provider, a portal or a filter puts an address of its own in the place of NXDOMAIN, under any domain. Under ndots 5 the search domains are asked before the name itself, and the first answer wins.',
  todo: "Remove the wildcard, or take the domain out of the pods' search list (the node's resolv.conf, dnsConfig). A smaller ndots or a dot at the end of names hides it for names with enough dots.",
  evidence: `At least ${MIN_NAMES} different names with an ending of the public Internet were answered with data under one search domain, and at most ${Math.round(100 - MIN_SHARE * 100)} % of what was asked under it came back with NXDOMAIN; where names of as many domains got one and the same address, denials from before its first answer, and from caches after it, do not count. Where names of several other domains got that address as well, the server is said to put it in the place of NXDOMAIN. "Shadowed" are those that were also answered as they are in the same capture.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc4592',
    'https://github.com/rancher/rancher/issues/6149',
    'https://github.com/kubernetes/kubernetes/issues/49113',
  ],
  shownBy: ['test/findings/wildcard-suffix.txt'],
  begin: world => new WildcardSuffix(world),
}

interface Suffix {
  hits: number
  misses: number
  /** Misses before the first hit, and those after it that no cache can have kept. */
  before: number
  late: number
  /** When it first answered. */
  since: Time
  names: Set<string>
  /** By address that it gave. */
  addresses: Tally<number, { hits: number }>
  /** Those behind the one that was asked, where they are seen. */
  servers: FewAddresses
  clients: Set<AddressId>
  frames: FrameSample
}

/** What a name got as it is, by address. */
interface Outside {
  names: string[]
  servers: FewAddresses
}

class WildcardSuffix implements Observer {
  private readonly world: World
  private readonly suffixes = new Tally<string, Suffix>(() => ({
    hits: 0,
    misses: 0,
    before: 0,
    late: 0,
    since: Number.POSITIVE_INFINITY,
    names: new Set(),
    addresses: new Tally(() => ({ hits: 0 }), MOST_ADDRESSES),
    servers: NOBODY,
    clients: new Set(),
    frames: new FrameSample(),
  }))
  /** Names that were answered as they are. */
  private readonly real = new Tally<string, true>(() => true)
  private readonly outside = new Tally<number, Outside>(() => ({ names: [], servers: NOBODY }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    for (let i = 0; i < lookup.suffixes.length; i++) {
      const domain = lookup.suffixes[i]
      const { transactions } = lookup.candidates[i]
      const hit = hitOf(transactions)
      if (domain === null) {
        if (hit) this.noteReal(lookup.base, hit)
        continue
      }
      const suffix = this.suffixes.of(domain)
      if (hit) {
        suffix.hits++
        suffix.since = Math.min(suffix.since, hit.end)
        if (suffix.names.size >= MOST_NAMES || !INTERNET.test(lookup.base)) continue
        suffix.names.add(lookup.base)
        if (hit.ipv4 !== 0) suffix.addresses.of(hit.ipv4).hits++
        for (const { server } of hit.effects ?? []) suffix.servers = withAddress(suffix.servers, server, MOST_SERVERS)
        suffix.clients.add(lookup.client)
        suffix.frames.add(hit)
      } else if (transactions.some(isDenied)) {
        suffix.misses++
        const { start } = transactions[0]
        if (start < suffix.since) suffix.before++
        else if (start > suffix.since + OLDEST_DENIAL) suffix.late++
      }
    }
  }

  private noteReal(name: string, hit: Transaction): void {
    this.real.of(name)
    if (hit.ipv4 === 0) return
    const outside = this.outside.of(hit.ipv4)
    if (outside.names.length < MOST_OUTSIDE && !outside.names.includes(name)) outside.names.push(name)
    // Where it is seen whom the server asked for it, that one said it.
    for (const { server } of hit.effects ?? [hit]) outside.servers = withAddress(outside.servers, server, MOST_SERVERS)
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null) return []
    return [...this.suffixes]
      .filter(([, s]) => s.names.size >= MIN_NAMES && isWildcard(s))
      .map(([domain, s]) => this.draft(domain, s))
  }

  private draft(domain: string, s: Suffix): Draft {
    const shadowed = [...s.names].filter(name => this.real.has(name))
    const address = theAddress(s)
    const hijack = address === null ? null : this.hijackBy(address, domain)
    const seen =
      shadowed.length > 0
        ? ` ${plural(shadowed.length, 'of them exists as it is', 'of them exist as they are')}: ${listed(shadowed, 2)}.`
        : ''
    const one =
      address === null
        ? ''
        : ` All got the same address, ${textOf(address)}${s.servers.length > 0 ? `, from ${whoAll(this.world, s.servers)}` : ''}.`
    const since =
      s.before >= MIN_NAMES
        ? ` That began at ${clockTime(this.world, s.since)} UTC: before it had denied such names ${plural(s.before, 'time')}.`
        : ''
    const also =
      hijack === null
        ? ''
        : ` ${listed(hijack.names, 2)}, outside of it, got ${textOf(address as number)} as well, from ${whoAll(this.world, hijack.servers)}.`
    return {
      what: `The search domain ${domain} answered ${plural(s.names.size, 'name')} of the Internet (${listed([...s.names], 2)}) in the place of the real ones.${one}${since}${seen}${also}`,
      why:
        hijack === null
          ? 'A wildcard record in a search domain has an answer for anything, and search domains are asked before the name itself.'
          : 'A server puts an address of its own in the place of "no such name", whatever the domain; search domains are asked before the name itself, so they get it first.',
      advice:
        hijack === null
          ? `Remove the wildcard from ${domain}, or take the domain out of the pods' search list.${address === null ? '' : ` Where names that do not exist get ${textOf(address)} under other domains too, the server puts it in the place of "no such name": have that turned off.`}`
          : `Have ${whoAll(this.world, hijack.servers)} answer NXDOMAIN for what does not exist (turn off its redirection, or the one behind it), or forward to a server that does; ${domain} itself may hold no wildcard at all.`,
      snippet:
        hijack === null
          ? `dig +short no-such-name-at-all.${domain}.   # an answer proves the wildcard
dig +short no-such-name-at-all.invalid.   # an answer proves that the server does it for every domain`
          : `dig @${this.world.tables.addresses.text(hijack.servers[0])} no-such-name-at-all.invalid.   # an address proves it`,
      count: s.hits,
      share: s.hits / (s.hits + s.misses),
      clients: s.clients,
      servers: hijack?.servers ?? s.servers,
      frames: s.frames,
      confidence: shadowed.length > 0 || s.names.size >= 10 || hijack !== null ? 'high' : 'medium',
      names: [...s.names, domain],
    }
  }

  /** Names of several other domains got that address as well: it is no record of this one. */
  private hijackBy(address: number, domain: string): Outside | null {
    const outside = this.outside.get(address)
    if (outside === undefined) return null
    const names = outside.names.filter(name => !isWithin(name, domainOf(domain)))
    return new Set(names.map(domainOf)).size >= 2 ? { names, servers: outside.servers } : null
  }
}

/** All that it is asked for, as far as no cache keeps older denials; or names that have nothing in common, all at one address. */
const isWildcard = (s: Suffix): boolean =>
  s.hits >= MIN_SHARE * (s.hits + s.misses) ||
  (theAddress(s) !== null &&
    new Set([...s.names].map(domainOf)).size >= MIN_NAMES &&
    s.hits >= MIN_SHARE * (s.hits + s.late))

/** The address that nearly all of its answers gave; null where they differ. */
function theAddress({ addresses }: Suffix): number | null {
  const all = addresses.values().reduce((n, { hits }) => n + hits, 0)
  for (const [address, { hits }] of addresses) if (hits >= MIN_SHARE * all) return address
  return null
}

const textOf = (address: number): string => [24, 16, 8, 0].map(bits => (address >>> bits) & 255).join('.')

function hitOf(transactions: readonly Transaction[]): Transaction | null {
  for (const t of transactions) if (t.state === ANSWERED && hasAnswer(t)) return t
  return null
}

const isDenied = (t: Transaction): boolean => t.rcode === NXDOMAIN
