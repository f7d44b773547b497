/** useless-suffix: a search domain from outside the cluster that never answers anything. */

import { NOERROR, NXDOMAIN } from '../codes.ts'
import type { AddressId } from '../model.ts'
import { plural, roughDuration } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, zoneOf } from './world.ts'

/** A domain that is seldom needed may be silent for a while; this many misses in one capture ... */
const MIN_MISSES = 20
/** ... for this many different names are a habit. */
const MIN_NAMES = 3
const MOST_NAMES = 1000

export const uselessSuffix: Rule = {
  code: 'useless-suffix',
  severity: 'warning',
  title: 'A search domain never answers',
  means:
    'One of the search domains behind those of the cluster did not answer a single name in the whole capture. Every searched name pays for it, and since CoreDNS does not know the domain itself, each miss goes on to the upstream servers.',
  why: "The kubelet appends the search line of the node's own resolv.conf to that of every pod with the policy ClusterFirst or Default. Clouds and companies put their domain there for people who log in, not for pods.",
  todo: 'Give the kubelet a resolv.conf without the domain (resolvConf in its configuration), or the workload dnsPolicy None with a search list of its own. Ask first who uses names of this domain without writing them in full: what the capture does not show may still exist.',
  evidence: `Candidates with this search domain: none got NOERROR, all that were answered got NXDOMAIN. Silent below ${MIN_MISSES} misses for ${MIN_NAMES} names, and for the cluster's own domains, which belong to the policy ClusterFirst.`,
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

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    const { suffixes, searchList, candidates } = lookup
    for (let i = 0; i < suffixes.length; i++) {
      const domain = suffixes[i]
      if (domain === null || !searchList.includes(domain)) continue
      const suffix = this.suffixes.of(domain)
      // One that answered once is of use, whatever else it costs.
      if (suffix.hits === 0) addTo(suffix, candidates[i].transactions, lookup)
    }
  }

  conclude(): Draft[] {
    const zone = zoneOf(this.world)
    if (zone === null) return []
    // A hit may be among what was forgotten.
    const whole = [...this.suffixes].filter(([domain]) => this.suffixes.isWhole(domain))
    return whole
      .filter(([domain, s]) => !isWithin(domain, zone) && s.hits === 0)
      .filter(([, s]) => s.misses >= MIN_MISSES && s.names.size >= MIN_NAMES)
      .map(([domain, s]) => ({
        what: `The search domain ${domain} answered none of ${plural(s.misses, 'lookup')} that tried it: ${plural(s.queries, 'query', 'queries')}, ${roughDuration(s.wait / 1e6)} of waiting.`,
        why: "Pods inherit it from the search line of their node's resolv.conf.",
        advice: `Take ${domain} out of the resolv.conf that the kubelet hands to pods, or give these workloads a search list of their own.`,
        snippet: `# /etc/kubernetes/resolv.conf on each node: the node's own, without "search ${domain}"
# KubeletConfiguration:
resolvConf: /etc/kubernetes/resolv.conf`,
        count: s.misses,
        share: 1,
        clients: s.clients,
        servers: [],
        frames: s.frames,
        confidence: s.names.size >= 10 ? ('high' as const) : ('medium' as const),
        names: [domain],
      }))
  }
}

function addTo(suffix: Suffix, transactions: readonly Transaction[], lookup: Lookup): void {
  let hit = false
  let denied = false
  let end = Number.NaN
  for (const t of transactions) {
    suffix.queries += 1 + t.retransmissions
    if (t.state === ANSWERED && t.rcode === NOERROR) hit = true
    else if (t.state === ANSWERED && t.rcode === NXDOMAIN) denied = true
    if (!Number.isNaN(t.end) && !(t.end <= end)) end = t.end
  }
  if (hit) suffix.hits++
  else if (denied) {
    suffix.misses++
    suffix.frames.add(transactions[0])
    if (suffix.names.size < MOST_NAMES) suffix.names.add(lookup.base)
    suffix.clients.add(lookup.client)
  }
  if (!Number.isNaN(end)) suffix.wait += end - transactions[0].start
}
