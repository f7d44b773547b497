/** The change as something to paste: a patch of the workloads' pod template, lines of a Corefile. */
import type { AddressId } from '../../model.ts'
import { listed } from '../../quantities.ts'
import { type Change, changedList } from '../../trace/change.ts'
import type { Replay } from '../../trace/replay.ts'
import type { NameEffect } from './types.ts'

/** Names in a sentence. */
const MOST = 3

const HEAD = '# kubectl -n NAMESPACE patch deployment NAME --patch-file this.yaml'

/** The patch that gives pods the other resolv.conf; null where nothing of it changes. */
export function patchFor(change: Change, replay: Replay, addressText: (address: AddressId) => string): string | null {
  const { ndots, dropSuffix } = change
  if (dropSuffix.length > 0) return listPatch(change, replay, addressText)
  if (ndots === null) return null
  return `${HEAD}
spec:
  template:
    spec:
      dnsConfig:
        options:
          - name: ndots
            value: "${ndots}"`
}

/** dnsConfig only adds to the list of ClusterFirst; a shorter one needs the policy None and everything else by hand. */
function listPatch(change: Change, { readings }: Replay, addressText: (address: AddressId) => string): string {
  const lists = new Map<string, { list: readonly string[]; server: AddressId; ndots: number | null; queries: number }>()
  for (const { list, walk, ndots } of readings) {
    if (!list.some(suffix => change.dropSuffix.includes(suffix))) continue
    const key = list.join(' ')
    const known = lists.get(key) ?? { list, server: walk.asked, ndots, queries: 0 }
    known.queries += walk.queries
    if (ndots !== null && (known.ndots === null || ndots > known.ndots)) known.ndots = ndots
    lists.set(key, known)
  }
  const [most] = [...lists.values()].sort((a, b) => b.queries - a.queries)
  if (most === undefined) return HEAD
  const others =
    lists.size > 1 ? `\n# ${lists.size - 1} other search lists were seen: the first domain is the namespace's own.` : ''
  const searches = changedList(change, most.list).map(suffix => `          - ${JSON.stringify(suffix)}`)
  const ndots = change.ndots ?? most.ndots
  const options = ndots === null ? '' : `\n        options:\n          - name: ndots\n            value: "${ndots}"`
  return `${HEAD}${others}
spec:
  template:
    spec:
      dnsPolicy: None
      dnsConfig:
        nameservers:
          - ${addressText(most.server)}
        searches:
${searches.join('\n')}${options}`
}

/** Lines of a Corefile; null where the change needs none. */
export function corefileFor({ autopath, nodeLocalCache, dropSuffix }: Change, zone: string | null): string | null {
  const cluster = zone ?? 'cluster.local'
  const parts: string[] = []
  if (dropSuffix.length > 0)
    parts.push(
      `# CoreDNS, where pods must keep their list: it denies these names itself, so that they do not leave the cluster.
${dropSuffix.map(suffix => `template ANY ANY ${suffix} {\n    rcode NXDOMAIN\n}`).join('\n')}`,
    )
  if (autopath)
    parts.push(
      `# CoreDNS, in the block of the cluster's zone; "pods verified" makes it watch all pods.
kubernetes ${cluster} in-addr.arpa ip6.arpa {
    pods verified
}
autopath @kubernetes`,
    )
  if (nodeLocalCache)
    parts.push(
      `# NodeLocal DNSCache, one on every node (its manifest fills in the addresses).
${cluster}:53 {
    cache {
        success 9984 30
        denial 9984 5
    }
    bind 169.254.20.10
    forward . ADDRESS-OF-KUBE-DNS-UPSTREAM {
        force_tcp
    }
}
.:53 {
    cache 30
    bind 169.254.20.10
    forward . /etc/resolv.conf
}`,
    )
  return parts.length === 0 ? null : parts.join('\n')
}

/** What to do beside pasting. */
export function adviceFor(
  { ndots, dropSuffix, trailingDot, nodeLocalCache, autopath }: Change,
  stops: readonly NameEffect[],
): string[] {
  const losers = [...new Set(stops.flatMap(({ workloads }) => workloads))]
  const names = [...new Set(stops.map(({ name }) => name))]
  return [
    losers.length > 0 && (ndots !== null || dropSuffix.length > 0)
      ? `Not for ${listed(losers, MOST)} while they ask for ${listed(names, MOST)}; -n and --pod compute the change for others alone.`
      : '',
    ...trailingDot.map(
      name =>
        `Write "${name}." with a dot at its end where the application's settings name it; some TLS and HTTP clients do not like it.`,
    ),
    autopath ? 'autopath costs CoreDNS memory for all pods: https://coredns.io/plugins/autopath/' : '',
    nodeLocalCache ? 'How to install it: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/' : '',
  ].filter(Boolean)
}
