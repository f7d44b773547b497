/**
 * What the user's files say: `kubectl get pods,svc,endpointslices,nodes -A -o json`, and a pod's /etc/resolv.conf. Neither is ever
 * needed; both make certain what is otherwise inferred. Formats: https://kubernetes.io/docs/reference/kubernetes-api/ and resolv.conf(5).
 */
import { readFile } from 'node:fs/promises'
import { type PodDns, type ResolvConf, type Role, UserError } from '../model.ts'

/** One address of the cluster and whose it is. */
export interface Resource {
  address: string
  namespace: string | null
  pod: string | null
  workload: string | null
  node: string | null
  name: string
  role: Role | null
  /** What decides a pod's resolv.conf. */
  dns?: PodDns
}

/** The fields that are read, all of them optional in a file that somebody may have cut. */
interface KubernetesObject {
  kind?: string
  metadata?: {
    name?: string
    namespace?: string
    labels?: Record<string, string>
    ownerReferences?: { kind?: string; name?: string }[]
  }
  spec?: {
    nodeName?: string
    hostNetwork?: boolean
    clusterIPs?: string[]
    clusterIP?: string
    dnsPolicy?: string
    dnsConfig?: { nameservers?: string[]; searches?: string[]; options?: { name?: string; value?: string }[] }
  }
  status?: { podIP?: string; podIPs?: { ip?: string }[]; addresses?: { type?: string; address?: string }[] }
}

/** Reads a list of Kubernetes objects as kubectl prints it. Throws a UserError where the file is something else. */
export async function readResources(path: string): Promise<Resource[]> {
  const text = await readText(path)
  let list: { items?: unknown }
  try {
    list = JSON.parse(text)
  } catch {
    throw new UserError(`${path} is not JSON; write it with: kubectl get pods,svc,endpointslices,nodes -A -o json`)
  }
  if (!Array.isArray(list?.items)) {
    throw new UserError(`${path} has no "items"; write it with: kubectl get pods,svc,endpointslices,nodes -A -o json`)
  }
  return (list.items as KubernetesObject[]).flatMap(resourcesOf)
}

function resourcesOf(object: KubernetesObject): Resource[] {
  const { metadata, spec, status } = object
  const name = metadata?.name ?? ''
  const namespace = metadata?.namespace ?? null
  if (object.kind === 'Pod') {
    // A pod in the host's network has the node's addresses; they are the node's.
    if (spec?.hostNetwork) return []
    const addresses = status?.podIPs?.map(({ ip }) => ip) ?? [status?.podIP]
    const role = roleOf(metadata?.labels ?? {})
    const workload = workloadOf(object)
    return addresses
      .filter(address => address !== undefined)
      .map(address => ({
        address,
        namespace,
        pod: name,
        workload,
        node: spec?.nodeName ?? null,
        name,
        role,
        dns: dnsOf(object),
      }))
  }
  if (object.kind === 'Node') {
    return (status?.addresses ?? [])
      .filter(({ type, address }) => type === 'InternalIP' && address)
      .map(({ address }) => ({
        address: address as string,
        namespace: null,
        pod: null,
        workload: null,
        node: name,
        name,
        role: null,
      }))
  }
  if (object.kind === 'Service') {
    const addresses = (spec?.clusterIPs ?? [spec?.clusterIP]).filter(address => address && address !== 'None')
    return addresses.map(address => ({
      address: address as string,
      namespace,
      pod: null,
      workload: null,
      node: null,
      name,
      role: null,
    }))
  }
  return []
}

/** Labels of the cluster's own DNS: kubeadm's and most others', OpenShift's, a node-local cache that has a pod's address (Cilium). */
function roleOf(labels: Record<string, string>): Role {
  if (labels['k8s-app'] === 'kube-dns' || labels['dns.operator.openshift.io/daemonset-dns'] !== undefined)
    return 'coredns'
  return labels['k8s-app'] === 'node-local-dns' ? 'node-local-cache' : 'pod'
}

/** The Deployment behind a ReplicaSet is its name without the hash. */
function workloadOf({ metadata }: KubernetesObject): string | null {
  const owner = metadata?.ownerReferences?.[0]
  if (!owner?.name) return null
  return owner.kind === 'ReplicaSet' ? owner.name.replace(/-[a-z0-9]+$/, '') : owner.name
}

/** ClusterFirst is what the API server writes where nothing is said. */
function dnsOf({ metadata, spec }: KubernetesObject): PodDns {
  const { nameservers, searches, options } = spec?.dnsConfig ?? {}
  const ndots = options?.find(({ name }) => name === 'ndots')?.value
  return {
    policy: spec?.dnsPolicy ?? 'ClusterFirst',
    namespace: metadata?.namespace ?? 'default',
    nameservers: nameservers ?? [],
    searches: (searches ?? []).map(domainOf).filter(Boolean),
    ndots: ndots !== undefined && /^\d+$/.test(ndots) ? Math.min(MOST_NDOTS, Number(ndots)) : null,
  }
}

const domainOf = (text: string): string => text.replace(/\.$/, '').toLowerCase()

/** resolv.conf(5) */
const MOST_NDOTS = 15

/** Reads a resolv.conf; the last search (or domain) line holds, ndots is 1 where nothing is said. */
export async function readResolvConf(path: string): Promise<ResolvConf> {
  const conf: ResolvConf = { nameservers: [], search: [], ndots: 1 }
  for (const line of (await readText(path)).split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver') conf.nameservers.push(...values)
    if (keyword === 'search' || keyword === 'domain') conf.search = values.map(domainOf).filter(Boolean)
    if (keyword !== 'options') continue
    const ndots = values.map(value => /^ndots:(\d+)$/.exec(value)?.[1]).find(Boolean)
    if (ndots) conf.ndots = Math.min(MOST_NDOTS, Number(ndots))
  }
  return conf
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new UserError(`There is no file ${path}.`)
    throw new UserError(`${path} cannot be read (${code}).`)
  }
}
