/** aaaa-nxdomain-contradiction: a name has an IPv4 address, yet for IPv6 the server says that it does not exist. */

import { A, AAAA, NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, listed, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import { addressIn, idIn, pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { nameOf, serverRole, type World, whoAll } from './world.ts'

/** A name may be created or deleted between A and AAAA once; not twice, and never the other way round. */
const MIN_ANSWERS = 2

export const aaaaNxdomainContradiction: Rule = {
  code: 'aaaa-nxdomain-contradiction',
  severity: 'problem',
  title: 'AAAA says that a name does not exist, A gives its address',
  means:
    'A server answers A for a name with an address and AAAA for the same name with NXDOMAIN. NXDOMAIN speaks of the name, not of the type: both cannot be true. musl (Alpine), some versions of .NET and caches that take NXDOMAIN at its word then fail for a name that exists.',
  why: 'Usual makers are external DNS plugins of CoreDNS, ingress or gateway controllers that serve A only, load balancers that answer DNS, and old appliances. A server that has no AAAA must answer NOERROR with an empty answer (RFC 4074).',
  todo: 'Have the server that invents the NXDOMAIN fixed or replaced. Until then a template for AAAA in front of it turns the answer into an empty one.',
  evidence: `Of one name at one server: A answered with addresses at least ${MIN_ANSWERS} times and never with NXDOMAIN, AAAA answered NXDOMAIN at least ${MIN_ANSWERS} times and never otherwise. Names of the findings upstreams-disagree and replicas-disagree are left out, names that autopath rewrote, and what is not of AAAA alone: names whose AAAA another server has an address for, or whose A another one denied, and all of a server that denies A of names whose AAAA it has. A problem where a lookup failed by it, else a warning.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc4074#section-4.2',
    'https://datatracker.ietf.org/doc/html/rfc8020',
    'https://coredns.io/plugins/template/',
    'https://github.com/coredns/coredns/issues/779',
  ],
  shownBy: ['test/findings/aaaa-nxdomain-contradiction.txt'],
  begin: world => new AaaaNxdomainContradiction(world),
}

/** Columns of the rows: answers to A with an address, and NXDOMAIN to it. */
const ADDRESSES = 0
const A_NXDOMAIN = 1
/** Answers to AAAA: NXDOMAIN, and all others; of these, those with an address. */
const AAAA_NXDOMAIN = 2
const AAAA_OTHER = 3
const AAAA_FOUND = 4
const COLUMNS = 5

class AaaaNxdomainContradiction implements Observer {
  private readonly world: World
  /** By name and server. */
  private readonly answers = new Rows(COLUMNS, key => this.frames.delete(key))
  /** By the same keys: answers of NXDOMAIN to AAAA. */
  private readonly frames = new Map<number, FrameSample>()
  private readonly failed = new Tally<string, { lookups: number; clients: Set<AddressId> }>(() => ({
    lookups: 0,
    clients: new Set(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, lookup }: Hop): void {
    if (!lookup || t.state !== ANSWERED || t.qname === NONE || (t.qtype !== A && t.qtype !== AAAA)) return
    // Search candidates are denied by the thousand; only a name with an address can contradict itself.
    const key = pairOf(t.qname, t.server)
    const { answers } = this
    const isDenial = t.rcode === NXDOMAIN
    if (isDenial && answers.find(key) === NONE && !isDeciding(lookup, t.qname)) return
    const row = answers.of(key)
    if (t.qtype === AAAA && t.rcode === NOERROR && t.addresses > 0) answers.add(row, AAAA_FOUND)
    // Where A is denied too, nothing contradicts, whatever comes after.
    if (answers.get(row, A_NXDOMAIN) > 0) {
      if (t.qtype === A && isDenial) answers.add(row, A_NXDOMAIN)
      return
    }
    if (t.qtype === A) {
      if (isDenial) {
        answers.add(row, A_NXDOMAIN)
        this.frames.delete(key)
      } else if (t.rcode === NOERROR && t.addresses > 0 && t.cname === NONE) answers.add(row, ADDRESSES)
    } else if (isDenial) {
      answers.add(row, AAAA_NXDOMAIN)
      this.noteFrames(key, t)
    } else answers.add(row, AAAA_OTHER)
  }

  private noteFrames(key: number, t: Transaction): void {
    const frames = this.frames.get(key)
    if (frames) frames.add(t)
    else {
      const first = new FrameSample()
      first.add(t)
      this.frames.set(key, first)
    }
  }

  lookup(lookup: Lookup): void {
    if (lookup.outcome !== 'nxdomain') return
    const { name, transactions } = lookup.candidates[lookup.deciding]
    if (!transactions.some(t => t.qtype === A && t.state === ANSWERED && t.addresses > 0)) return
    const failed = this.failed.of(name)
    failed.lookups++
    failed.clients.add(lookup.client)
  }

  private get contradictions(): { row: number; name: string; server: AddressId }[] {
    const { answers } = this
    const rows = Array.from({ length: answers.size }, (_, row) => row)
    const other = this.notOfFamily(rows)
    return rows
      .filter(
        row =>
          answers.get(row, ADDRESSES) >= MIN_ANSWERS &&
          answers.get(row, AAAA_NXDOMAIN) >= MIN_ANSWERS &&
          answers.get(row, A_NXDOMAIN) === 0 &&
          answers.get(row, AAAA_OTHER) === 0,
      )
      .map(row => ({ row, name: idIn(answers.keyOf(row)), server: addressIn(answers.keyOf(row)) }))
      .filter(({ name, server }) => !other.names.has(name) && !other.servers.has(server))
      .map(({ row, name, server }) => ({ row, name: nameOf(this.world, name), server }))
  }

  /**
   * Names that have an IPv6 address elsewhere, or are denied for A as well; and servers that deny A of names with an IPv6 address: who
   * denies what of a name is chance there.
   */
  private notOfFamily(rows: readonly number[]): { names: ReadonlySet<NameId>; servers: ReadonlySet<AddressId> } {
    const { answers } = this
    const names = new Set<NameId>()
    const servers = new Set<AddressId>()
    for (const row of rows) {
      const found = answers.get(row, AAAA_FOUND)
      const denied = answers.get(row, A_NXDOMAIN)
      const key = answers.keyOf(row)
      if (found > 0 || denied >= MIN_ANSWERS) names.add(idIn(key))
      if (found >= MIN_ANSWERS && denied >= MIN_ANSWERS) servers.add(addressIn(key))
    }
    return { names, servers }
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const explained = earlier.filter(({ code }) => code === 'upstreams-disagree' || code === 'replicas-disagree')
    const wrong = this.contradictions.filter(({ name }) => !explained.some(finding => finding.names.has(name)))
    if (wrong.length === 0) return []
    const names = [...new Set(wrong.map(({ name }) => name))]
    // Where the upstream is seen too, CoreDNS only passes on what it was told.
    const upstream = wrong.filter(a => serverRole(this.world, a.server) === 'upstream')
    const servers = new Set((upstream.length > 0 ? upstream : wrong).map(a => a.server))
    const failed = names.map(name => this.failed.get(name)).filter(f => f !== undefined)
    const lookups = failed.reduce((n, f) => n + f.lookups, 0)
    const frames = new FrameSample()
    for (const { row } of wrong) frames.addAll(this.frames.get(this.answers.keyOf(row)) as FrameSample)
    const nxdomain = wrong
      .filter(a => servers.has(a.server))
      .reduce((n, a) => n + this.answers.get(a.row, AAAA_NXDOMAIN), 0)
    const victims = lookups > 0 ? ` ${plural(lookups, 'lookup')} failed by it.` : ''
    return [
      {
        severity: lookups > 0 ? 'problem' : 'warning',
        what: `${whoAll(this.world, servers)} answered AAAA for ${listed(names, 2)} with NXDOMAIN ${count(nxdomain)} times, although A has an address.${victims}`,
        why: 'NXDOMAIN denies the name as a whole; musl and some others then ignore the address that A gave.',
        advice:
          'Have the server answer NOERROR without records for types that it does not have; until then answer AAAA in CoreDNS.',
        snippet: `# Corefile, in the server block of the zone
template IN AAAA {
    match "^${names[0].replaceAll('.', '\\.')}\\.$"
    rcode NOERROR
}`,
        count: nxdomain,
        share: null,
        clients: new Set(failed.flatMap(f => [...f.clients])),
        servers,
        frames,
        // What was forgotten of a name may have been what it is said never to have got.
        confidence: wrong.some(({ row }) => !this.answers.isWhole(row))
          ? 'low'
          : nxdomain >= 3 * MIN_ANSWERS
            ? 'high'
            : 'medium',
        names,
      },
    ]
  }
}

const isDeciding = (lookup: Lookup, name: NameId): boolean => lookup.candidates[lookup.deciding].qname === name
