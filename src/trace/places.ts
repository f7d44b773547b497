/**
 * Where addresses are at home: the capture that sees what an address sends before any router does. It tells whether both ends of a hop
 * were captured, and behind which vantage point a lost message should have been seen.
 */
import { type AddressId, INCOMING, NONE } from '../model.ts'
import type { Arrivals } from './arrivals.ts'
import type { Endpoints } from './endpoints.ts'
import type { Transaction } from './transaction.ts'

/** Operating systems send with these; a router lowers them. */
const isFull = (ttl: number): boolean => ttl === 64 || ttl === 128 || ttl === 255
/** So many messages must show it. */
const ENOUGH = 3
/** Pairs of clients and servers of which something is remembered. */
const MOST_PAIRS = 20_000

/** Counts of files. */
type ByAddress = (number[] | undefined)[]

/** What a capture's transactions have in common: one of these two addresses is an end of them all. */
interface Common {
  one: AddressId
  other: AddressId
  seen: number
}

export class Places {
  /** Address -> how often each file was the nearest to it; by what it asks as a forwarder, and by what it asks at all. */
  private readonly forwards: ByAddress = []
  private readonly asks: ByAddress = []
  /** The same of what comes in through an interface: a pod's, or a neighbour's on the same link. */
  private readonly enters: ByAddress = []
  /** By server, how often its responses were seen in a file before any router. */
  private readonly answers: ByAddress = []
  /** By server, how many of its responses were seen behind a router alone. */
  private readonly routed: number[] = []
  /** By client and server, how many copies of a query are usual. */
  private readonly copies = new Map<number, { usual: number; lead: number }>()
  /** By file. */
  private readonly common: (Common | null)[] = []
  /** From one file to another. */
  private readonly paths = new Map<number, { sightings: number; files: number[] }>()
  /** By server, what was found of it since the last batch. */
  private readonly homes = new Map<AddressId, number | null>()

  private readonly arrivals: Arrivals
  private readonly endpoints: Endpoints

  constructor(arrivals: Arrivals, endpoints: Endpoints) {
    this.arrivals = arrivals
    this.endpoints = endpoints
  }

  /** Takes a batch whose hops are linked. */
  observe(batch: readonly Transaction[]): void {
    this.homes.clear()
    for (const t of batch) {
      if (t.causes) for (const cause of t.causes) count(this.forwards, cause.server, t.file)
      if (isFull(t.clientTtl)) count(t.direction === INCOMING ? this.enters : this.asks, t.client, t.file)
      if (isFull(t.responseTopTtl)) count(this.answers, t.server, t.responseFile)
      else if (t.responseTopTtl > 0) this.routed[t.server] = (this.routed[t.server] ?? 0) + 1
      if (t.responseFrom > 0 && t.retransmissions === 0) this.noteCopies(t)
      const sightings = t.framesLength >> 1
      for (let i = 0; i < sightings; i++) this.narrow(t.fileAt(i), t)
    }
    // What one capture alone shows has no way between captures.
    if (this.common.length > 1) for (const t of batch) this.notePath(t)
    // Roles are decided anew.
    this.homes.clear()
  }

  /** The captures that see a query on its way from where `file` is to where `home` is, in order; null where none was seen go there. */
  between(file: number, home: number): readonly number[] | null {
    return this.paths.get(pathOf(file, home))?.files ?? null
  }

  /** How many copies of a query from this client to this server the captures mostly hold; null where nothing is usual. */
  usualCopies(t: Transaction): number | null {
    const copies = this.copies.get(copiesOf(t))
    return copies && copies.lead >= ENOUGH ? copies.usual : null
  }

  /** Whatever most of them have in common has the lead (Boyer and Moore). */
  private noteCopies(t: Transaction): void {
    const n = t.responseFrom >> 1
    const copies = this.copies.get(copiesOf(t))
    if (!copies) {
      if (this.copies.size < MOST_PAIRS) this.copies.set(copiesOf(t), { usual: n, lead: 1 })
    } else if (copies.usual === n) copies.lead++
    else if (--copies.lead < 0) {
      copies.usual = n
      copies.lead = 1
    }
  }

