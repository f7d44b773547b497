/**
 * Who asks for others, told by its sockets alone, where nobody captured those others. CoreDNS' forward plugin, of which NodeLocal DNSCache
 * is built too, keeps its sockets, over TCP and over UDP: one question at a time on each, the next on whichever is idle, whoever waits for
 * it, until one was idle for 10 s. So one socket carries names that have nothing to do with each other, and the A and the AAAA of one name
 * go over two. A stub resolver opens a socket for a candidate or a lookup; what keeps one (Netty, hickory) has several questions open on it.
 * https://github.com/coredns/coredns/blob/master/plugin/pkg/proxy/persistent.go
 */
import { A, AAAA } from '../codes.ts'
import { type AddressId, type NameId, NONE, TCP, type Time } from '../model.ts'
import type { Transaction } from './transaction.ts'

/**
 * Transaction.socketUse; 0 where nothing was seen of others on its socket. The question before or after it was of another lookup, each
 * asked when the one before was answered, ...
 */
const IN_TURN = 1
/** ... two were open on it at once, ... */
const AT_ONCE = 2
/** ... or it came over a new socket although its client had an idle one that carries lookup after lookup. */
const BESIDE_IDLE = 3

/** CoreDNS closes what was idle for so long. */
const IDLE: Time = 10e9
/** Clock granularity, and the reset or response that crossed a query. */
const SLACK: Time = 0.2e6
/** A socket is certainly idle, and not closed yet, from so long after its last answer until this. */
const IDLE_FROM: Time = 20e6
const IDLE_UNTIL: Time = 8e9
/** A stub resolver's next candidate leaves sooner after the answer before it; later the same name is another lookup's. */
const NEXT_LOOKUP: Time = 0.1e9
/** But perhaps it waited for an answer that never came (c-ares, which goes on from the same port). */
const NEXT_AFTER_SILENCE: Time = 8.5e9
/** A and AAAA of one name leave within this. */
const PAIR_GAP: Time = 50e6
/** So many changes of the lookup on sockets, and A and AAAA on two of them so often, are no accident. */
const ENOUGH_CHANGES = 4
/**
 * Where each replica of CoreDNS has a connection, A and AAAA of a name may go to two of them. So many changes over TCP, and hardly a new
 * connection, do without: stub resolvers that use TCP at all open one for each lookup.
 */
const ENOUGH_OVER_TCP = 20
const CHANGES_PER_CONNECTION = 10
const ENOUGH_PAIRS = 2
/** Sockets on which a name begins: such a part at least was in use before; and so few questions come while another is open. */
const MIN_USED = 0.5
const MAX_AT_ONCE = 0.1
/** A pool misses an idle socket now and then; a process of the host opens more than that, and more than such a share of all. */
const MISSES = 4
const MISSED_SHARE = 0.02
/** Sockets that are remembered, in sets of two; a power of two. What carried several lookups stays longer. */
const SOCKETS = 8192
/** What is known of a socket, in this order. Port and transport are one number. */
const CLIENT = 0
const SERVER = 1
const PORT = 2
const HEAD = 3
/** What is added to the head where a question about it was not answered. */
const SILENT = 0.5
/** How often it changed the lookup; while it never did, less than 1: minus the Transaction.socketUse of its first question. */
const CHANGES = 4
/** When its latest question was answered; infinity where it was not. */
const UNTIL = 5
const USED = 6
/** Number of its latest question, as they are counted here. */
const LATEST = 7
const WIDTH = 8

/** Sockets of one client that may be idle. */
const MOST_KEPT = 8

/** What an address showed that used a socket again for another lookup. */
interface Asker {
  /** Questions on a socket that had carried another lookup's, and on a new one, since the first of these. */
  changes: number
  fresh: number
  /** Changes that may be a step of one walk after silence. */
  doubtful: number
  /** Changes over TCP. */
  overTcp: number
  /** Questions that were asked while the one before was open, on a socket that had carried another lookup's. */
  atOnce: number
  /** Sockets that were opened although one was idle. */
  besideIdle: number
  /** A and AAAA of one name, open together on two sockets. */
  pairs: number
  /** The latest question, as the first of a pair. */
  qname: NameId
  qtype: number
  start: Time
  until: Time
  socket: number
  /** Places of sockets that it used again, the latest first. */
  kept: number[]
}

