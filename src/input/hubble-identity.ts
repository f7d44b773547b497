/**
 * Who has an address, as the flows themselves say: pods, namespaces, workloads, nodes, services, and by labels and reserved identities
 * the role. https://docs.cilium.io/en/stable/gettingstarted/terminology/#reserved-labels
 */
import type { Role } from '../model.ts'
import type { Resource } from './hints.ts'
import { countOf, type Fields, fieldsOf, listOf, textOf, textsOf } from './hubble-json.ts'

/** An address and whose it is, with the reason for its role. */
export interface NamedAddress extends Resource {
  /** Null where there is no role. */
  evidence: string | null
}

/** Labels that only the cluster's DNS has. */
const ROLE_LABELS: Record<string, Role> = {
  'k8s:k8s-app=kube-dns': 'coredns',
  'k8s:k8s-app=coredns': 'coredns',
  'k8s:app.kubernetes.io/name=coredns': 'coredns',
  'k8s:eks.amazonaws.com/component=coredns': 'coredns',
  'k8s:k8s-app=node-local-dns': 'node-local-cache',
}

/** Where a field mask took the labels away. */
const ROLE_PODS: [prefix: RegExp, role: Role][] = [
  [/^(coredns|kube-dns)-/, 'coredns'],
  [/^node-local-dns-/, 'node-local-cache'],
]

const HOST = 1
const WORLD = 2
const REMOTE_NODE = 6
const WORLD_IPV4 = 9
const WORLD_IPV6 = 10

/** Addresses of which nothing new is expected are looked up in a flow only once in a while. */
const MOST_ADDRESSES = 100_000

export class HubbleIdentities {
  /** What was last told of each address, as one text that changes when its owner does. */
  private readonly known = new Map<string, string>()
  /** How often something was learned. */
  changes = 0
  private readonly told: (named: NamedAddress) => void

  constructor(told: (named: NamedAddress) => void) {
    this.told = told
  }

  /** Whether `observe` would learn nothing. `ownNode`: the node that the address is on, where this flow tells it. */
  isKnown(
    address: string,
    pod: string | null,
    service: string | null,
    identity: number,
    ownNode: string | null,
  ): boolean {
    const before = this.known.get(address)
    if (before === undefined) return false
    // The other node does not know where the pod runs; what its own node said stands.
    return before === `${pod} ${service} ${identity} ${ownNode}` || (ownNode === null && before.startsWith(`${pod} `))
  }

  /** Looks at one end of a flow. `node` observed it; `local`: this end is on that node in any case. */
  observe(address: string, end: Fields, service: Fields, node: string | null, local: boolean): void {
    const pod = textOf(end.pod_name)
    const serviceName = textOf(service.name)
    const identity = countOf(end.identity)
    // An endpoint has its id on its own node only.
    const ownNode = local || end.ID !== undefined ? node : null
    if (this.isKnown(address, pod, serviceName, identity, ownNode)) return
    if (this.known.size >= MOST_ADDRESSES) this.known.clear()
    this.changes++
    this.known.set(address, `${pod} ${serviceName} ${identity} ${ownNode}`)
    const named = nameOf(address, end, identity, textOf(service.namespace), serviceName, ownNode)
    if (named) this.told(named)
  }
}

function nameOf(
  address: string,
  end: Fields,
  identity: number,
  serviceNamespace: string | null,
  service: string | null,
  node: string | null,
): NamedAddress | null {
  const pod = textOf(end.pod_name)
  const labels = textsOf(end.labels)
  if (pod !== null) {
    const namespace = textOf(end.namespace)
    return { address, namespace, pod, workload: workloadOf(end, pod), node, name: pod, ...podRole(pod, labels) }
  }
  const nobody = { address, namespace: null, pod: null, workload: null, node: null }
  const has = (label: string, ...numbers: number[]) => labels.includes(label) || numbers.includes(identity)
  if (service !== null) {
    const role = /^(kube-dns|coredns|rke2-coredns.*)$/.test(service) ? ('coredns' as const) : null
    return {
      ...nobody,
      namespace: serviceNamespace,
      name: service,
      role,
      evidence: role && `the service ${service}, as Hubble says`,
    }
  }
  // A link-local address is "host" or "world" to Cilium, and is the node's own cache.
  if (address.startsWith('169.254.')) return null
  if (has('reserved:host', HOST))
    return { ...nobody, node, name: node ?? 'host', role: 'host', evidence: "reserved:host, a node's own address" }
  if (has('reserved:remote-node', REMOTE_NODE))
    return {
      ...nobody,
      name: 'remote node',
      role: 'host',
      evidence: "reserved:remote-node, another node's own address",
    }
  if (has('reserved:world', WORLD, WORLD_IPV4, WORLD_IPV6))
    return { ...nobody, name: 'world', role: 'upstream', evidence: 'reserved:world, outside the cluster' }
  return null
}

function podRole(pod: string, labels: string[]): { role: Role; evidence: string } {
  for (const label of labels) {
    const role = ROLE_LABELS[label]
    if (role) return { role, evidence: `label ${label}` }
  }
  for (const [prefix, role] of ROLE_PODS) if (prefix.test(pod)) return { role, evidence: `pod ${pod}` }
  return { role: 'pod', evidence: `pod ${pod}` }
}

/** The letters and digits that Kubernetes makes the ends of names from (k8s.io/apimachinery/pkg/util/rand): no vowels. */
const SUFFIX = '[bcdfghjklmnpqrstvwxz2456789]'
const OF_DEPLOYMENT = new RegExp(`^(.+)-${SUFFIX}{6,10}-${SUFFIX}{5}$`)
const OF_OTHERS = new RegExp(`^(.+)-${SUFFIX}{5}$`)

/** As told; else what the pod's name was made from. */
function workloadOf(end: Fields, pod: string): string | null {
  const told = textOf(fieldsOf(listOf(end.workloads)[0]).name)
  return told ?? OF_DEPLOYMENT.exec(pod)?.[1] ?? OF_OTHERS.exec(pod)?.[1] ?? null
}
