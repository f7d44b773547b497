/**
 * What a client's resolv.conf should say according to the user's files: the kubelet writes it from dnsPolicy, dnsConfig and the pod's
 * namespace, with the node's own search domains in between, which no object of the cluster tells: those are learned.
 * https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/network/dns/dns.go (GetPodDNS)
 */
import type { PodDns, ResolvConf } from '../model.ts'
import { namespaceOf } from './suffix.ts'

export interface Expected {
  list: string[]
  /** Null where it is the node's. */
  ndots: number | null
  /** Not said of this client, but of some pod. */
  isOfAnother: boolean
}

/** Stands in a list for the node's own domains. */
const NODE_DOMAINS = '*'

/** What the kubelet writes for a pod; null while the cluster domain is not known. */
export function expectedOfPod({ policy, namespace, searches, ndots }: PodDns, zone: string | null): Expected | null {
  if (policy === 'None') return { list: searches, ndots: ndots ?? 1, isOfAnother: false }
  if (policy === 'Default') return { list: [NODE_DOMAINS, ...searches], ndots, isOfAnother: false }
  if (zone === null) return null
  const cluster = [`${namespace}.svc.${zone}`, `svc.${zone}`, zone]
  const added = searches.filter(domain => !cluster.includes(domain))
  return { list: [...cluster, NODE_DOMAINS, ...added], ndots: ndots ?? 5, isOfAnother: false }
}

/** What a pod's resolv.conf says for another client: its own namespace in place of that pod's. */
export function expectedOfConf({ search, ndots }: ResolvConf, learned: readonly string[]): Expected {
  const [first, ...others] = search
  const own = learned.find(domain => namespaceOf(domain) !== null)
  const isOther =
    first !== undefined && own !== undefined && namespaceOf(first)?.zone === namespaceOf(own)?.zone && own !== first
  return { list: isOther ? [own, ...others.filter(domain => domain !== own)] : search, ndots, isOfAnother: true }
}

/**
 * The list that is meant and agrees with what was learned; null where they contradict each other. `nodeDomains`: what nodes are known
 * to add; null where that is not known.
 */
export function agreed(
  learned: readonly string[],
  list: readonly string[],
  nodeDomains: readonly string[] | null,
): string[] | null {
  const own: string[] = []
  let at = 0
  for (const domain of learned) {
    const next = list.indexOf(domain, at)
    if (next >= 0) {
      at = next
      continue
    }
    // What nobody names can only be the node's.
    const slot = list.indexOf(NODE_DOMAINS)
    if (slot < at || list.includes(domain)) return null
    at = slot
    own.push(domain)
  }
  const between = own.length > 0 ? own : (nodeDomains ?? [])
  return list.flatMap(domain => (domain === NODE_DOMAINS ? between.filter(added => !list.includes(added)) : [domain]))
}

/** What stands behind the cluster's own domains in most lists: what nodes add. Null where no list shows it. */
export function nodeDomainsOf(lists: Iterable<readonly string[]>, zone: string | null): string[] | null {
  const counts = new Map<string, { domains: string[]; count: number }>()
  for (const list of lists) {
    const at = zone === null ? -1 : list.indexOf(zone)
    if (at < 0) continue
    const domains = list.slice(at + 1)
    const known = counts.get(domains.join(' '))
    if (known) known.count++
    else counts.set(domains.join(' '), { domains, count: 1 })
  }
  let best: { domains: string[]; count: number } | null = null
  for (const some of counts.values()) if (best === null || some.count > best.count) best = some
  return best?.domains ?? null
}
