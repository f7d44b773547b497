/** useless-suffix: a search domain from outside the cluster that never answers anything. */

import { NOERROR, NXDOMAIN } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { listed, plural, roughDuration } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { isTypoOf } from './typo.ts'
import { type World, whoAll, zoneOf } from './world.ts'

/** A domain that is seldom needed may be silent for a while; this many misses in one capture ... */
const MIN_MISSES = 20
/** ... for this many different names are a habit. */
const MIN_NAMES = 3
const MOST_NAMES = 1000
/** What fewer of the clients have does not come from the kubelet, which gives all pods of a node the same. */
const SHARE_OF_KUBELET = 1 / 3
/** What clusters are called unless somebody changed it. */
const USUAL_ZONE = 'cluster.local'

export const uselessSuffix: Rule = {
  code: 'useless-suffix',
  severity: 'warning',
  title: 'A search domain never answers',
  means:
    'One of the search domains behind those of the cluster did not answer a single name in the whole capture. Every searched name pays for it, and since CoreDNS does not know the domain itself, each miss goes on to the upstream servers.',
  why: "The kubelet appends the search line of the node's own resolv.conf to that of every pod with the policy ClusterFirst or Default. Clouds and companies put their domain there for people who log in, not for pods. What only some pods have comes from their own dnsConfig; a domain that differs from the cluster's by a letter or two is a typo there, and hides all services from these pods.",
  todo: 'Give the kubelet a resolv.conf without the domain (resolvConf in its configuration), or the workload dnsPolicy None with a search list of its own. Ask first who uses names of this domain without writing them in full: what the capture does not show may still exist.',
  evidence: `Candidates with this search domain: none got NOERROR, all that were answered got NXDOMAIN. Silent below ${MIN_MISSES} misses for ${MIN_NAMES} names, and for the cluster's own domains, which belong to the policy ClusterFirst. A typo is told where only some of the clients have the domain, or where it stands in the place of ${USUAL_ZONE}, of which names were answered.`,
  links: [
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/#introduction',
    'https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/',
    'https://github.com/coredns/coredns/issues/7212',
  ],
  shownBy: [
    'samples/01-glibc-clusterip.pcap',
    'test/findings/useless-suffix.txt',
    'recordings 01, 03, 04, 06, 08, 10, 14, 15',
  ],
  begin: world => new UselessSuffix(world),
}

interface Suffix {
  misses: number
  hits: number
  queries: number
  wait: number
  names: Set<string>
  clients: Set<AddressId>
  frames: FrameSample
}

class UselessSuffix implements Observer {
  private readonly world: World
  private readonly suffixes = new Tally<string, Suffix>(() => ({
    misses: 0,
    hits: 0,
    queries: 0,
    wait: 0,
    names: new Set(),
    clients: new Set(),
    frames: new FrameSample(),
  }))

