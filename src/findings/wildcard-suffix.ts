/** wildcard-suffix: a search domain answers everything, so names of the Internet lead to the wrong place. */

import { NXDOMAIN } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, zoneOf } from './world.ts'

/** Names of the Internet that a search domain answered: two may have been made on purpose. */
const MIN_NAMES = 3
/** A wildcard leaves nothing out; some names may be older than it. */
const MIN_SHARE = 0.9
const MOST_NAMES = 1000

/** A name that ends like this was meant as a full one: no search domain is expected to hold "github.com". */
const INTERNET = /\.(com|net|org|io|dev|cloud|app|gov|edu)$/

export const wildcardSuffix: Rule = {
  code: 'wildcard-suffix',
  severity: 'problem',
  title: 'A wildcard in a search domain answers for names that it does not own',
  means:
    'Full names such as github.com are answered by a search domain (github.com.corp.example) before they are asked as they are. Applications connect to whatever the wildcard points at: usually the wrong host, with a wrong certificate.',
  why: 'A search domain holds a wildcard record (*.corp.example), so it has an answer for anything. Under ndots 5 the search domains are asked before the name itself, and the first answer wins.',
  todo: "Remove the wildcard, or take the domain out of the pods' search list (the node's resolv.conf, dnsConfig). A smaller ndots or a dot at the end of names hides it for names with enough dots.",
  evidence: `At least ${MIN_NAMES} different names with an ending of the public Internet were answered with data under one search domain, and at most ${Math.round(100 - MIN_SHARE * 100)} % of what was asked under it came back with NXDOMAIN. "Shadowed" are those that were also answered as they are in the same capture.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc4592',
    'https://github.com/rancher/rancher/issues/6149',
    'https://github.com/kubernetes/kubernetes/issues/49113',
  ],
  shownBy: ['test/findings/wildcard-suffix.txt'],
  begin: world => new WildcardSuffix(world),
}

class WildcardSuffix implements Observer {
  private readonly world: World
  private readonly suffixes = new Tally<
    string,
    { hits: number; misses: number; names: Set<string>; clients: Set<AddressId>; frames: FrameSample }
  >(() => ({ hits: 0, misses: 0, names: new Set(), clients: new Set(), frames: new FrameSample() }))
  /** Names that were answered as they are. */
  private readonly real = new Tally<string, true>(() => true)

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    for (let i = 0; i < lookup.suffixes.length; i++) {
      const domain = lookup.suffixes[i]
      const { transactions } = lookup.candidates[i]
      const hit = hitOf(transactions)
      if (domain === null) {
        if (hit) this.real.of(lookup.base)
        continue
      }
      const suffix = this.suffixes.of(domain)
      if (hit) {
        suffix.hits++
        if (suffix.names.size >= MOST_NAMES || !INTERNET.test(lookup.base)) continue
        suffix.names.add(lookup.base)
        suffix.clients.add(lookup.client)
        suffix.frames.add(hit)
      } else if (transactions.some(isDenied)) suffix.misses++
    }
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null) return []
    return [...this.suffixes]
      .filter(([, s]) => s.names.size >= MIN_NAMES && s.hits >= MIN_SHARE * (s.hits + s.misses))
      .map(([domain, s]) => {
        const shadowed = [...s.names].filter(name => this.real.has(name))
        const seen =
          shadowed.length > 0
            ? ` ${plural(shadowed.length, 'of them exists as it is', 'of them exist as they are')}: ${listed(shadowed, 2)}.`
            : ''
        return {
          what: `The search domain ${domain} answered ${plural(s.names.size, 'name')} of the Internet (${listed([...s.names], 2)}) in the place of the real ones.${seen}`,
          why: 'A wildcard record in a search domain has an answer for anything, and search domains are asked before the name itself.',
          advice: `Remove the wildcard from ${domain}, or take the domain out of the pods' search list.`,
          snippet: `dig +short no-such-name-at-all.${domain}.   # an answer proves the wildcard`,
          count: s.hits,
          share: s.hits / (s.hits + s.misses),
          clients: s.clients,
          servers: [],
          frames: s.frames,
          confidence: shadowed.length > 0 || s.names.size >= 10 ? ('high' as const) : ('medium' as const),
          names: s.names,
        }
      })
  }
}

function hitOf(transactions: readonly Transaction[]): Transaction | null {
  for (const t of transactions) if (t.state === ANSWERED && hasAnswer(t)) return t
  return null
}

const isDenied = (t: Transaction): boolean => t.rcode === NXDOMAIN