  /** The longest way that a query was seen to take. */
  private notePath(t: Transaction): void {
    if (t.responseFrom < 0 || t.retransmissions > 0) return
    const home = this.ofServer(t.server)
    if (home === null || home === t.file) return
    const key = pathOf(t.file, home)
    const sightings = t.responseFrom >> 1
    const known = this.paths.get(key)
    if (known && known.sightings >= sightings) return
    if (!t.seenIn(home)) return
    const files = new Set<number>()
    for (let i = 0; i < sightings; i++) files.add(t.fileAt(i))
    this.paths.set(key, { sightings, files: [...files] })
  }

  /** The capture taken where the server is; null where none is known to be. */
  ofServer(server: AddressId): number | null {
    let home = this.homes.get(server)
    if (home === undefined) {
      home = this.find(server)
      this.homes.set(server, home)
    }
    return home
  }

  private find(server: AddressId): number | null {
    const file = mostly(this.forwards[server])
    if (file !== null) return file
    // A pod's packets cross its node first, and that is a router. Behind a service's address there is a near one and a far one.
    const answering = mostly(this.answers[server], this.routed[server])
    if (answering !== null && this.endpoints.serverRole(server).role === 'coredns') return answering
    const own = this.common.findIndex((common, i) => {
      if (!common || common.seen < ENOUGH || (common.one !== server && common.other !== server)) return false
      const other = common.one === server ? common.other : common.one
      // All may ask one server from afar: in its own capture its responses leave.
      const ttl = this.arrivals.ttlOfLeaving(i)
      if (ttl === null || !isFull(ttl)) return false
      if (other === NONE) return true
      // Two ends that are always the same: it is not the one that is at home elsewhere.
      const elsewhere = mostly(this.forwards[other]) ?? mostly(this.asks[other])
      return elsewhere !== null && elsewhere !== i
    })
    return own < 0 ? null : own
  }

  /** The capture taken where the client is; null where none is known to be. */
  ofClient(client: AddressId): number | null {
    const file = mostly(this.asks[client]) ?? this.ofServer(client)
    return file ?? (this.endpoints.clientRole(client).role === 'pod' ? mostly(this.enters[client]) : null)
  }

  /** True where the query was seen before any router on its way. */
  isClientsEnd(t: Transaction): boolean {
    return isFull(t.clientTtl)
  }

  /** False for a capture at a single address that is no end of this transaction. */
  mayHold(file: number, t: Transaction): boolean {
    const common = this.common[file]
    return !common || isEnd(t, common.one) || isEnd(t, common.other)
  }

  private narrow(file: number, t: Transaction): void {
    const common = this.common[file]
    if (common === undefined) {
      this.common[file] = { one: t.server, other: t.client, seen: 1 }
      return
    }
    if (common === null) return
    common.seen++
    if (common.other !== NONE && !isEnd(t, common.other)) common.other = NONE
    if (!isEnd(t, common.one)) {
      common.one = common.other
      common.other = NONE
    }
    if (common.one === NONE) this.common[file] = null
  }
}

function count(by: ByAddress, address: AddressId, file: number): void {
  let files = by[address]
  if (!files) {
    files = []
    by[address] = files
  }
  files[file] = (files[file] ?? 0) + 1
}

const copiesOf = (t: Transaction): number => t.client * 0x20_0000 + t.server

const isEnd = (t: Transaction, address: AddressId): boolean =>
  address === t.server || address === t.client || address === t.asked || address === t.seen

const pathOf = (file: number, home: number): number => file * 0x1_0000 + home

/** The file that was named most often, if by nearly all; `others`: how many named none. */
function mostly(files: number[] | undefined, others = 0): number | null {
  if (!files) return null
  let best = -1
  let sum = others
  files.forEach((n, file) => {
    sum += n
    if (best < 0 || n > files[best]) best = file
  })
  return best >= 0 && files[best] >= ENOUGH && files[best] > 0.8 * sum ? best : null
}
