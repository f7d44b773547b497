/** What a rule may know beside the lookups and hops that pass by: names, roles, search lists, sums. */
import type { AddressId, NameId, Role, Time } from '../model.ts'
import { listed } from '../quantities.ts'
import type { Identities } from '../trace/identity.ts'
import type { Trace } from '../trace/trace.ts'
import type { Tables } from '../wire/tables.ts'

export interface World {
  trace: Trace
  tables: Tables
  identities: Identities
  /** What to call each capture in a FrameRef. */
  files: string[]
}

export const nameOf = (world: World, id: NameId): string => world.tables.names.text(id)

/** A client or server in a list: "namespace/pod" where the user's files tell, else the address. */
export function idOf(world: World, address: AddressId): string {
  const text = world.tables.addresses.text(address)
  const identity = world.identities.get(text)
  return identity?.pod ? `${identity.namespace}/${identity.pod}` : text
}

/** The same in a sentence, where an upstream or a host resolver bears the name that everybody knows: "Azure DNS 168.63.129.16". */
export function who(world: World, address: AddressId): string {
  const id = idOf(world, address)
  const name = world.trace.endpoints.commonName(address)
  return name === null ? id : `${name} ${id}`
}

/** "a, b and 3 more". */
export function whoAll(world: World, addresses: Iterable<AddressId>, most = 2): string {
  // One address may be a server of its own on each node.
  const names = new Set([...addresses].map(address => who(world, address)))
  return listed([...names], most)
}

/** The same names, those first for which somebody had an answer: who reads an example tries it. */
export function answeredFirst(world: World, names: readonly string[]): string[] {
  const { byName } = world.trace.sums
  const isAnswered = (name: string): boolean => (byName.get(name)?.answered ?? 0) > 0
  return [...names.filter(isAnswered), ...names.filter(name => !isAnswered(name))]
}

export const serverRole = (world: World, address: AddressId): Role => world.trace.endpoints.serverRole(address).role

export const clientRole = (world: World, address: AddressId): Role => world.trace.endpoints.clientRole(address).role

/** A server of the cluster's own: what pods with the policy ClusterFirst are meant to ask. */
export const isClusterDns = (world: World, address: AddressId): boolean => {
  const role = serverRole(world, address)
  return role === 'coredns' || role === 'node-local-cache'
}

/** A time of the run as a clock shows it, in UTC. */
export function clockTime(world: World, time: Time): string {
  return exactClockTime(world, time).slice(0, 8)
}

/** The same with milliseconds. */
export function exactClockTime(world: World, time: Time): string {
  const milliseconds = (world.trace.matching.origin ?? 0) * 1000 + Math.floor(time / 1e6)
  return new Date(milliseconds).toISOString().slice(11, 23)
}

/** The cluster domain, e.g. cluster.local; null where nothing shows that there is a cluster at all. */
export const zoneOf = (world: World): string | null => world.trace.endpoints.clusterDomain
