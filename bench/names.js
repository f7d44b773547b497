// @ts-check
/** The names that the generated applications ask for, as wire bytes. */

/** @param {string} name without trailing dot; '' is the root */
export function wire(name) {
  const out = []
  for (const label of name === '' ? [] : name.split('.')) out.push(label.length, ...Buffer.from(label, 'latin1'))
  return Uint8Array.from(out)
}

export const NAMESPACES = [
  'shop',
  'default',
  'payments',
  'data',
  'monitoring',
  'search',
  'media',
  'auth',
  'batch',
  'edge',
]
export const CLUSTER_DOMAIN = 'cluster.local'
export const HOST_DOMAIN = 'ap-southeast-1.compute.internal'

/** Candidates 0..4 of a name under ndots:5; 0 depends on the pod's namespace, 4 is the name as given. */
export const CANDIDATES = 5
/** decide: no candidate is positive. */
export const NEVER = 5

/** What the deciding candidate's answer looks like. */
export const HAS_AAAA = 1
export const HAS_CNAME = 2

/**
 * @typedef {object} Name
 * @property {Uint8Array} labels without the root's zero
 * @property {number} decide the candidate that is positive
 * @property {number} traits HAS_AAAA | HAS_CNAME
 */

const HOSTS = [
  'api',
  'www',
  'cdn',
  'auth',
  'img',
  'events',
  'ingest',
  'storage',
  'hooks',
  'metrics',
  'login',
  'static',
  'v2.api',
  'eu-west-1.queue',
]
const SITES = [
  'google',
  'stripe',
  'example',
  'datadoghq',
  'amazonaws',
  'githubusercontent',
  'docker',
  'sentry',
  'slack',
  'segment',
  'fastly',
]
const ENDS = ['com', 'net', 'io', 'org']
const SERVICES = [
  'cart',
  'ledger',
  'postgres',
  'redis',
  'kafka',
  'orders',
  'users',
  'mailer',
  'pricing',
  'search',
  'gateway',
  'stock',
]

/**
 * The head of the distribution, most asked first: services of the cluster in all their spellings mixed with external names and a few
 * that do not exist.
 * @param {number} count
 * @returns {Name[]}
 */
export function headNames(count) {
  const names = []
  for (let i = 0; i < count; i++) {
    const kind = i % 10
    const n = Math.floor(i / 10)
    const service = SERVICES[n % SERVICES.length] + (n < SERVICES.length ? '' : Math.floor(n / SERVICES.length))
    const namespace = NAMESPACES[n % NAMESPACES.length]
    if (kind === 1) names.push({ labels: wire(service), decide: 0, traits: 0 })
    else if (kind === 3) names.push({ labels: wire(`${service}.${namespace}`), decide: 1, traits: 0 })
    else if (kind === 6)
      names.push({ labels: wire(`${service}.${namespace}.svc.${CLUSTER_DOMAIN}`), decide: 4, traits: 0 })
    else if (kind === 9) names.push({ labels: wire(`old-${service}.${namespace}`), decide: NEVER, traits: 0 })
    else {
      const site = SITES[(n + kind) % SITES.length] + (n < SITES.length ? '' : Math.floor(n / SITES.length))
      const host = HOSTS[(n + kind * 3) % HOSTS.length]
      const traits = (n + kind) % 4 === 0 ? HAS_AAAA : kind === 5 ? HAS_CNAME : 0
      names.push({ labels: wire(`${host}.${site}.${ENDS[(n + kind) % ENDS.length]}`), decide: 4, traits })
    }
  }
  return names
}
