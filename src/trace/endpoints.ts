/**
 * Who is who: the role of each address, inferred from what it does, with the evidence in sentences. Hints given by the user come
 * first. One address may be client and server with different roles (a node's address is the host's and NodeLocal DNSCache's), so
 * the two are asked for apart.
 */
import { AA, NOERROR, NXDOMAIN, RA } from '../codes.ts'
import { type AddressId, INCOMING, type NameId, NONE, OTHER_HOST, OUTGOING, type Role, TCP } from '../model.ts'
import { WELL_KNOWN } from '../well-known.ts'
import type { Tables } from '../wire/tables.ts'
import { FULL_TTL } from './arrivals.ts'
import { clientRoleOf } from './client-role.ts'
import { type Contradiction, contradictionOf, type Hint } from './contradictions.ts'
import { counted, type Doings, mostFrequent, newDoings, withOne } from './doings.ts'
import { forwarderRoleOf } from './forwarder-role.ts'
import { type Forwarding, zoneBehindService } from './forwarding.ts'
import { type KnownAs, knownAs } from './known-as.ts'
import { countByNetwork, hostNetworks, networkOf, PodNetworks, rangeOf } from './networks.ts'
import { OwnCaptures } from './own-capture.ts'
import type { Pools } from './pools.ts'
import type { SearchLists } from './searchlist.ts'
import { type RoleEvidence, roleByAskers, serverRoleOf } from './server-role.ts'
import { isWithin } from './suffix.ts'
import { ANSWERED, type Transaction, UNSEEN } from './transaction.ts'

/** A server's clients beyond this number are not remembered: its forwarders are among the first. */
const MAX_CLIENTS = 256

/** An address with what it did, and the DNAT pairs. */
export interface Listed {
  address: AddressId
  asked: number
  /** The part of `asked` that it asked for others who were not captured. */
  forOthers: number
  served: number
  translatedTo: ReadonlyMap<AddressId, number>
}

export class Endpoints {
  /** In order of their coming, and by address. */
  private readonly doings = new Map<AddressId, Doings>()
  private readonly byAddress: (Doings | undefined)[] = []
  private readonly hints = new Map<AddressId, Hint>()
  private readonly told = new Map<AddressId, RoleEvidence>()
  private readonly tables: Tables
  private readonly searchLists: SearchLists
  private readonly forwarding: Forwarding
  private readonly pools: Pools
  private zone: string | null
  /** Those who were asked, in the same order; made anew where one was asked for the first time. */
  private servers: [AddressId, Doings][] = []
  private serversChanged = false
  private serverRoles = new Map<AddressId, RoleEvidence>()
  /** Roles that somebody wanted to know since the last decision: there are many clients, and most are asked for at a capture's end. */
  private clientRoles = new Map<AddressId, RoleEvidence>()
  private forwarderRoles = new Map<AddressId, RoleEvidence>()
  private hostNetworks = new Map<string, string>()
  private podNetworks = new PodNetworks()
  /** By network, how many search there; null until somebody asks. */
  private searching: ReadonlyMap<string, number> | null = null

  private readonly ownCaptures = new OwnCaptures()

  constructor(
    tables: Tables,
    searchLists: SearchLists,
    forwarding: Forwarding,
    pools: Pools,
    clusterDomain: string | null,
  ) {
    this.tables = tables
    this.searchLists = searchLists
    this.forwarding = forwarding
    this.pools = pools
    this.zone = clusterDomain
  }

  hint(hint: Hint): void {
    this.hints.set(hint.address, hint)
  }

  /** What the input itself says of an address (Hubble); the user's word comes first. */
  tell(address: AddressId, role: Role, evidence: string): void {
    this.told.set(address, { role, evidence: [evidence] })
  }

  /** The cluster domain; null while nothing showed it. */
  get clusterDomain(): string | null {
    return this.zone
  }

  /** Takes the cluster domain from the search lists, as soon as they show one. */
  learnZone(): void {
    this.zone ??= this.searchLists.zone
  }