export class Pools {
  /** The sockets, in sets of two for each hash, row after row: one line of the processor's cache each. A place is where a row begins. */
  private readonly cells = new Float64Array(SOCKETS * WIDTH).fill(NONE)
  private readonly askers: (Asker | undefined)[] = []
  private counted = 0

  /** Looks at transactions in order of start; `headOf` says what the names of one walk have in common. */
  observe(batch: readonly Transaction[], headOf: (name: NameId) => number): void {
    const first = this.counted
    for (let i = 0; i < batch.length; i++) {
      const t = batch[i]
      this.counted++
      if (t.infrastructure || t.qname === NONE || t.clientPort === 0) continue
      this.note(t, headOf(t.qname), batch, first)
    }
  }

  /** True if `address` asks for others, by all that it showed so far. */
  isForwarder(address: AddressId): boolean {
    const asker = this.askers[address]
    return (
      asker !== undefined &&
      asker.changes - asker.doubtful >= ENOUGH_CHANGES &&
      (asker.pairs >= ENOUGH_PAIRS || keepsConnections(asker)) &&
      asker.changes >= MIN_USED * (asker.changes + asker.fresh) &&
      asker.atOnce <= MAX_AT_ONCE * asker.changes
    )
  }

  /** True if this was asked for others. A process of the same host has sockets of its own. */
  asksForOthers(t: Transaction): boolean {
    if (t.socketUse === AT_ONCE || !this.isForwarder(t.client)) return false
    return t.socketUse !== BESIDE_IDLE || !hasProcesses(this.askers[t.client] as Asker)
  }

  /** How a forwarder shows, as a sentence goes on. */
  evidenceOf(address: AddressId): string {
    const { changes, pairs, overTcp } = this.askers[address] as Asker
    const kept = overTcp * 2 > changes ? 'keeps TCP connections' : 'uses its UDP ports again'
    const both = pairs < ENOUGH_PAIRS ? '' : ` and asks the A and AAAA of one name over two of them (${pairs} times)`
    return `${kept} for lookup after lookup (${changes} times)${both}, as CoreDNS' forward plugin does`
  }

  private note(t: Transaction, head: number, batch: readonly Transaction[], first: number): void {
    const { cells } = this
    const at = this.placeOf(t)
    const asker = this.askers[t.client]
    const until = Number.isNaN(t.end) ? Number.POSITIVE_INFINITY : t.end
    const isKnown = this.isAt(at, t) && t.start - cells[at + USED] <= IDLE
    if (!isKnown) {
      if (asker) {
        asker.fresh++
        if (this.hasIdle(asker, t)) {
          t.socketUse = BESIDE_IDLE
          asker.besideIdle++
        }
        this.notePair(asker, t, at, until)
      }
      this.open(at, t, head, until)
      return
    }
    const before = cells[at + LATEST] - first
    if (t.start + SLACK < cells[at + UNTIL]) {
      t.socketUse = AT_ONCE
      if (before >= 0) batch[before].socketUse = AT_ONCE
      // What a stub resolver of the same host does with a socket of its own says nothing of the others.
      if (asker && cells[at + CHANGES] > 0) asker.atOnce++
      else if (asker && asker.fresh > 0) asker.fresh--
    } else if (head !== Math.floor(cells[at + HEAD]) || t.start - cells[at + UNTIL] > NEXT_LOOKUP) {
      const isDoubtful = cells[at + HEAD] === head + SILENT && t.start - cells[at + UNTIL] < NEXT_AFTER_SILENCE
      cells[at + CHANGES] = Math.max(0, cells[at + CHANGES]) + 1
      t.socketUse = IN_TURN
      if (before >= 0 && batch[before].socketUse !== AT_ONCE) batch[before].socketUse = IN_TURN
      this.noteChange(asker ?? this.newAsker(t.client), t, at, isDoubtful)
    } else t.socketUse = cells[at + CHANGES] > 0 ? IN_TURN : -cells[at + CHANGES]
    const known = this.askers[t.client]
    if (known) this.notePair(known, t, at, until)
    const wasSilent = cells[at + HEAD] === head + SILENT
    cells[at + HEAD] = wasSilent || Number.isNaN(t.end) ? head + SILENT : head
    cells[at + UNTIL] = until
    cells[at + USED] = Math.max(t.start, Number.isNaN(t.end) ? 0 : t.end)
    cells[at + LATEST] = this.counted - 1
  }

