/** aaaa-nxdomain-contradiction: a name has an IPv4 address, yet for IPv6 the server says that it does not exist. */
import { A, AAAA, NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import type { Hop } from '../trace/trace.ts'
import { ANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { Tally } from './tally.ts'
import { listed, nameOf, serverRole, type World, whoAll } from './world.ts'

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
  evidence: `Of one name at one server: A answered with addresses at least ${MIN_ANSWERS} times and never with NXDOMAIN, AAAA answered NXDOMAIN at least ${MIN_ANSWERS} times and never otherwise. Names of the finding upstreams-disagree are left out, and names that autopath rewrote. A problem where a lookup failed by it, else a warning.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc4074#section-4.2',
    'https://datatracker.ietf.org/doc/html/rfc8020',
    'https://coredns.io/plugins/template/',
    'https://github.com/coredns/coredns/issues/779',
  ],
  shownBy: ['test/findings/aaaa-nxdomain-contradiction.txt'],
  begin: world => new AaaaNxdomainContradiction(world),
}

interface Answers {
  addresses: number
  aNxdomain: number
  aaaaNxdomain: number
  aaaaOther: number
  frames: FrameSample
}

class AaaaNxdomainContradiction implements Observer {
  private readonly world: World
  private readonly answers = new Tally<number, Answers & { name: NameId; server: AddressId }>(() => ({
    name: NONE,
    server: NONE,
    addresses: 0,
    aNxdomain: 0,
    aaaaNxdomain: 0,
    aaaaOther: 0,
    frames: new FrameSample(),
  }))
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
    const key = t.qname * 0x200000 + t.server
    if (
      t.rcode === NXDOMAIN &&
      t.qtype === AAAA &&
      !this.answers.map.has(key) &&
      !isDeciding(lookup, t.qname, this.world)
    )
      return
    const answers = this.answers.of(key)
    if (!answers) return
    answers.name = t.qname
    answers.server = t.server
    if (t.qtype === A) {
      if (t.rcode === NXDOMAIN) answers.aNxdomain++
      else if (t.rcode === NOERROR && t.addresses > 0 && t.cname === NONE) answers.addresses++
    } else if (t.rcode === NXDOMAIN) {
      answers.aaaaNxdomain++
      answers.frames.add(t)
    } else answers.aaaaOther++
  }

  lookup(lookup: Lookup): void {
    if (lookup.outcome !== 'nxdomain') return
    const { name, transactions } = lookup.candidates[lookup.deciding]
    if (!transactions.some(t => t.qtype === A && t.state === ANSWERED && t.addresses > 0)) return
    const failed = this.failed.of(name)
    if (!failed) return
    failed.lookups++
    failed.clients.add(lookup.client)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const explained = earlier.filter(({ code }) => code === 'upstreams-disagree')
    const wrong = [...this.answers.map.values()].filter(
      a =>
        a.addresses >= MIN_ANSWERS &&
        a.aaaaNxdomain >= MIN_ANSWERS &&
        a.aNxdomain === 0 &&
        a.aaaaOther === 0 &&
        !explained.some(finding => finding.names.has(nameOf(this.world, a.name))),
    )
    if (wrong.length === 0) return []
    const names = [...new Set(wrong.map(a => nameOf(this.world, a.name)))]
    // Where the upstream is seen too, CoreDNS only passes on what it was told.
    const upstream = wrong.filter(a => serverRole(this.world, a.server) === 'upstream')
    const servers = new Set((upstream.length > 0 ? upstream : wrong).map(a => a.server))
    const failed = names.map(name => this.failed.map.get(name)).filter(f => f !== undefined)
    const lookups = failed.reduce((n, f) => n + f.lookups, 0)
    const frames = new FrameSample()
    for (const a of wrong) frames.addAll(a.frames)
    const nxdomain = wrong.filter(a => servers.has(a.server)).reduce((n, a) => n + a.aaaaNxdomain, 0)
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
        confidence: nxdomain >= 3 * MIN_ANSWERS ? 'high' : 'medium',
        names,
      },
    ]
  }
}

const isDeciding = (lookup: Lookup, name: NameId, world: World): boolean =>
  lookup.candidates[lookup.deciding].name === nameOf(world, name)