  /** Takes the evidence of a transaction whose response is known as far as it ever will be. */
  observe(t: Transaction): void {
    const client = this.of(t.client)
    client.asked++
    // What a router sent on bears a lower TTL: it did not begin where it was seen to leave.
    const wasRouted = t.clientTtl > 0 && t.clientTtl < FULL_TTL
    this.ownCaptures.note(t)
    if (t.direction === OUTGOING && !wasRouted) client.wentOut++
    else if (t.direction === INCOMING || t.direction === OTHER_HOST) client.cameIn++
    if (t.transport === TCP) client.overTcp++
    if (!Number.isNaN(t.sinceSyn)) client.connections++
    if (t.seen !== t.client) this.of(t.seen).masks++
    if (t.isForOthers && t.causes === null) this.noteForOthers(client, t)
    const server = this.of(t.server)
    if (server.served++ === 0) this.serversChanged = true
    // Who asks the server that it asked last stands there already.
    if (client.lastServer !== t.server) server.clients = withOne(server.clients, t.client, MAX_CLIENTS)
    client.lastServer = t.server
    if (t.asked !== t.server) {
      const asked = this.of(t.asked)
      asked.translatedTo = counted(asked.translatedTo, t.server)
      server.standsFor = counted(server.standsFor, t.asked)
    }
    if (t.state === UNSEEN && this.isOfCluster(t.qname)) server.clusterUnseen++
    if (t.state !== ANSWERED) return
    if (t.responseTtl > 0 && (server.responseTtl === 0 || t.responseTtl < server.responseTtl))
      server.responseTtl = t.responseTtl
    if (t.clientTtl === FULL_TTL && t.responseTtl > 0)
      server.sameLink = t.responseTtl === FULL_TTL ? server.sameLink + 1 : 0
    // What the kubernetes plugin says of a service shows its zone, where no search list does.
    if (this.zone === null && t.rcode === NOERROR && isOfPlugin(t))
      this.zone = zoneBehindService(this.tables.names.text(t.qname))
    if (this.isOfCluster(t.qname)) {
      server.clusterAnswers++
      if (t.rcode === NOERROR && t.answerCount > 0) server.clusterFound++
      if (t.responseFlags & AA) server.clusterAuthority++
      // What has no id has no flags (Hubble): then a bit that is not set says nothing.
      if (!(t.responseFlags & RA) && t.dnsId >= 0) server.noRecursion++
    } else if (t.qname !== NONE && !t.nameCut) server.otherAnswers++
    if (t.clientTtl === FULL_TTL - 1) server.routed = withOne(server.routed, t.client, MAX_CLIENTS)
  }

  /** CoreDNS knows such a name, or that there is none, by itself. */
  isOfCluster(qname: NameId): boolean {
    return this.zone !== null && qname !== NONE && isWithin(this.tables.names.text(qname), this.zone)
  }

  private noteForOthers(client: Doings, t: Transaction): void {
    client.forOthers++
    if (t.qname === NONE) return
    const name = this.tables.names.text(t.qname)
    // Nobody's own walk may be in the capture: then what the kubernetes plugin says of services shows its zone.
    if (this.zone === null && t.responseFlags & AA && !(t.responseFlags & RA)) this.zone = zoneBehindService(name)
    if (this.zone === null || !isWithin(name, this.zone)) return
    client.clusterForOthers++
    if (t.rcode === NXDOMAIN) client.deniedForOthers++
  }

  /** Where the packets contradict the user's word. */
  get contradictions(): Contradiction[] {
    return [...this.hints.values()].flatMap(({ address, role: given }) => {
      const d = this.doings.get(address)
      if (!d) return []
      const but = contradictionOf(given, this.zone, {
        clusterAuthority: d.clusterAuthority,
        asked: d.asked,
        forwardsServices: this.forwardsServices(address),
        knownAs: isUpstreamEverywhere(this.tables.addresses.text(address)) ? this.commonName(address) : null,
      })
      return but === null ? [] : [{ address, given, but }]
    })
  }

