/** CoreDNS that asks the cluster's own DNS: what it cannot answer itself comes back to it, or goes round among its pods, for ever. */
import { type AddressId, NONE } from '../model.ts'
import type { Hop } from '../trace/hop.ts'
import { addressIn, idIn, pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { type FewAddresses, NOBODY, withAddress } from './few-addresses.ts'
import { serverRole, type World, whoAll } from './world.ts'

/** A pod of CoreDNS may look a name up for itself, at its own service. */
const MIN_QUERIES = 20
/** Pods behind a service. */
const MOST_PODS = 8

/** Who asked whom how often; roles are known at the end only. */
export class ForwardLoops {
  private readonly world: World
  private readonly servers = new Tally<AddressId, true>(() => true)
  /** By forwarder and the address that it asked. */
  private readonly ways = new Tally<number, { queries: number }>(() => ({ queries: 0 }))
  /** By address of a service: who served it. */
  private readonly services = new Tally<AddressId, { pods: FewAddresses }>(() => ({ pods: NOBODY }))

  constructor(world: World) {
    this.world = world
  }

  add({ transaction: t, forwarder }: Hop): void {
    this.servers.of(t.server)
    // Where both ask each other neither is known to ask for others.
    if (forwarder || this.servers.has(t.client))
      this.ways.of(pairOf(t.client, t.asked)).queries += 1 + t.retransmissions
    if (t.asked === t.server) return
    const service = this.services.of(t.asked)
    service.pods = withAddress(service.pods, t.server, MOST_PODS)
  }

  /** The addresses by which this CoreDNS asks the cluster's own DNS; those of services first. */
  askedBy(asker: AddressId): AddressId[] {
    if (serverRole(this.world, asker) !== 'coredns') return []
    const asked = [...this.ways]
      .filter(([key, { queries }]) => idIn(key) === asker && queries >= MIN_QUERIES)
      .map(([key]) => addressIn(key))
    const services = asked.filter(address => this.isService(address))
    return services.length > 0 ? services : asked.filter(address => this.asksBack(address, asker))
  }

  /** The CoreDNS pods that ask this address of the cluster's own DNS. */
  askersOf(asked: AddressId): AddressId[] {
    return [...new Set([...this.ways].map(([key]) => idIn(key)))].filter(
      asker => asker !== NONE && this.askedBy(asker).includes(asked),
    )
  }

  private isService(address: AddressId): boolean {
    const pods = this.services.get(address)?.pods ?? NOBODY
    return pods.some(pod => serverRole(this.world, pod) === 'coredns')
  }

  private asksBack(address: AddressId, asker: AddressId): boolean {
    if (address === asker) return true
    if (serverRole(this.world, address) !== 'coredns') return false
    return (this.ways.get(pairOf(address, asker))?.queries ?? 0) >= MIN_QUERIES
  }
}

export const loopOf = (world: World, asked: readonly AddressId[]): string =>
  `${whoAll(world, asked)}, which is the cluster's own DNS: a loop`

export const WHY_LOOP =
  'CoreDNS takes its upstream servers from the resolv.conf of its node ("forward . /etc/resolv.conf"), or from the Corefile, and there stands the DNS of the cluster. What it can not answer itself goes round until 5 s are over.'

export const adviceAgainstLoop = (world: World, asked: readonly AddressId[]): string =>
  `Take ${whoAll(world, asked)} out of that resolv.conf or out of the Corefile, and name the upstream servers in "forward" themselves. The plugin "loop" stops CoreDNS where it asks itself.`
