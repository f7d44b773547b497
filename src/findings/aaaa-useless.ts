/** aaaa-useless: every name is asked for IPv6 addresses, and none has any. */

import { A, AAAA, NOERROR, SERVFAIL } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { isWithin } from '../trace/suffix.ts'
import { ANSWERED, isFinal } from '../trace/transaction.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { FrameSample } from './frame-sample.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { type World, zoneOf } from './world.ts'

/** Answers that had room for an IPv6 address: fewer may be chance. */
const MIN_ANSWERS = 50
/** Different names: one service asked over and over tells nothing of the cluster. */
const MIN_NAMES = 5
const MOST_NAMES = 1000
/** Failures: fewer are chance. */
const MIN_FAILURES = 5

export const aaaaUseless: Rule = {
  code: 'aaaa-useless',
  severity: 'warning',
  title: 'No name has an IPv6 address, yet every one is asked for it',
  means:
    'Resolvers ask for A and AAAA of every name and of every search domain behind it. In this capture not one AAAA query was answered with an address, so half of the load brings nothing.',
  why: 'The C libraries ask for both families unless the application says which one it wants. In a cluster with IPv4 only, services have no AAAA, and pods could not use one.',
  todo: 'glibc 2.36 and later leaves AAAA out with "options no-aaaa"; older ones and musl ignore it. A template in CoreDNS answers AAAA at once, without asking upstream. Do neither where IPv6 is planned: a dual-stack cluster needs them.',
  evidence: `No AAAA query of any client was answered with an address, while at least ${MIN_ANSWERS} for ${MIN_NAMES} or more names that have an A record came back empty. Silent as soon as a single AAAA brings an address, where most AAAA queries ended in errors or without an answer, and where no name outside the cluster was answered, but by a wildcard.`,
  links: [
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
    'https://coredns.io/plugins/template/',
    'https://github.com/kubernetes/kubernetes/issues/45363',
  ],
  shownBy: ['test/findings/aaaa-useless.txt'],
  begin: world => new AaaaUseless(world),
}

class AaaaUseless implements Observer {
  private readonly world: World
  private queries = 0
  private aaaaQueries = 0
  private empty = 0
  private failures = 0
  private aaaaFailures = 0
  /** AAAA queries that got an answer, and those that got an error or nothing. */
  private aaaaAnswered = 0
  private aaaaUnanswered = 0
  private found = false
  private readonly names = new Set<string>()
  private readonly clients = new Set<AddressId>()
  private readonly frames = new FrameSample()

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    this.queries += waste.queries
    for (const { name, transactions } of lookup.candidates) {
      const hasA = transactions.some(t => t.qtype === A && t.state === ANSWERED && t.addresses > 0)
      for (const t of transactions) {
        if (t.rcode === SERVFAIL) {
          this.failures++
          if (t.qtype === AAAA) this.aaaaFailures++
        }
        if (t.qtype !== AAAA) continue
        this.aaaaQueries += 1 + t.retransmissions
        if (t.state === ANSWERED && isFinal(t)) this.aaaaAnswered++
        else this.aaaaUnanswered++
        if (t.state !== ANSWERED) continue
        if (t.addresses > 0) this.found = true
        if (!hasA || t.rcode !== NOERROR || t.addresses > 0) continue
        this.empty++
        if (this.names.size < MOST_NAMES) this.names.add(name)
        this.clients.add(lookup.client)
        this.frames.add(t)
      }
    }
  }

  /** AAAA that fails where A does not: a sentence where most of the failures are of this kind. */
  private failing(): string {
    if (this.aaaaFailures < MIN_FAILURES || this.aaaaFailures * 2 <= this.failures) return ''
    return ` ${count(this.aaaaFailures)} of ${count(this.failures)} SERVFAIL (${share(this.aaaaFailures, this.failures)}) were theirs.`
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const zone = zoneOf(this.world)
    if (zone === null || this.found) return []
    // Where most fail nobody knows what they would have brought; and what is inside has no address where the Internet may have.
    if (this.aaaaUnanswered > this.aaaaAnswered) return []
    // Nor has a wildcard.
    const wild = earlier.flatMap(({ code, names }) => (code === 'wildcard-suffix' ? [...names] : []))
    const notOfInternet = [zone, ...wild]
    if (![...this.names].some(name => !notOfInternet.some(domain => isWithin(name, domain)))) return []
    if (this.empty < MIN_ANSWERS || this.names.size < MIN_NAMES) return []
    return [
      {
        what: `${count(this.aaaaQueries)} of ${plural(this.queries, 'query', 'queries')} (${share(this.aaaaQueries, this.queries)}) asked for IPv6 addresses, and not one name had any.${this.failing()}`,
        why: 'Resolvers ask for both families, also where the cluster has IPv4 only.',
        advice:
          'With glibc 2.36 or later set the option no-aaaa in the dnsConfig; or let CoreDNS answer AAAA itself with an empty answer.',
        snippet: `spec:
  template:
    spec:
      dnsConfig:
        options:
          - name: no-aaaa`,
        count: this.aaaaQueries,
        share: this.aaaaQueries / this.queries,
        clients: this.clients,
        servers: [],
        frames: this.frames,
        confidence: this.names.size >= 20 ? 'high' : 'medium',
      },
    ]
  }
}