  /** One address for both of a host with two families. */
  hostOf(address: AddressId): AddressId {
    return this.forwarding.twins.hostOf(address)
  }

  /** How many addresses asked or were asked. */
  get size(): number {
    return this.doings.size
  }

  /** Decides all roles from what is known now. */
  decide(): void {
    this.serverRoles = new Map()
    this.clientRoles = new Map()
    this.forwarderRoles = new Map()
    const served = this.listServers()
    for (const [address, d] of served)
      this.serverRoles.set(address, this.hinted(address, ONLY_ASK) ?? this.inferServer(address, d))
    // Who is asked by a forwarder and is none of the cluster's own is upstream; this needs the forwarders first.
    for (const [address] of served) {
      const known = this.serverRoles.get(address) as RoleEvidence
      if (known.role !== 'unknown') continue
      this.serverRoles.set(address, this.inferService(address) ?? this.inferUpstream(address))
    }
    const text = (address: AddressId): string => this.tables.addresses.text(address)
    this.hostNetworks = hostNetworks(
      [...this.doings].flatMap(([address, { masks }]) => (masks > 0 ? [text(address)] : [])),
      [...this.serverRoles].flatMap(([address, { role }]) => (role === 'coredns' ? [text(address)] : [])),
    )
    this.podNetworks = this.findPodNetworks()
    this.searching = null
    for (const [address, d] of this.doings) {
      if (d.forOthers === 0) continue
      this.forwarderRoles.set(
        address,
        this.hintedForwarder(address) ?? forwarderRoleOf(d, this.zone, this.asForwarder(address)),
      )
    }
  }

  private listServers(): readonly [AddressId, Doings][] {
    if (this.serversChanged) this.servers = [...this.doings].filter(([, d]) => d.served > 0)
    this.serversChanged = false
    return this.servers
  }

  /** How a forwarder shows, as a sentence goes on. */
  private asForwarder(address: AddressId): string {
    return this.forwarding.isForwarder(address)
      ? 'sends on from its own address what clients ask it'
      : this.pools.evidenceOf(address)
  }

  serverRole(address: AddressId): RoleEvidence {
    return this.serverRoles.get(address) ?? NOTHING
  }

  /** The role of an address as one that asks for itself, not for others. */
  clientRole(address: AddressId): RoleEvidence {
    const known = this.clientRoles.get(address)
    if (known !== undefined) return known
    const d = this.byAddress[address]
    if (d === undefined || (d.asked === 0 && d.masks === 0)) return NOTHING
    const role = this.hinted(address, ONLY_ANSWER) ?? this.inferClient(address, d)
    this.clientRoles.set(address, role)
    return role
  }

  /** The address that stands for the forwarder which asks from this one: the one that it answers on, where that is known. */
  forwarderAt(source: AddressId): AddressId {
    return this.forwarding.forwardersAt(source)[0] ?? source
  }

  /** The role of an address as one that asks for others: that of the server that it is, else what its questions tell. */
  forwarderRole(address: AddressId): RoleEvidence {
    const server = this.serverRoles.get(this.forwarderAt(address))
    if (server && server.role !== 'unknown') return server
    return this.forwarderRoles.get(address) ?? NOTHING
  }

  /** The role of a hop's `from`. */
  askerRole(address: AddressId, forwarder: boolean): RoleEvidence {
    return forwarder ? this.forwarderRole(address) : this.clientRole(address)
  }

  /** What everybody calls the server at this address, and why; null where nothing tells. */
  knownAs(address: AddressId): KnownAs | null {
    const { addresses } = this.tables
    return knownAs(
      addresses.text(address),
      () => this.searchLists.suffixes,
      // A VPC has at most a /16.
      network =>
        [...(this.doings.get(address)?.clients ?? [])].some(client => rangeOf(addresses.text(client)) === network),
    )
  }

