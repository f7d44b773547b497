/** missing-name: a client asks again and again for a name that nobody has. */
import { A, AAAA, NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE } from '../model.ts'
import { listed, plural, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { dots, endsWithSuffix, isWithin, withoutSuffix } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import type { LookupWasteSums } from '../trace/waste.ts'
import { type FewAddresses, NOBODY, withAddress } from './few-addresses.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, MOST_CLIENTS, type Observer, type Rule, sureFrom } from './rule.ts'
import { type World, whoAll, zoneOf } from './world.ts'

/** So often nobody asks for what he does not need. */
const MIN_LOOKUPS = 20
const NEARLY_ALL = 0.9
/** From this part of a client's lookups on it does little else. */
const MUCH = 0.25
/** Told, those first that were denied most often. */
const MOST_TOLD = 3

export const missingName: Rule = {
  code: 'missing-name',
  severity: 'warning',
  title: 'A client asks again and again for a name that nobody has',
  means:
    'A name was asked for many times by the same client, with every search domain that it tries, and always denied; nobody else got an answer for it. The application does not come up, or goes on without a part of what it needs, and each try costs the whole search list.',
  why: 'The service was not created, was deleted, or has another name or namespace than the configuration of the client says; or a host outside was renamed. A pod that crashes for it asks anew after each restart.',
  todo: 'Look for the name in the configuration of the client (environment, ConfigMap), and for the service: a short name is looked for in the namespace of the pod alone. Correct one of the two.',
  evidence: `At least ${MIN_LOOKUPS} lookups of one client for A or AAAA of one name, at least ${NEARLY_ALL * 100} % of which were denied for all candidates, while no lookup of the name by anybody was answered. A warning from ${MUCH * 100} % of all lookups of that client on, else info. Silent for names of upstreams-disagree and replicas-disagree, and for clients that ask the wrong server (dns-policy).`,
  links: [
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/',
    'https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/',
  ],
  shownBy: ['test/findings/missing-name.txt'],
  begin: world => new MissingName(world),
}

interface Asked {
  client: AddressId
  lookups: number
  denied: number
}

const NO_NAMES: readonly string[] = []

/** A name that was not answered. */
interface Missing {
  denied: number
  queries: number
  /** Of the longest walk, once there are enough to be told. */
  candidates: readonly string[]
  /** As few as most names have, in an array: there is one for each name that is denied once. */
  clients: Asked[]
  servers: FewAddresses
  frames: FrameSample
}

/** Names, and how often each of their clients was denied one. */
interface Group {
  names: [string, Missing][]
  times: Map<AddressId, number>
}

class MissingName implements Observer {
  private readonly world: World
  private readonly names = new Tally<string, Missing>(() => ({
    denied: 0,
    queries: 0,
    candidates: NO_NAMES,
    clients: [],
    servers: NOBODY,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup, waste: LookupWasteSums): void {
    const { outcome, candidates, client } = lookup
    if (outcome === 'answered' || outcome === 'not-captured' || outcome === 'capture-ended') return
    const [t] = candidates[0].transactions
    if ((t.qtype !== A && t.qtype !== AAAA) || t.qname === NONE) return
    const name = this.names.of(lookup.base)
    let asked = name.clients.find(one => one.client === client)
    if (!asked) {
      if (name.clients.length >= MOST_CLIENTS) return
      asked = { client, lookups: 0, denied: 0 }
      name.clients.push(asked)
    }
    asked.lookups++
    if (outcome !== 'nxdomain' || !candidates.every(({ transactions }) => transactions.some(t => t.rcode === NXDOMAIN)))
      return
    asked.denied++
    name.denied++
    name.queries += waste.queries
    if (name.denied >= MIN_LOOKUPS && candidates.length > name.candidates.length)
      name.candidates = candidates.map(candidate => candidate.name)
    name.servers = withAddress(name.servers, t.server, MOST_CLIENTS)
    name.frames.add(t)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    if (zoneOf(this.world) === null) return []
    const explained = earlier.filter(({ code }) => code === 'upstreams-disagree' || code === 'replicas-disagree')
    const elsewhere = new Set(earlier.flatMap(({ code, clients }) => (code === 'dns-policy' ? [...clients] : [])))
    // Names of the same clients are one matter.
    const groups = new Map<string, Group>()
    for (const [name, missing] of this.names) {
      if (!this.isNobodys(name) || explained.some(({ names }) => names.has(name))) continue
      const clients = missing.clients.filter(
        ({ client, lookups, denied }) =>
          denied >= MIN_LOOKUPS && denied >= NEARLY_ALL * lookups && !elsewhere.has(client),
      )
      if (clients.length === 0) continue
      const key = clients.map(({ client }) => client).join(' ')
      const group: Group = groups.get(key) ?? { names: [], times: new Map() }
      groups.set(key, group)
      group.names.push([name, missing])
      for (const { client, denied } of clients) group.times.set(client, (group.times.get(client) ?? 0) + denied)
    }
    return [...groups.values()]
      .sort((a, b) => timesOf(b) - timesOf(a))
      .slice(0, MOST_TOLD)
      .map(group => this.draft(group))
  }

  /** No lookup of it was answered, and it is no candidate of a lookup of another name, of which the walk was cut. */
  private isNobodys(name: string): boolean {
    const { sums, searchLists } = this.world.trace
    if ((sums.byName.get(name)?.answered ?? 0) > 0) return false
    return !searchLists.suffixes.some(
      suffix => endsWithSuffix(name, suffix) && sums.byName.get(withoutSuffix(name, suffix)) !== undefined,
    )
  }

  private draft({ names: missing, times: byClient }: Group): Draft {
    const { sums } = this.world.trace
    const zone = zoneOf(this.world)
    missing.sort((a, b) => b[1].denied - a[1].denied)
    const names = missing.map(([name]) => name)
    const [[name, { candidates }]] = missing
    const clients = [...byClient.keys()]
    const times = clients.reduce((n, client) => n + (byClient.get(client) ?? 0), 0)
    const allOf = (client: AddressId): number =>
      Math.max(sums.byClient.get(client)?.lookups ?? 0, byClient.get(client) ?? 0)
    const all = clients.reduce((n, client) => n + allOf(client), 0)
    const queries = missing.reduce((n, [, sum]) => n + sum.queries, 0)
    const isMuch = clients.some(client => (byClient.get(client) ?? 0) >= MUCH * allOf(client))
    const isService = dots(name) < 2 || (zone !== null && isWithin(name, zone))
    const tried =
      candidates.length > 1
        ? `: ${candidates[0]} and ${plural(candidates.length - 1, 'more candidate')} were all denied`
        : ''
    const frames = new FrameSample()
    for (const [, sum] of missing) frames.addAll(sum.frames)
    return {
      severity: isMuch ? 'warning' : 'info',
      what: `${whoAll(this.world, clients)} asked ${plural(times, 'time')} for ${listed(names, 2)}, which nobody has${tried} (${share(times, all)} of ${clients.length === 1 ? 'its' : 'their'} lookups, ${plural(queries, 'query', 'queries')}).`,
      why: isService
        ? 'The service is missing, or has another name or namespace than the client was told.'
        : 'The host was renamed or removed, or the client was told a wrong name.',
      advice: isService
        ? `Look for ${name} in the configuration of that workload, and for the service that is meant: create it, or correct the name (SERVICE.NAMESPACE where it is in another namespace).`
        : `Look for ${name} in the configuration of that workload, and correct it, or ask the owner of the domain.`,
      ...(isService ? { snippet: `kubectl get services -A | grep -w ${name.split('.')[0]}` } : {}),
      count: times,
      share: times / all,
      clients,
      servers: new Set(missing.flatMap(([, sum]) => [...sum.servers])),
      frames,
      confidence: sureFrom(times, MIN_LOOKUPS),
      names,
    }
  }
}

const timesOf = ({ times }: Group): number => [...times.values()].reduce((n, denied) => n + denied, 0)