  private noteChange(asker: Asker, t: Transaction, at: number, isDoubtful: boolean): void {
    asker.changes++
    if (isDoubtful) asker.doubtful++
    if (t.transport === TCP) asker.overTcp++
    const { kept } = asker
    if (kept.includes(at)) return
    if (kept.length < MOST_KEPT) kept.push(at)
    else kept[asker.changes % MOST_KEPT] = at
  }

  private notePair(asker: Asker, t: Transaction, at: number, until: Time): void {
    const isPair =
      asker.qname === t.qname &&
      asker.qtype + t.qtype === A + AAAA &&
      asker.socket !== at &&
      t.start - asker.start <= PAIR_GAP &&
      t.start < asker.until
    if (isPair) asker.pairs++
    asker.qname = t.qname
    asker.qtype = t.qtype
    asker.start = t.start
    asker.until = until
    asker.socket = at
  }

  private newAsker(client: AddressId): Asker {
    const asker: Asker = {
      changes: 0,
      fresh: 0,
      doubtful: 0,
      overTcp: 0,
      atOnce: 0,
      besideIdle: 0,
      pairs: 0,
      qname: NONE,
      qtype: NONE,
      start: 0,
      until: 0,
      socket: NONE,
      kept: [],
    }
    this.askers[client] = asker
    return asker
  }

  /** One of the sockets that carry lookup after lookup was idle: CoreDNS would have taken that one. */
  private hasIdle({ kept }: Asker, t: Transaction): boolean {
    const { cells } = this
    for (const at of kept) {
      const idle = t.start - cells[at + UNTIL]
      if (idle < IDLE_FROM || idle > IDLE_UNTIL || cells[at + CLIENT] !== t.client || cells[at + SERVER] !== t.server)
        continue
      if (cells[at + CHANGES] > 0 && (cells[at + PORT] & 1) === (t.transport & 1)) return true
    }
    return false
  }

  private isAt(at: number, t: Transaction): boolean {
    const { cells } = this
    return cells[at + CLIENT] === t.client && cells[at + PORT] === portOf(t) && cells[at + SERVER] === t.server
  }

  /** Where its socket stands, or may stand: in the place of the other one of the set that is less worth. */
  private placeOf(t: Transaction): number {
    const hash = Math.imul(t.client, 0x9e37_79b1) ^ Math.imul(portOf(t), 0x85eb_ca6b) ^ Math.imul(t.server, 0xc2b2_ae35)
    const at = ((hash ^ (hash >>> 15)) & (SOCKETS / 2 - 1)) * 2 * WIDTH
    if (this.isAt(at, t)) return at
    if (this.isAt(at + WIDTH, t)) return at + WIDTH
    return this.worth(at, t.start) <= this.worth(at + WIDTH, t.start) ? at : at + WIDTH
  }

  /** Until when a socket is of use; one that carried several lookups counts more than any that did not. */
  private worth(at: number, now: Time): number {
    const { cells } = this
    if (cells[at + CLIENT] === NONE || now - cells[at + USED] > IDLE) return Number.NEGATIVE_INFINITY
    return cells[at + CHANGES] > 0 ? cells[at + USED] + IDLE : cells[at + USED]
  }

  private open(at: number, t: Transaction, head: number, until: Time): void {
    const { cells } = this
    cells[at + CLIENT] = t.client
    cells[at + SERVER] = t.server
    cells[at + PORT] = portOf(t)
    cells[at + HEAD] = Number.isNaN(t.end) ? head + SILENT : head
    cells[at + CHANGES] = -t.socketUse
    cells[at + UNTIL] = until
    cells[at + USED] = Math.max(t.start, Number.isNaN(t.end) ? 0 : t.end)
    cells[at + LATEST] = this.counted - 1
  }
}

const keepsConnections = ({ changes, fresh, doubtful, overTcp }: Asker): boolean =>
  overTcp - doubtful >= ENOUGH_OVER_TCP && overTcp * 2 > changes && fresh * CHANGES_PER_CONNECTION <= changes

/** Processes of its host ask from the same address. */
const hasProcesses = ({ besideIdle, changes, fresh }: Asker): boolean =>
  besideIdle >= MISSES && besideIdle >= MISSED_SHARE * (changes + fresh)

const portOf = (t: Transaction): number => t.clientPort * 2 + (t.transport & 1)