  /** The same, where it says more than the role does: of upstreams and host resolvers. */
  commonName(address: AddressId): string | null {
    const known = WELL_KNOWN.get(this.tables.addresses.text(address))
    const says = known ? known.role !== 'node-local-cache' : this.serverRole(address).role === 'upstream'
    return says ? (this.knownAs(address)?.name ?? null) : null
  }

  /** An upstream that has the cluster's own names: Cloud DNS in place of kube-dns. */
  servesCluster(address: AddressId): boolean {
    return this.serverRole(address).role === 'upstream' && (this.doings.get(address)?.clusterFound ?? 0) > 0
  }

  /** The addresses that served what was asked of this one (DNAT). */
  serversBehind(address: AddressId): AddressId[] {
    return [...(this.doings.get(address)?.translatedTo.keys() ?? [])]
  }

  /** Every address with what it did, and the DNAT pairs. */
  get list(): Listed[] {
    return [...this.doings].map(([address, d]) => ({
      address,
      asked: d.asked,
      forOthers: d.forOthers,
      served: d.served,
      translatedTo: d.translatedTo,
    }))
  }

  // -- Rules, the certain ones first ---------------------------------------------------------------------------------------------

  /** `except`: roles that say nothing of the side that is asked for. */
  private hinted(address: AddressId, except: readonly Role[]): RoleEvidence | null {
    const hint = this.hints.get(this.tables.addresses.own(address))
    if (hint) return { role: hint.role, evidence: [`so says ${hint.from}`] }
    const told = this.told.get(this.tables.addresses.own(address))
    return told && !except.includes(told.role) ? told : null
  }

  /** That an address is a pod's or a node's says nothing of what it asks for others. */
  private hintedForwarder(address: AddressId): RoleEvidence | null {
    const hint = this.hints.get(this.tables.addresses.own(address))
    const isForwarder = hint?.role === 'coredns' || hint?.role === 'node-local-cache'
    return isForwarder ? { role: hint.role, evidence: [`so says ${hint.from}`] } : null
  }

  private inferServer(address: AddressId, d: Doings): RoleEvidence {
    const text = (id: AddressId): string => this.tables.addresses.text(id)
    const stands = mostFrequent(d.standsFor)
    return (
      serverRoleOf(d, {
        address: text(address),
        knownAs: this.knownAs(address),
        zone: this.zone,
        service: stands === null ? null : text(stands),
        sources: this.forwarding.sourcesOf(address).map(text),
        forwardsServices: this.forwardsServices(address),
        servesForwarder: () => this.servesForwarder(address, d),
      }) ?? NOTHING
    )
  }

  /** True where it asks on for services, and not only servers that know none: CoreDNS does that where "fallthrough" names no zones. */
  private forwardsServices(address: AddressId): boolean {
    if (!this.forwarding.forwardsServices(address, this.zone)) return false
    const sources = [address, ...this.forwarding.sourcesOf(address)]
    let answered = 0
    for (const [server, d] of this.servers) {
      if (server === address || d.clusterAnswers === 0 || !sources.some(source => d.clients.has(source))) continue
      if (d.clusterAuthority > 0 || d.clusterFound > 0) return true
      answered += d.clusterAnswers
    }
    // Without an answer nobody knows what they would have said.
    return answered === 0
  }

  /** True where an address asks it from which a forwarder asks that answers elsewhere, or was not captured. */
  private servesForwarder(address: AddressId, d: Doings): boolean {
    for (const client of d.clients) {
      if (this.pools.isForwarder(client)) return true
      if (this.forwarding.forwardersAt(client).some(forwarder => forwarder !== address)) return true
    }
    return false
  }

  /** The role of an address that answers nothing itself: that of the servers to which its queries are translated. */
  private inferService(address: AddressId): RoleEvidence | null {
    const d = this.doings.get(address) as Doings
    const behind = mostFrequent(d.translatedTo)
    if (behind === null || d.clusterAnswers + d.otherAnswers > 0) return null
    const { role } = this.serverRoles.get(behind) ?? NOTHING
    if (role !== 'coredns' && role !== 'node-local-cache') return null
    return { role, evidence: [`what it is asked is served by ${this.tables.addresses.text(behind)} (DNAT)`] }
  }

