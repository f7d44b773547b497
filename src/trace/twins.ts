/**
 * Which IPv4 and which IPv6 address are one host's. Two things tell. A resolver that asks a server of the other family keeps its ids
 * (musl at once, glibc after an error). And what was not routed yet bears its sender's link-layer address: one of each family behind one
 * such address are one interface's.
 */
import { type AddressId, DNS_MESSAGE, type Messages, NONE, type Time } from '../model.ts'
import type { Addresses } from '../wire/tables.ts'
import type { Transaction } from './transaction.ts'

/** Copies of one query to servers of both families leave within this, and retries after an error follow within it. */
const COPY_GAP: Time = 5e6
/** Coincidences of id, port, name and time that prove two addresses to be one host's. */
const ENOUGH_COINCIDENCES = 2
/** How many of the latest queries a twin is looked for among; a power of two. */
const RECENT = 16

/** What systems send with (Linux, Windows, others): a router would have lowered it. */
const FULL_TTLS: readonly number[] = [64, 128, 255]
/** A router's interface brings forth more addresses than a host has; and link-layer addresses that are remembered. */
const MOST_ADDRESSES = 8
const MOST_LINKS = 1 << 16

/** What was seen behind one link-layer address. */
interface Link {
  addresses: readonly AddressId[]
  /** The two of these that are one host's by this; null without. */
  twins: readonly AddressId[] | null
}

export class Twins {
  /** Coincidences by the address that came later, and by the one that was known. */
  private readonly coincidences = new Map<AddressId, Map<AddressId, number>>()
  /** The latest queries, of all clients, where a copy from the other address is looked for: a ring in columns. */
  private readonly recent = {
    dnsId: new Float64Array(RECENT).fill(Number.NaN),
    client: new Int32Array(RECENT),
    server: new Int32Array(RECENT),
    qname: new Int32Array(RECENT),
    qtype: new Int32Array(RECENT),
    start: new Float64Array(RECENT),
  }
  private observed = 0
  /** By address: the link-layer address that it was last seen behind. */
  private readonly links: number[] = []
  /** By link-layer address. */
  private readonly behind = new Map<number, Link>()
  /** Addresses that stand for others (DNAT): they come from wherever the answer does. */
  private readonly services = new Set<AddressId>()
  /** By address, both ways. */
  private readonly byLink = new Map<AddressId, AddressId>()
  private readonly addresses: Addresses

  constructor(addresses: Addresses) {
    this.addresses = addresses
  }

  /** Takes row i: where its sender stands. */
  note(m: Messages, i: number): void {
    const link = m.linkSource[i]
    const from = m.from[i]
    if (this.links[from] === link || link === 0 || m.kind[i] !== DNS_MESSAGE || !FULL_TTLS.includes(m.ttl[i])) return
    while (this.links.length < from) this.links.push(0)
    this.links[from] = link
    const known = this.behind.get(link)
    if (known === undefined) {
      if (this.behind.size < MOST_LINKS) this.behind.set(link, { addresses: [from], twins: null })
    } else if (!known.addresses.includes(from) && known.addresses.length < MOST_ADDRESSES) {
      known.addresses = [...known.addresses, from]
      this.pair(known)
    }
  }

  /** Looks at a transaction in order of start. */
  observe(t: Transaction): void {
    if (t.asked !== t.server && !this.services.has(t.asked)) this.noteService(t.asked)
    const { dnsId, client, server, qname, qtype, start } = this.recent
    const last = this.observed - 1
    for (let i = last; i > last - RECENT; i--) {
      const at = i & (RECENT - 1)
      if (dnsId[at] !== t.dnsId || client[at] === t.client || server[at] === t.server) continue
      if (qname[at] !== t.qname || qtype[at] !== t.qtype || t.start - start[at] > COPY_GAP) continue
      if (this.isV6(client[at]) !== this.isV6(t.client)) this.count(client[at], t.client)
    }
    const at = this.observed++ & (RECENT - 1)
    dnsId[at] = t.dnsId
    client[at] = t.client
    server[at] = t.server
    qname[at] = t.qname
    qtype[at] = t.qtype
    start[at] = t.start
  }

  /** One address for both. */
  hostOf(address: AddressId): AddressId {
    const twin = this.of(address)
    return twin === NONE || twin > address ? address : twin
  }

  /** The host's address of the other family; NONE where none is known. */
  of(address: AddressId): AddressId {
    if (this.byLink.size > 0) {
      const twin = this.byLink.get(address)
      if (twin !== undefined) return twin
    }
    if (this.coincidences.size === 0) return NONE
    for (const [twin, n] of this.coincidences.get(address) ?? []) if (n >= ENOUGH_COINCIDENCES) return twin
    return NONE
  }

  /** True for two addresses of one host, and for one address. */
  areOne(a: AddressId, b: AddressId): boolean {
    return a === b || this.of(a) === b || this.of(b) === a
  }

  private noteService(address: AddressId): void {
    this.services.add(address)
    // Most were never seen to send anything.
    if (!(this.links[address] > 0)) return
    for (const link of this.behind.values()) if (link.addresses.includes(address)) this.pair(link)
  }

  /** One of each family, and no more: twins. A bridge that translates sends with its own address what others sent, so it has many. */
  private pair(link: Link): void {
    for (const address of link.twins ?? []) this.byLink.delete(address)
    link.twins = null
    const own = link.addresses.filter(address => !this.services.has(address))
    if (own.length !== 2 || link.addresses.length === MOST_ADDRESSES) return
    const [a, b] = own
    if (this.isV6(a) === this.isV6(b) || this.byLink.has(a) || this.byLink.has(b)) return
    link.twins = own
    this.byLink.set(a, b)
    this.byLink.set(b, a)
  }

  private count(one: AddressId, other: AddressId): void {
    const first = Math.min(one, other)
    const second = Math.max(one, other)
    let counts = this.coincidences.get(second)
    if (!counts) {
      counts = new Map()
      this.coincidences.set(second, counts)
    }
    counts.set(first, (counts.get(first) ?? 0) + 1)
  }

  private isV6(address: AddressId): boolean {
    return this.addresses.text(address).includes(':')
  }
}
