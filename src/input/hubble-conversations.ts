/**
 * Who talks to which DNS server, as flows without names tell: what the datapath reports of packets on port 53. Such a flow is an event,
 * not a query: one packet is reported at several points, and most packets at none (monitor aggregation). So what is counted are
 * conversations, a client's port with its server, whether anything came back, and the packets that were dropped, with the reason.
 * https://docs.cilium.io/en/stable/operations/performance/tuning/#monitor-aggregation
 */
import type { AddressId, Time } from '../model.ts'

/** Conversations that are looked after; the oldest are closed first. */
const MOST_OPEN = 65_536
/** Pairs of client and server that are counted each by itself. */
const MOST_PAIRS = 50_000
/** Silence after which a client's port is taken for a new conversation, in nanoseconds: longer than any stub waits. */
const SILENCE: Time = 30e9
/** A conversation that is younger than this when the log ends may still be answered. */
const PATIENCE: Time = 2e9

/** PortFlow.flags */
export const SYN = 1
export const ACK = 2
export const RST = 4
export const FIN = 8

/** What one flow on port 53 tells. */
export interface PortFlow {
  client: AddressId
  clientPort: number
  server: AddressId
  transport: number
  reply: boolean
  /** TCP's flags, as the bits below; 0 where nothing tells. */
  flags: number
  /** False where Cilium does not know the connection: the proxy's own packets, the host's, the overlay's. */
  tracked: boolean
  /** "POLICY_DENIED", ...; null where nothing was dropped. */
  dropped: string | null
  /** A policy's word before the drop itself, which is reported as well. */
  verdictOnly: boolean
  node: string | null
  time: Time
}

/** Packets dropped for one reason. */
export interface Drops {
  drops: number
  /** Verdicts without a drop behind them, as some filters leave them. */
  verdicts: number
  nodes: Set<string>
}

export interface Pair {
  client: AddressId
  server: AddressId
  transport: number
  events: number
  /** Conversations of which a packet of the client was seen, and those of them that nothing came back to. */
  asked: number
  unanswered: number
  /** Conversations over TCP that the server refused or broke off. */
  reset: number
  /** There was room for it. */
  isListed: boolean
  /** Events with these flags: how far connections came. */
  flags: { syn: number; synAck: number; fin: number; rst: number }
  /** By reason. */
  dropped: Map<string, Drops>
}

interface Conversation {
  pair: Pair
  asked: boolean
  answered: boolean
  reset: boolean
  dropped: boolean
  begun: Time
  last: Time
}

export class Conversations {
  private readonly byPair = new Map<string, Pair>()
  private readonly open = new Map<number, Conversation>()
  private now: Time = Number.NEGATIVE_INFINITY
  private swept: Time = Number.NEGATIVE_INFINITY
  /** Replies seen at all: a log that was filtered to one direction shows none. */
  replies = 0
  events = 0

  /** False where there are so many pairs that this one is not told apart. */
  add(flow: PortFlow): boolean {
    this.events++
    const pair = this.pairOf(flow)
    pair.events++
    if (flow.time > this.now) this.now = flow.time
    if (flow.dropped !== null) addDrop(pair, flow.dropped, flow)
    if (flow.flags !== 0) addFlags(pair, flow.flags)
    // Without a port (socket load balancing) or a known connection nothing can be expected to come back.
    if (flow.clientPort !== 0 && (flow.tracked || flow.dropped !== null)) this.follow(flow, pair)
    this.sweep()
    return pair.isListed
  }

  /** The log has ended: gives all pairs, those with drops first, then the busiest. */
  finish(): Pair[] {
    for (const conversation of this.open.values()) this.close(conversation)
    this.open.clear()
    return [...this.byPair.values()].sort((a, b) => b.dropped.size - a.dropped.size || b.events - a.events)
  }

  private follow(flow: PortFlow, pair: Pair): void {
    if (flow.reply) this.replies++
    const key = (flow.client * 0x1_0000 + flow.clientPort) * 2 + flow.transport
    let conversation = this.open.get(key)
    if (conversation === undefined) {
      // A server's address may be the service's before translation and the pod's behind it: the port is what stays.
      conversation = {
        pair,
        asked: false,
        answered: false,
        reset: false,
        dropped: false,
        begun: flow.time,
        last: flow.time,
      }
      this.open.set(key, conversation)
    }
    conversation.last = Math.max(conversation.last, flow.time)
    if (flow.dropped !== null) conversation.dropped = true
    if (flow.reply && flow.flags & RST) conversation.reset = true
    if (flow.reply) conversation.answered = true
    else conversation.asked = true
  }

  private close(conversation: Conversation): void {
    const { pair, asked, answered, reset, dropped, begun } = conversation
    if (!asked) return
    pair.asked++
    if (reset) pair.reset++
    if (!answered && !dropped && this.now - begun > PATIENCE) pair.unanswered++
  }

  /** Once a second of the log's time; in order of beginning, so that the walk is short. */
  private sweep(): void {
    if (this.now - this.swept < 1e9 && this.open.size < MOST_OPEN) return
    this.swept = this.now
    for (const [key, conversation] of this.open) {
      if (this.now - conversation.begun < SILENCE && this.open.size < MOST_OPEN) break
      if (this.now - conversation.last < SILENCE && this.open.size < MOST_OPEN) continue
      this.open.delete(key)
      this.close(conversation)
    }
  }

  private pairOf({ client, server, transport }: PortFlow): Pair {
    const key = `${client} ${server} ${transport}`
    let pair = this.byPair.get(key)
    if (pair === undefined) {
      const flags = { syn: 0, synAck: 0, fin: 0, rst: 0 }
      const isListed = this.byPair.size < MOST_PAIRS
      pair = {
        client,
        server,
        transport,
        events: 0,
        asked: 0,
        unanswered: 0,
        reset: 0,
        isListed,
        flags,
        dropped: new Map(),
      }
      if (isListed) this.byPair.set(key, pair)
    }
    return pair
  }
}

function addFlags({ flags }: Pair, bits: number): void {
  if ((bits & (SYN | ACK)) === (SYN | ACK)) flags.synAck++
  else if (bits & SYN) flags.syn++
  if (bits & FIN) flags.fin++
  if (bits & RST) flags.rst++
}

function addDrop(pair: Pair, reason: string, flow: PortFlow): void {
  let drops = pair.dropped.get(reason)
  if (drops === undefined) {
    drops = { drops: 0, verdicts: 0, nodes: new Set() }
    pair.dropped.set(reason, drops)
  }
  if (flow.verdictOnly) drops.verdicts++
  else drops.drops++
  if (flow.node !== null) drops.nodes.add(flow.node)
}