  private inferUpstream(address: AddressId): RoleEvidence {
    const askers = this.askersOf(address).map(asker => ({
      address: this.tables.addresses.text(asker),
      role: this.serverRoles.get(asker)?.role ?? null,
    }))
    return roleByAskers(this.doings.get(address) as Doings, askers, this.zone, this.knownAs(address))
  }

  private inferClient(address: AddressId, d: Doings): RoleEvidence {
    const text = (id: AddressId): string => this.tables.addresses.text(id)
    return clientRoleOf(d, {
      address: text(address),
      asServer: this.serverRoles.get(address) ?? NOTHING,
      forwarders: this.forwarding.forwardersAt(address).map(text),
      searches: this.searches(address),
      hostNetworks: this.hostNetworks,
      podNetworks: this.podNetworks,
      isAlone: () => this.zone !== null && this.ownCaptures.isAlone(address, a => this.hostOf(a)),
      podsBeside: () => this.podsIn(networkOf(text(address))),
      masqueradesTo: () => this.masqueradesTo(address, text(address)),
    })
  }

  /** The domain of a namespace that it searches; null without. */
  private searches(address: AddressId): string | null {
    return this.searchLists.bestOf(address).list.find(suffix => suffix.includes('.svc.')) ?? null
  }

  /** How many in a network search the domain of a namespace. */
  private podsIn(network: string): number {
    const text = (address: AddressId): string => this.tables.addresses.text(address)
    this.searching ??= countByNetwork([...this.doings.keys()].filter(a => this.searches(a) !== null).map(text))
    return this.searching.get(network) ?? 0
  }

  /** An upstream beside which it stands and which its queries reach by way of a router; null where there is none. */
  private masqueradesTo(address: AddressId, text: string): string | null {
    for (const [server, { role }] of this.serverRoles) {
      if (role !== 'upstream' || !this.doings.get(server)?.routed.has(address)) continue
      const other = this.tables.addresses.text(server)
      if (networkOf(other) === networkOf(text)) return other
    }
    return null
  }

  /** CoreDNS is a pod among pods where it asks upstream from its own address, or stands behind DNAT. */
  private findPodNetworks(): PodNetworks {
    const networks = new PodNetworks()
    for (const [server, { role }] of this.serverRoles) {
      const d = this.doings.get(server)
      if (role === 'coredns' && d && (d.asked > 0 || d.standsFor.size > 0))
        networks.add(this.tables.addresses.text(server))
    }
    return networks
  }

  /** The forwarders that ask a server, by the addresses that they answer on. */
  private askersOf(address: AddressId): AddressId[] {
    const askers = new Set<AddressId>()
    for (const client of (this.doings.get(address) as Doings).clients) {
      askers.add(client)
      for (const forwarder of this.forwarding.forwardersAt(client)) askers.add(forwarder)
    }
    return [...askers]
  }

  private of(address: AddressId): Doings {
    let d = this.byAddress[address]
    if (d !== undefined) return d
    d = newDoings()
    this.byAddress[address] = d
    this.doings.set(address, d)
    return d
  }
}

/** With authority, and no recursion: not from a cache. */
const isOfPlugin = (t: Transaction): boolean =>
  t.qname !== NONE && t.answerCount > 0 && (t.responseFlags & AA) !== 0 && (t.responseFlags & RA) === 0

/** A pod or a node that is asked is a DNS server too, and another role says which; an upstream that asks is more than that. */
const ONLY_ASK: readonly Role[] = ['pod', 'host']
const ONLY_ANSWER: readonly Role[] = ['upstream']

const NOTHING: RoleEvidence = { role: 'unknown', evidence: [] }

const isUpstreamEverywhere = (address: string): boolean => WELL_KNOWN.get(address)?.role === 'upstream'
