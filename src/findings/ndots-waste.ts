/** ndots-waste: names with dots walk the whole search list before they are asked as they are. */

import { type AddressId, NONE, type Outcome, type Time } from '../model.ts'
import { bytes, count, listed, plural, roughDuration, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { dots } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { answeredFirst, type World, zoneOf } from './world.ts'

/** Fewer wasted queries than this cost nobody anything. */
const MIN_QUERIES = 20
/** Below this share of all queries, load and waiting would hardly change. */
const MIN_SHARE = 0.15
/** A candidate that ended so says nothing about its name. */
const BROKEN: ReadonlySet<Outcome> = new Set(['unanswered', 'unreachable', 'refused', 'servfail', 'capture-ended'])

export const ndotsWaste: Rule = {
  code: 'ndots-waste',
  severity: 'warning',
  title: 'Names with dots walk the whole search list first',
  means:
    'Applications ask for full names such as api.stripe.com. Before the resolver asks for the name itself it asks for the name with every search domain behind it, usually for A and AAAA each, and every one of these queries comes back with NXDOMAIN. Eight of ten queries answer nothing.',
  why: 'Kubernetes writes "options ndots:5" into the resolv.conf of pods with the policy ClusterFirst. A name with fewer than five dots is then taken for a short one and searched first, and hardly any name on the Internet has five dots.',
  todo: 'Give the workload a dnsConfig with a smaller ndots: with 2, api.shop (one dot) still goes through the search list at once, and names with two or more dots are asked as they are first. Or end the name with a dot where the application lets you (api.stripe.com.): it is then never searched. Check for names that only a search domain answers (api.shop.svc): glibc and Go search them after the name itself, one step later than today; musl does not search once a name has ndots dots and would not find them at all.',
  evidence: `Lookups of names with at least one dot that were decided by the name as it is, after candidates with search domains: all queries for those candidates are counted. Not where one of them was not answered, or with an error. Silent below ${MIN_QUERIES} such queries or ${MIN_SHARE * 100} % of all queries, and where no search list of Kubernetes was seen.`,
  links: [
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-dns-config',
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
    'https://github.com/kubernetes/kubernetes/issues/33554',
  ],
  shownBy: ['samples/01-glibc-clusterip.pcap', 'test/findings/ndots-waste.txt', 'recordings 01 to 15'],
  begin: world => new NdotsWaste(world),
}

class NdotsWaste implements Observer {
  private readonly world: World
  private queries = 0
  private wasted = 0
  /** Wasted for names of at least two dots: what ndots 2 spares. */
  private withTwoDots = 0
  private bytes = 0
  private wait: Time = 0
  /** The longest walk: the name, and the domains that were tried before it. */
  private walk: { name: string; domains: string[] } | null = null
  private readonly byClient = new Tally<AddressId, { wasted: number }>(() => ({ wasted: 0 }))
  private readonly byName = new Tally<string, { wasted: number }>(() => ({ wasted: 0 }))
  /** Names with dots that a search domain answered: of one, and of more, by the resolver that asked. */
  private readonly short = new Tally<string, true>(() => true)
  private readonly relying = new Tally<string, { musl: boolean }>(() => ({ musl: false }))
  private readonly frames = new FrameSample()

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    this.queries += waste.queries
    const n = dots(lookup.base)
    const decidedBy = lookup.suffixes[lookup.deciding]
    if (n > 0 && decidedBy !== null && lookup.certain && lookup.outcome === 'answered') {
      if (n === 1) this.short.of(lookup.base)
      else if (lookup.resolver === 'musl') this.relying.of(lookup.base).musl = true
      else this.relying.of(lookup.base)
    }
    if (n === 0 || decidedBy !== null || waste.kinds.search === 0 || !hasSearched(lookup)) return
    const { search } = waste.kinds
    this.wasted += search
    if (n >= 2) this.withTwoDots += search
    this.wait += waste.wait - waste.silentWait
    this.bytes += bytesOfSearch(lookup)
    if (this.walk === null || lookup.candidates.length > this.walk.domains.length + 1) {
      const domains = lookup.suffixes.slice(0, lookup.deciding).filter(suffix => suffix !== null)
      this.walk = { name: lookup.base, domains }
    }
    this.byClient.of(lookup.client).wasted += search
    this.byName.of(lookup.base).wasted += search
    this.frames.add(lookup.candidates[0].transactions[0])
  }

  conclude(): Draft[] {
    if (zoneOf(this.world) === null) return []
    if (this.wasted < MIN_QUERIES || this.wasted < MIN_SHARE * this.queries) return []
    const clients = [...this.byClient].sort((a, b) => b[1].wasted - a[1].wasted).map(([client]) => client)
    const byWaste = [...this.byName].sort((a, b) => b[1].wasted - a[1].wasted).map(([name]) => name)
    const needSearch = new Set([...this.short.keys(), ...this.relying.keys()])
    const full = byWaste.filter(name => !needSearch.has(name))
    const names = answeredFirst(this.world, full.length > 0 ? full : byWaste)
    const mostlyOneDot = this.withTwoDots < this.wasted / 2
    return [
      {
        what: `${count(this.wasted)} of ${plural(this.queries, 'query', 'queries')} (${share(this.wasted, this.queries)}) only tried search domains behind full names such as ${listed(names.slice(0, 2), 2)}, for ${plural(clients.length, 'client')}${this.cost()}.`,
        why: `With ndots 5 the resolver takes every name of fewer than five dots for a short one and walks the search list first${this.example()}.`,
        advice: mostlyOneDot ? this.adviceForOneDot(names) : this.adviceForNdots(),
        snippet: patch(mostlyOneDot && this.short.size === 0 ? 1 : 2),
        count: this.wasted,
        share: this.wasted / this.queries,
        clients,
        servers: [],
        frames: this.frames,
        confidence: 'high',
        names,
      },
    ]
  }

  private cost(): string {
    const size = Number.isNaN(this.bytes) || this.bytes === 0 ? '' : `${bytes(this.bytes)} and `
    return this.wait > 0 ? `: ${size}${roughDuration(this.wait / 1e6)} of waiting` : ''
  }

  private example(): string {
    if (this.walk === null || this.walk.domains.length === 0) return ''
    const { name, domains } = this.walk
    return `: ${name} with ${listed(
      domains.map(domain => `.${domain}`),
      4,
    )} behind it before it is asked itself`
  }

  private adviceForNdots(): string {
    const rest = this.wasted - this.withTwoDots
    const still = rest > 0 ? `; names of one dot (${count(rest)} queries) need a dot at their end` : ''
    return `ndots 2 in the dnsConfig of these pods spares ${count(this.withTwoDots)} of the ${count(this.wasted)} queries${still}.${this.caution()}`
  }

  private adviceForOneDot(names: readonly string[]): string {
    const example = names.find(name => dots(name) === 1) ?? names[0]
    const short = this.short.keys()
    const smaller =
      short.length > 0
        ? `. Not ndots 1: ${listed(short.slice(0, 2), 2)} would then be asked as given first, outside the cluster`
        : ', or set ndots 1: no name of one dot needs the search list in this capture'
    return `Most of these names have one dot: end them with a dot in the application's settings ("${example}.")${smaller}. ndots 2 spares ${this.withTwoDots === 0 ? 'none' : count(this.withTwoDots)} of the ${count(this.wasted)} queries.${this.caution()}`
  }

  /** Who would suffer from a smaller ndots. */
  private caution(): string {
    // What is found as it is, too, needs no search domain.
    const relying = [...this.relying].filter(([name]) => !this.byName.has(name))
    const lost = relying.filter(([, { musl }]) => musl).map(([name]) => name)
    if (lost.length > 0)
      return ` Careful: pods with musl (Alpine) would no longer find ${listed(lost, 2)}, which only a search domain answers.`
    const names = relying.map(([name]) => name)
    if (names.length === 0) return ''
    return ` ${listed(names, 2)} would be found one step later than now.`
  }
}

/** Its search domains were tried and had not the name. Where they were not answered nobody knows what a smaller ndots would change. */
const hasSearched = ({ outcomes, deciding }: Lookup): boolean =>
  outcomes.every((outcome, i) => outcome === 'nxdomain' || i === deciding || !BROKEN.has(outcome))

/** Queries and responses of the candidates that did not decide; NaN where a size is not known. */
function bytesOfSearch({ candidates, deciding }: Lookup): number {
  let sum = 0
  for (let i = 0; i < candidates.length; i++) {
    if (i === deciding) continue
    for (const t of candidates[i].transactions) {
      if (t.querySize === NONE) return Number.NaN
      sum += t.querySize * (1 + t.retransmissions)
      if (!Number.isNaN(t.end) && t.responseSize !== NONE) sum += t.responseSize
    }
  }
  return sum
}

const patch = (ndots: number): string => `# kubectl -n NAMESPACE patch deployment NAME --patch-file this.yaml
spec:
  template:
    spec:
      dnsConfig:
        options:
          - name: ndots
            value: "${ndots}"`