  /** All clients that search. */
  private readonly searching = new Tally<AddressId, true>(() => true)

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    const { suffixes, searchList, candidates } = lookup
    if (searchList.length > 0) this.searching.of(lookup.client)
    for (let i = 0; i < suffixes.length; i++) {
      const domain = suffixes[i]
      if (domain === null || !searchList.includes(domain)) continue
      const suffix = this.suffixes.of(domain)
      // One that answered once is of use, whatever else it costs.
      if (suffix.hits === 0) addTo(suffix, candidates[i].transactions, lookup)
    }
  }

  conclude(): Draft[] {
    const zone = this.zone
    if (zone === null) return []
    // A hit may be among what was forgotten.
    const useless = [...this.suffixes]
      .filter(([domain]) => this.suffixes.isWhole(domain))
      .filter(([domain, s]) => !isWithin(domain, zone) && s.hits === 0)
      .filter(([, s]) => s.misses >= MIN_MISSES && s.names.size >= MIN_NAMES)
    const typos = useless.filter(([domain, s]) => isMeant(domain, zone) && this.isOfSome(zone, s))
    const others = useless.filter(suffix => !typos.includes(suffix))
    return [
      ...others.map(([domain, s]) => this.draft(domain, s)),
      ...(typos.length > 0 ? [this.draftTypo(typos, zone)] : []),
    ]
  }

  /** The cluster's domain. That of a pod alone may be a typo itself: it holds nothing, and names of the usual one are found. */
  private get zone(): string | null {
    const zone = zoneOf(this.world)
    if (zone === null || !isTypoOf(zone, USUAL_ZONE)) return zone
    const isFound = [...this.suffixes].some(([domain, s]) => s.hits > 0 && isWithin(domain, zone))
    const isUsual = [...this.world.trace.sums.byName].some(
      ([name, { answered }]) => answered > 0 && isWithin(name, USUAL_ZONE),
    )
    return !isFound && isUsual ? USUAL_ZONE : zone
  }

  /** Others do without it; or nobody knows, as there are no others. */
  private isOfSome(zone: string, { clients }: Suffix): boolean {
    return clients.size < this.searching.size || zone !== zoneOf(this.world)
  }

  private draft(domain: string, s: Suffix): Draft {
    const searching = this.searching.size
    const isOfFew =
      searching > s.clients.size && s.clients.size < SHARE_OF_KUBELET * searching && this.searching.forgotten === 0
    return {
      what: `The search domain ${domain} answered none of ${plural(s.misses, 'lookup')} that tried it: ${plural(s.queries, 'query', 'queries')}, ${roughDuration(s.wait / 1e6)} of waiting.${isOfFew ? ` Of ${plural(searching, 'client')} that search only ${whoAll(this.world, s.clients)} ${s.clients.size === 1 ? 'has' : 'have'} it.` : ''}`,
      why: isOfFew
        ? 'Not all pods have it: it comes from the dnsConfig of these, or from the resolv.conf of their node alone.'
        : "Pods inherit it from the search line of their node's resolv.conf.",
      advice: isOfFew
        ? `Take ${domain} out of the dnsConfig of these pods; if it does not stand there, out of the resolv.conf of their node.`
        : `Take ${domain} out of the resolv.conf that the kubelet hands to pods, or give these workloads a search list of their own.`,
      snippet: isOfFew
        ? "kubectl get pod -n NAMESPACE POD -o jsonpath='{.spec.dnsPolicy} {.spec.dnsConfig}'"
        : `# /etc/kubernetes/resolv.conf on each node: the node's own, without "search ${domain}"
# KubeletConfiguration:
resolvConf: /etc/kubernetes/resolv.conf`,
      count: s.misses,
      share: 1,
      clients: s.clients,
      servers: [],
      frames: s.frames,
      confidence: s.names.size >= 10 ? 'high' : 'medium',
      names: [domain],
    }
  }

  private draftTypo(typos: readonly [string, Suffix][], zone: string): Draft {
    const domains = typos.map(([domain]) => domain).sort((a, b) => a.length - b.length)
    const clients = new Set(typos.flatMap(([, s]) => [...s.clients]))
    const frames = new FrameSample()
    for (const [, s] of typos) frames.addAll(s.frames)
    const misses = typos.reduce((n, [, s]) => n + s.misses, 0)
    const queries = typos.reduce((n, [, s]) => n + s.queries, 0)
    const others = this.searching.size - clients.size
    const beside =
      others > 0 ? `, while ${plural(others, 'other client')} ${others === 1 ? 'searches' : 'search'} ${zone}` : ''
    return {
      what: `${whoAll(this.world, clients)} ${clients.size === 1 ? 'searches' : 'search'} ${listed(domains, 3)}${beside}: that looks like a typo of ${zone}. It answered none of ${plural(misses, 'candidate')} (${plural(queries, 'query', 'queries')}), so short names of services are not found there.`,
      why: 'The search list of these pods does not come from the kubelet: it stands in their dnsConfig, where somebody wrote it by hand.',
      advice: `Correct the domain in the dnsConfig of these pods (${meantBy(domains[0], zone)}, not ${domains[0]}); do not take it out.`,
      snippet: "kubectl get pod -n NAMESPACE POD -o jsonpath='{.spec.dnsPolicy} {.spec.dnsConfig}'",
      count: misses,
      share: 1,
      clients,
      servers: [],
      frames,
      confidence: others > 0 ? 'high' : 'medium',
      names: domains,
    }
  }
}

/** The search domain of the cluster that this one was meant to be: the namespace is everybody's own. */
function meantBy(domain: string, zone: string): string | null {
  const behind = domain.slice(domain.indexOf('.') + 1)
  for (const meant of [zone, `svc.${zone}`]) if (isTypoOf(domain, meant)) return meant
  return isTypoOf(behind, `svc.${zone}`) ? `${domain.slice(0, domain.indexOf('.'))}.svc.${zone}` : null
}

const isMeant = (domain: string, zone: string): boolean => meantBy(domain, zone) !== null

function addTo(suffix: Suffix, transactions: readonly Transaction[], lookup: Lookup): void {
  let hit = false
  let denied = false
  let end = Number.NaN
  /** A packet that was lost costs as much under any name. */
  let lost = 0
  for (const t of transactions) {
    suffix.queries += 1 + t.retransmissions
    if (t.state === ANSWERED && t.rcode === NOERROR) hit = true
    else if (t.state === ANSWERED && t.rcode === NXDOMAIN) denied = true
    if (!Number.isNaN(t.end) && !(t.end <= end)) {
      end = t.end
      lost = t.lastQuery - t.start
    }
  }
  if (hit) suffix.hits++
  else if (denied) {
    suffix.misses++
    suffix.frames.add(transactions[0])
    if (suffix.names.size < MOST_NAMES) suffix.names.add(lookup.base)
    suffix.clients.add(lookup.client)
  }
  if (!Number.isNaN(end)) suffix.wait += Math.max(0, end - transactions[0].start - lost)
}
