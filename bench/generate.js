// @ts-check
/**
 * Captures for measuring: reproducible, of any length, written as fast as the disk takes them. A small event simulation of a cluster:
 * applications start lookups at random times, stub resolvers walk the search list, forwarders ask upstream, some messages are lost.
 *
 *   pod   one sighting per message, UDP, Ethernet: as captured at a CoreDNS pod that serves some hundred pods
 *   any   `tcpdump -i any` on a node (SLL2): pods behind a NodeLocal DNSCache (two sightings), pods behind the ClusterIP's DNAT and a
 *         CoreDNS pod on this node (three), TCP between the caches, a fifth unrelated traffic
 *   busy  `pod` taken without a filter: four frames in five are not DNS
 *
 * Run on its own: node bench/generate.js --shape any --frames 1000000 --out FILE [--truth FILE]
 */
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ETHERNET, frameWriter, IN, OTHER_HOST, OUT, SLL2, TCP_FLAGS } from './frames.js'
import { CANDIDATES, CLUSTER_DOMAIN, HAS_AAAA, HAS_CNAME, HOST_DOMAIN, headNames, NAMESPACES, wire } from './names.js'
import { draw, exponentialTable, lognormalTable, randomSource, zipfTable } from './random.js'

export const SHAPES = ['pod', 'any', 'busy']

/**
 * @typedef {object} Options
 * @property {string} shape pod, any or busy
 * @property {number} frames
 * @property {number} seed
 * @property {number} pods
 * @property {number} names distinct names in the head; three lookups in a hundred ask for a name that never comes again
 * @property {number} rate lookups per second
 * @property {Asked[]} [truth] takes the lookups as their applications know them
 */

/**
 * @typedef {object} Asked
 * @property {string} client the pod's address
 * @property {string} resolver
 * @property {string} name as the application gave it
 * @property {number} start nanoseconds since the epoch's second START_SECONDS
 * @property {number | null} end null where the capture ended first
 * @property {string | null} outcome null where the capture ended first
 * @property {Forwarded[]} forwarded what forwarders asked for it
 */

/**
 * @typedef {object} Forwarded
 * @property {number} time nanoseconds since the epoch's second START_SECONDS
 * @property {number} clientPort of the client's query that caused it
 * @property {number} dnsId of that query
 */

/** @type {Options} */
export const DEFAULTS = { shape: 'pod', frames: 1_000_000, seed: 1, pods: 300, names: 2000, rate: 1500 }

export const START_SECONDS = 1_795_000_000
const MICROSECOND = 1e3
const MILLISECOND = 1e6
const SECOND = 1e9

/** @param {number} a @param {number} b @param {number} c @param {number} d */
const ip = (a, b, c, d) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
const CLUSTER_IP = ip(10, 96, 0, 10)
const NODE_LOCAL = ip(169, 254, 20, 10)
const NODE = ip(172, 18, 0, 2)
const UPSTREAM = ip(172, 18, 0, 53)
/** The CoreDNS pod of this node, where `pod` is captured, and the one of another node. */
const COREDNS_HERE = ip(10, 244, 0, 5)
const COREDNS_ELSEWHERE = ip(10, 244, 1, 5)
const ETH0 = 2
const BRIDGE = 3
const COREDNS_VETH = 4
const FIRST_VETH = 10

// How the resolvers differ on the wire.
const GLIBC = 0
const GO = 1
const MUSL = 2
const C_ARES = 3
const RESOLVERS = ['glibc', 'go', 'musl', 'c-ares']
/** Of 16 pods. */
const RESOLVER_MIX = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]

// Where a pod stands and whom it asks; only `any` has more than one.
const VIA_COREDNS_POD = 0
const VIA_NODE_LOCAL = 1
const VIA_CLUSTER_IP = 2
const VIA_COREDNS_HERE = 3

// Events; the low four bits of an event's number, the rest is the lookup's slot. Even is the A leg, odd the AAAA leg.
const QUERY = 0
const RESPONSE = 2
const RETRY = 4
const FORWARD = 6
const FORWARDED = 8
const NEXT = 10
const NEW_LOOKUP = -1

/**
 * Flags of a response: with AA what CoreDNS knows itself or has in its cache, without what it fetched. RA is set in both, although
 * CoreDNS leaves it clear in answers about cluster names: dnsscope 4.7.3 collects the clients of such answers in a table that it
 * hashes by address alone, and its time grows with the square of the frames (128 s for 4 M). It shall be measured at its best.
 */
const OWN_ANSWER = 0x8580
const FETCHED_ANSWER = 0x8180

const LOST = 1 / 2500
const UNANSWERED = 1 / 10_000

/** Slots for lookups that are open at once; a lookup that finds none is not started. */
const SLOTS = 1 << 16
const NAME_ROOM = 128

/** Binary heap of (time, event): the earliest first. */
function eventQueue() {
  let times = new Float64Array(1 << 12)
  let events = new Int32Array(1 << 12)
  let length = 0
  return {
    time: 0,
    /** @param {number} time @param {number} event */
    push(time, event) {
      if (length === times.length) {
        const moreTimes = new Float64Array(length * 2)
        const moreEvents = new Int32Array(length * 2)
        moreTimes.set(times)
        moreEvents.set(events)
        times = moreTimes
        events = moreEvents
      }
      let i = length++
      while (i > 0) {
        const up = (i - 1) >> 1
        if (times[up] <= time) break
        times[i] = times[up]
        events[i] = events[up]
        i = up
      }
      times[i] = time
      events[i] = event
    },
    /** Takes the earliest event; its time is then in `time`. */
    pop() {
      const event = events[0]
      this.time = times[0]
      const time = times[--length]
      const moved = events[length]
      let i = 0
      for (;;) {
        let down = 2 * i + 1
        if (down >= length) break
        if (down + 1 < length && times[down + 1] < times[down]) down++
        if (times[down] >= time) break
        times[i] = times[down]
        events[i] = events[down]
        i = down
      }
      times[i] = time
      events[i] = moved
      return event
    },
  }
}

/**
 * @param {string} file
 * @param {Partial<Options>} given
 */
export function generate(file, given) {
  const options = { ...DEFAULTS, ...given }
  const any = options.shape === 'any'
  const unrelatedPerFrame = options.shape === 'busy' ? 4 : any ? 0.25 : 0
  const next = randomSource(options.seed)
  /** @param {number} probability */
  const chance = probability => next() < probability * 4294967296
  const port = () => 32768 + (next() % 28000)
  const id = () => next() & 0xffff

  const arrivals = exponentialTable(next, SECOND / options.rate)
  const clusterWaits = lognormalTable(next, 0.3 * MILLISECOND, 0.5)
  const upstreamWaits = lognormalTable(next, 8 * MILLISECOND, 0.8)
  const names = headNames(options.names)
  const popularity = zipfTable(names.length)
  const podPopularity = zipfTable(options.pods)

  const out = frameWriter(file, any ? SLL2 : ETHERNET, START_SECONDS, options.frames)
  const queue = eventQueue()
  const where = { time: 0, ifindex: 0, kind: 0 }

  // Pods.
  const podAddress = new Uint32Array(options.pods)
  const podResolver = new Uint8Array(options.pods)
  const podVia = new Uint8Array(options.pods)
  let podsHere = 0
  let podsElsewhere = 0
  for (let p = 0; p < options.pods; p++) {
    podResolver[p] = RESOLVER_MIX[next() % 16]
    podVia[p] = any
      ? [VIA_NODE_LOCAL, VIA_NODE_LOCAL, VIA_CLUSTER_IP, VIA_COREDNS_HERE, VIA_CLUSTER_IP][p % 5]
      : VIA_COREDNS_POD
    const here = any && podVia[p] !== VIA_COREDNS_HERE
    const n = here ? podsHere++ : podsElsewhere++
    const node = here ? (n < 240 ? 0 : 127 + Math.floor(n / 240)) : 1 + (n % 7) + 7 * Math.floor(n / 1680)
    podAddress[p] = ip(10, 244, node, 10 + (here ? n % 240 : Math.floor(n / 7) % 240))
  }
  const hostDomain = wire(HOST_DOMAIN)
  const suffixes = [
    NAMESPACES.map(namespace => wire(`${namespace}.svc.${CLUSTER_DOMAIN}`)),
    [wire(`svc.${CLUSTER_DOMAIN}`)],
    [wire(CLUSTER_DOMAIN)],
    [hostDomain],
    [wire('')],
  ]
  const clusterDomainLength = wire(CLUSTER_DOMAIN).length + 1

  // Lookups, one slot each.
  const pod = new Uint32Array(SLOTS)
  const candidate = new Uint8Array(SLOTS)
  const decide = new Uint8Array(SLOTS)
  const traits = new Uint8Array(SLOTS)
  const nameLength = new Uint8Array(SLOTS)
  const nameBytes = new Uint8Array(SLOTS * NAME_ROOM)
  const answered = new Uint8Array(SLOTS)
  const dnsId = new Uint16Array(SLOTS * 2)
  const clientPort = new Uint16Array(SLOTS * 2)
  const forwardId = new Uint16Array(SLOTS * 2)
  const forwardPort = new Uint16Array(SLOTS * 2)
  const forwardSeen = new Uint16Array(SLOTS * 2)
  const connection = new Int16Array(SLOTS * 2)
  const fromCache = new Uint8Array(SLOTS * 2)
  const free = new Int32Array(SLOTS)
  let freeCount = SLOTS
  for (let i = 0; i < SLOTS; i++) free[i] = SLOTS - 1 - i

  // The message that is being written.
  const dns = new Uint8Array(1500)
  let at = 0
  /** @param {number} value */
  const put16 = value => {
    dns[at++] = value >>> 8
    dns[at++] = value
  }
  /** @param {number} value */
  const put32 = value => {
    put16(value >>> 16)
    put16(value)
  }
  /** @param {Uint8Array} bytes @param {number} start @param {number} length */
  const putBytes = (bytes, start, length) => {
    for (let i = 0; i < length; i++) dns[at + i] = bytes[start + i]
    at += length
  }
  const soaNames = Uint8Array.from([2, 110, 115, 3, 100, 110, 115, 0, 10, ...Buffer.from('hostmaster'), 0])
  const edge = wire('edge-cache.a1.cdn')

  /** Whether the candidate lies in the cluster's domain; among the names as given the last byte tells: "cluster.local". */
  const inCluster = (/** @type {number} */ slot) =>
    candidate[slot] < 3 || (candidate[slot] === 4 && nameBytes[slot * NAME_ROOM + nameLength[slot] - 1] === 0x6c)

  /**
   * Writes the message of a leg into `dns`.
   * @param {number} slot @param {number} leg @param {boolean} response @param {boolean} onward between forwarder and upstream
   */
  const message = (slot, leg, response, onward) => {
    const row = slot * 2 + leg
    const c = candidate[slot]
    const positive = response && c === decide[slot]
    const cname = positive && (traits[slot] & HAS_CNAME) !== 0
    const addresses = positive && (leg === 0 || (traits[slot] & HAS_AAAA) !== 0) ? 1 + (nameLength[slot] & 1) : 0
    const authority = response && addresses === 0 && !cname
    const clusterName = inCluster(slot)
    const withOpt = podResolver[pod[slot]] === GO
    at = 0
    put16(onward ? forwardId[row] : dnsId[row])
    if (!response) put16(0x0100)
    else
      put16(
        (clusterName || (!onward && fromCache[row]) ? OWN_ANSWER : FETCHED_ANSWER) | (positive || !authority ? 0 : 3),
      )
    put16(1)
    put16(addresses + (cname ? 1 : 0))
    put16(authority ? 1 : 0)
    put16(withOpt ? 1 : 0)
    putBytes(nameBytes, slot * NAME_ROOM, nameLength[slot])
    const suffix = suffixes[c]
    const labels = suffix[c === 0 ? pod[slot] % suffix.length : 0]
    putBytes(labels, 0, labels.length)
    dns[at++] = 0
    const nameEnd = at
    put16(leg === 0 ? 1 : 28)
    put16(1)
    if (cname) {
      put16(0xc00c)
      put16(5)
      put16(1)
      put32(30)
      put16(edge.length + 2)
      putBytes(edge, 0, edge.length)
      put16(0xc00c)
    }
    const owner = cname ? 0xc000 | (nameEnd + 4 + 12) : 0xc00c
    for (let i = 0; i < addresses; i++) {
      put16(owner)
      put16(leg === 0 ? 1 : 28)
      put16(1)
      put32(30)
      if (leg === 0) {
        put16(4)
        put32(clusterName ? 0x0a601000 + nameLength[slot] : 0x8efa0000 + ((nameBytes[slot * NAME_ROOM + 1] << 8) | i))
      } else {
        put16(16)
        put32(0x24046800)
        put32(0x40030c00)
        put32(0)
        put32(0x71 + i)
      }
    }
    if (authority) {
      // The owner of the SOA is the end of the question's name, or the root.
      if (clusterName) put16(0xc000 | (nameEnd - clusterDomainLength))
      else if (c === 3) put16(0xc000 | (nameEnd - hostDomain.length - 1))
      else dns[at++] = 0
      put16(6)
      put16(1)
      put32(30)
      put16(soaNames.length + 20)
      putBytes(soaNames, 0, soaNames.length)
      put32(1795000000)
      put32(7200)
      put32(1800)
      put32(86400)
      put32(30)
    }
    if (withOpt) {
      dns[at++] = 0
      put16(41)
      put16(1232)
      put32(0)
      put16(0)
    }
  }

  /**
   * One sighting of the message in `dns`.
   * @param {number} time @param {number} ifindex @param {number} kind
   * @param {number} from @param {number} to @param {number} fromPort @param {number} toPort @param {number} ttl @param {number} ipId
   */
  const sight = (time, ifindex, kind, from, to, fromPort, toPort, ttl, ipId) => {
    where.time = time
    where.ifindex = ifindex
    where.kind = kind
    out.udp(where, from, to, fromPort, toPort, ttl, ipId, dns, at)
  }

  /** @param {number} time @param {number} slot @param {number} leg @param {boolean} response */
  const betweenClientAndServer = (time, slot, leg, response) => {
    const client = podAddress[pod[slot]]
    const from = clientPort[slot * 2 + leg]
    const veth = FIRST_VETH + pod[slot]
    const ipId = next()
    const t1 = time + 9 * MICROSECOND
    message(slot, leg, response, false)
    switch (podVia[pod[slot]]) {
      case VIA_COREDNS_POD:
        if (response) sight(time, 0, OUT, COREDNS_HERE, client, 53, from, 64, ipId)
        else sight(time, 0, IN, client, COREDNS_HERE, from, 53, 62, ipId)
        break
      case VIA_NODE_LOCAL:
        if (response) {
          sight(time, BRIDGE, OUT, NODE_LOCAL, client, 53, from, 64, ipId)
          sight(time + 2 * MICROSECOND, veth, OUT, NODE_LOCAL, client, 53, from, 64, ipId)
        } else {
          sight(time, veth, OTHER_HOST, client, NODE_LOCAL, from, 53, 64, ipId)
          sight(time, BRIDGE, IN, client, NODE_LOCAL, from, 53, 64, ipId)
        }
        break
      case VIA_CLUSTER_IP:
        if (response) {
          sight(time, ETH0, IN, COREDNS_ELSEWHERE, client, 53, from, 63, ipId)
          sight(t1, BRIDGE, OUT, CLUSTER_IP, client, 53, from, 62, ipId)
          sight(t1 + 2 * MICROSECOND, veth, OUT, CLUSTER_IP, client, 53, from, 62, ipId)
        } else {
          sight(time, veth, OTHER_HOST, client, CLUSTER_IP, from, 53, 64, ipId)
          sight(time, BRIDGE, IN, client, COREDNS_ELSEWHERE, from, 53, 64, ipId)
          sight(t1, ETH0, OUT, client, COREDNS_ELSEWHERE, from, 53, 63, ipId)
        }
        break
      default:
        if (response) {
          sight(time, COREDNS_VETH, IN, COREDNS_HERE, client, 53, from, 64, ipId)
          sight(time, BRIDGE, IN, COREDNS_HERE, client, 53, from, 64, ipId)
          sight(t1, ETH0, OUT, COREDNS_HERE, client, 53, from, 63, ipId)
        } else {
          sight(time, ETH0, IN, client, COREDNS_HERE, from, 53, 63, ipId)
          sight(t1, BRIDGE, OUT, client, COREDNS_HERE, from, 53, 62, ipId)
          sight(t1 + 2 * MICROSECOND, COREDNS_VETH, OUT, client, COREDNS_HERE, from, 53, 62, ipId)
        }
    }
  }

  // TCP connections from the node-local cache to CoreDNS: one query at a time, last used first, closed after some tens of queries.
  const CONNECTIONS = 512
  const idle = new Int16Array(CONNECTIONS)
  let idleCount = 0
  const unopened = new Int16Array(CONNECTIONS)
  let unopenedCount = CONNECTIONS
  for (let i = 0; i < CONNECTIONS; i++) unopened[i] = CONNECTIONS - 1 - i
  const localPort = new Uint16Array(CONNECTIONS)
  const sent = new Uint32Array(CONNECTIONS)
  const received = new Uint32Array(CONNECTIONS)
  const used = new Uint16Array(CONNECTIONS)

  /**
   * @param {number} time @param {number} c @param {boolean} outgoing @param {number} flags @param {number} length of the message in
   * `dns`; 0 for a bare segment
   */
  const segment = (time, c, outgoing, flags, length) => {
    where.time = time
    where.ifindex = ETH0
    where.kind = outgoing ? OUT : IN
    if (outgoing)
      out.tcp(
        where,
        NODE,
        COREDNS_ELSEWHERE,
        localPort[c],
        53,
        64,
        next(),
        flags,
        sent[c],
        received[c],
        dns,
        length,
        length > 0,
      )
    else
      out.tcp(
        where,
        COREDNS_ELSEWHERE,
        NODE,
        53,
        localPort[c],
        63,
        next(),
        flags,
        received[c],
        sent[c],
        dns,
        length,
        length > 0,
      )
    const advance = (length > 0 ? length + 2 : 0) + (flags & 3 ? 1 : 0)
    if (outgoing) sent[c] += advance
    else received[c] += advance
  }

  /** @param {number} time @param {number} slot @param {number} leg */
  const askOverTcp = (time, slot, leg) => {
    let c = -1
    let start = time
    if (idleCount > 0) c = idle[--idleCount]
    else if (unopenedCount > 0) {
      c = unopened[--unopenedCount]
      localPort[c] = port()
      sent[c] = next()
      received[c] = next()
      used[c] = 0
      segment(time, c, true, TCP_FLAGS.SYN, 0)
      segment(time + 60 * MICROSECOND, c, false, TCP_FLAGS.SYN_ACK, 0)
      segment(time + 70 * MICROSECOND, c, true, TCP_FLAGS.ACK, 0)
      start += 80 * MICROSECOND
    }
    connection[slot * 2 + leg] = c
    if (c < 0) return
    message(slot, leg, false, true)
    segment(start, c, true, TCP_FLAGS.DATA, at)
  }

  /** @param {number} time @param {number} slot @param {number} leg */
  const answerOverTcp = (time, slot, leg) => {
    const c = connection[slot * 2 + leg]
    if (c < 0) return
    message(slot, leg, true, true)
    segment(time, c, false, TCP_FLAGS.DATA, at)
    segment(time + 20 * MICROSECOND, c, true, TCP_FLAGS.ACK, 0)
    if (++used[c] < 40) idle[idleCount++] = c
    else {
      segment(time + 30 * MICROSECOND, c, true, TCP_FLAGS.FIN, 0)
      segment(time + 60 * MICROSECOND, c, false, TCP_FLAGS.FIN, 0)
      segment(time + 70 * MICROSECOND, c, true, TCP_FLAGS.ACK, 0)
      unopened[unopenedCount++] = c
    }
  }

  /** @param {number} time @param {number} slot @param {number} leg @param {boolean} response */
  const betweenForwarderAndUpstream = (time, slot, leg, response) => {
    const via = podVia[pod[slot]]
    if (via === VIA_NODE_LOCAL && inCluster(slot)) {
      if (response) answerOverTcp(time, slot, leg)
      else askOverTcp(time, slot, leg)
      return
    }
    const row = slot * 2 + leg
    const ipId = next()
    message(slot, leg, response, true)
    if (via === VIA_COREDNS_POD) {
      if (response) sight(time, 0, IN, UPSTREAM, COREDNS_HERE, 53, forwardPort[row], 62, ipId)
      else sight(time, 0, OUT, COREDNS_HERE, UPSTREAM, forwardPort[row], 53, 64, ipId)
    } else if (via === VIA_NODE_LOCAL) {
      if (response) sight(time, ETH0, IN, UPSTREAM, NODE, 53, forwardPort[row], 63, ipId)
      else sight(time, ETH0, OUT, NODE, UPSTREAM, forwardPort[row], 53, 64, ipId)
    } else if (response) {
      sight(time, ETH0, IN, UPSTREAM, NODE, 53, forwardSeen[row], 64, ipId)
      sight(time + 9 * MICROSECOND, BRIDGE, OUT, UPSTREAM, COREDNS_HERE, 53, forwardPort[row], 63, ipId)
      sight(time + 11 * MICROSECOND, COREDNS_VETH, OUT, UPSTREAM, COREDNS_HERE, 53, forwardPort[row], 63, ipId)
    } else {
      sight(time, COREDNS_VETH, IN, COREDNS_HERE, UPSTREAM, forwardPort[row], 53, 64, ipId)
      sight(time, BRIDGE, IN, COREDNS_HERE, UPSTREAM, forwardPort[row], 53, 64, ipId)
      sight(time + 9 * MICROSECOND, ETH0, OUT, NODE, UPSTREAM, forwardSeen[row], 53, 63, ipId)
    }
  }

  // A forwarder's sockets to its upstream: one question at a time on each, last used first, another one where none is idle.
  const idlePorts = /** @type {number[][]} */ ([[], [], [], []])
  const portsOpened = [0, 0, 0, 0]
  /** @param {number} via */
  const takePort = via => idlePorts[via].pop() ?? 33000 + (portsOpened[via]++ % 8192)

  /** Wait of one leg from its query on; also plans the forwarder's own query. */
  const planAnswer = (/** @type {number} */ time, /** @type {number} */ slot, /** @type {number} */ leg) => {
    const row = slot * 2 + leg
    const via = podVia[pod[slot]]
    const external = !inCluster(slot)
    // CoreDNS answers cluster names itself, from its own watch; a node-local cache has to ask.
    const forwards = (external || via === VIA_NODE_LOCAL) && chance(external ? 0.3 : 0.45)
    fromCache[row] = forwards ? 0 : 1
    if (!forwards) return draw(clusterWaits, next)
    const far = external ? draw(upstreamWaits, next) : draw(clusterWaits, next)
    if (via !== VIA_CLUSTER_IP) {
      forwardId[row] = id()
      queue.push(time + 120 * MICROSECOND, slot * 16 + FORWARD + leg)
      queue.push(time + 200 * MICROSECOND + far, slot * 16 + FORWARDED + leg)
    }
    return far + 330 * MICROSECOND
  }

  /** Sends both legs of the slot's candidate and plans all that comes of it. */
  const startCandidate = (/** @type {number} */ time, /** @type {number} */ slot) => {
    const resolver = podResolver[pod[slot]]
    const a = slot * 2
    const b = a + 1
    dnsId[a] = id()
    dnsId[b] = resolver === MUSL ? dnsId[a] + 100 + (next() % 1400) : id()
    if (resolver !== C_ARES || candidate[slot] === 0) clientPort[a] = clientPort[b] = port()
    if (resolver === GO) clientPort[b] = port()

    const event = slot * 16
    const aaaaFirst = resolver === GO && chance(0.7)
    const gap = (20 + (next() & 63)) * MICROSECOND
    const startA = aaaaFirst ? time + gap : time
    const startB = aaaaFirst ? time : time + gap
    queue.push(startA, event + QUERY)
    queue.push(startB, event + QUERY + 1)
    answered[slot] = 1
    let end = time
    if (chance(UNANSWERED)) {
      answered[slot] = 0
      const again = resolver === MUSL ? 2.5 : resolver === C_ARES ? 2 : 5
      queue.push(time + again * SECOND, event + RETRY)
      queue.push(time + again * SECOND + gap, event + RETRY + 1)
      end = time + 2 * again * SECOND
    } else {
      const endA = startA + planAnswer(startA, slot, 0)
      const endB = startB + planAnswer(startB, slot, 1)
      end = Math.max(endA, endB)
      if (chance(LOST)) {
        // One response is lost. glibc asks both again, one after the other; the others only what is missing.
        const leg = next() & 1
        const again = time + (resolver === MUSL ? 2.5 : resolver === C_ARES ? 2 : 5) * SECOND
        queue.push(leg === 0 ? endB : endA, event + RESPONSE + 1 - leg)
        const first = resolver === GLIBC ? 0 : leg
        queue.push(again, event + RETRY + first)
        end = again + draw(clusterWaits, next)
        queue.push(end, event + RESPONSE + first)
        if (resolver === GLIBC) {
          queue.push(end + gap, event + RETRY + 1)
          end += gap + draw(clusterWaits, next)
          queue.push(end, event + RESPONSE + 1)
        }
      } else {
        queue.push(endA, event + RESPONSE)
        queue.push(endB, event + RESPONSE + 1)
      }
    }
    queue.push(end + gap + 50 * MICROSECOND, event + NEXT)
  }

  /** By slot: what its application knows. */
  const asked = /** @type {Asked[]} */ ([])
  const beginTruth = (/** @type {number} */ time, /** @type {number} */ slot) => {
    if (options.truth === undefined) return
    const labels = []
    for (let i = slot * NAME_ROOM, end = i + nameLength[slot]; i < end; i += nameBytes[i] + 1)
      labels.push(String.fromCharCode(...nameBytes.subarray(i + 1, i + 1 + nameBytes[i])))
    const address = podAddress[pod[slot]]
    asked[slot] = {
      client: [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.'),
      resolver: RESOLVERS[podResolver[pod[slot]]],
      name: labels.join('.'),
      start: time,
      end: null,
      outcome: null,
      forwarded: [],
    }
    options.truth.push(asked[slot])
  }
  const endTruth = (/** @type {number} */ time, /** @type {number} */ slot) => {
    if (options.truth === undefined) return
    asked[slot].end = time
    asked[slot].outcome = !answered[slot] ? 'unanswered' : candidate[slot] === decide[slot] ? 'answered' : 'nxdomain'
  }

  const startLookup = (/** @type {number} */ time) => {
    if (freeCount === 0) return
    const slot = free[--freeCount]
    pod[slot] = draw(podPopularity, next)
    candidate[slot] = 0
    const start = slot * NAME_ROOM
    if (chance(0.03)) {
      const unique = wire(`x${next().toString(16)}.objects.example.net`)
      nameBytes.set(unique, start)
      nameLength[slot] = unique.length
      decide[slot] = 4
      traits[slot] = 0
    } else {
      const name = names[draw(popularity, next)]
      nameBytes.set(name.labels, start)
      nameLength[slot] = name.labels.length
      decide[slot] = name.decide
      traits[slot] = name.traits
    }
    beginTruth(time, slot)
    startCandidate(time, slot)
  }

  const nextCandidate = (/** @type {number} */ time, /** @type {number} */ slot) => {
    const resolver = podResolver[pod[slot]]
    let following = candidate[slot] + 1
    if (answered[slot]) {
      if (candidate[slot] === decide[slot]) following = CANDIDATES
    } else if (resolver === GLIBC && following < CANDIDATES) following = CANDIDATES - 1
    else if (resolver !== GO) following = CANDIDATES
    if (following >= CANDIDATES) {
      endTruth(time, slot)
      free[freeCount++] = slot
      return
    }
    candidate[slot] = following
    startCandidate(time, slot)
  }

  /** A retry has a new id and port in Go, a new port in c-ares. */
  const retry = (/** @type {number} */ time, /** @type {number} */ slot, /** @type {number} */ leg) => {
    const resolver = podResolver[pod[slot]]
    if (resolver === GO) dnsId[slot * 2 + leg] = id()
    if (resolver === GO || resolver === C_ARES) clientPort[slot * 2 + leg] = port()
    betweenClientAndServer(time, slot, leg, false)
  }

  // Traffic that is not DNS: mostly TCP to port 443, acknowledgements and data, some UDP.
  const noise = new Uint8Array(1460)
  for (let i = 0; i < noise.length; i++) noise[i] = next()
  const unrelated = (/** @type {number} */ time) => {
    const p = next() % options.pods
    const here = podAddress[p]
    const there = ip(198, 51, 100, 1 + (next() % 200))
    const r = next() & 127
    const length = r < 70 ? 0 : r < 110 ? 80 + (next() & 255) : 1448
    const inward = (r & 1) === 1
    const from = inward ? there : here
    const to = inward ? here : there
    const client = 32768 + (p & 1023)
    const ipId = next()
    where.time = time
    const places = any ? 3 : 1
    for (let i = 0; i < places; i++) {
      const place = inward ? places - 1 - i : i
      where.ifindex = place === 0 ? FIRST_VETH + p : place === 1 ? BRIDGE : ETH0
      where.kind = place === 0 ? (inward ? OUT : OTHER_HOST) : place === 1 ? (inward ? OUT : IN) : inward ? IN : OUT
      const fromPort = inward ? 443 : client
      const toPort = inward ? client : 443
      if (r % 10 === 9) out.udp(where, from, to, fromPort, toPort, 64, ipId, noise, length)
      else
        out.tcp(
          where,
          from,
          to,
          fromPort,
          toPort,
          64,
          ipId,
          length ? TCP_FLAGS.DATA : TCP_FLAGS.ACK,
          ipId,
          r,
          noise,
          length,
          false,
        )
    }
  }

  let unrelatedFrames = 0
  queue.push(draw(arrivals, next), NEW_LOOKUP)
  while (out.frames() < options.frames) {
    const event = queue.pop()
    const time = queue.time
    if (event === NEW_LOOKUP) {
      startLookup(time)
      queue.push(time + draw(arrivals, next), NEW_LOOKUP)
      continue
    }
    const slot = event >> 4
    const leg = event & 1
    switch (event & 14) {
      case QUERY:
        betweenClientAndServer(time, slot, leg, false)
        break
      case RESPONSE:
        betweenClientAndServer(time, slot, leg, true)
        break
      case RETRY:
        retry(time, slot, leg)
        break
      case FORWARD:
        forwardPort[slot * 2 + leg] = takePort(podVia[pod[slot]])
        forwardSeen[slot * 2 + leg] = forwardPort[slot * 2 + leg] - 13000
        if (options.truth !== undefined) {
          const row = slot * 2 + leg
          asked[slot].forwarded.push({ time, clientPort: clientPort[row], dnsId: dnsId[row] })
        }
        betweenForwarderAndUpstream(time, slot, leg, false)
        break
      case FORWARDED:
        idlePorts[podVia[pod[slot]]].push(forwardPort[slot * 2 + leg])
        betweenForwarderAndUpstream(time, slot, leg, true)
        break
      default:
        nextCandidate(time, slot)
    }
    while (unrelatedFrames < (out.frames() - unrelatedFrames) * unrelatedPerFrame && out.frames() < options.frames) {
      const before = out.frames()
      unrelated(time)
      unrelatedFrames += out.frames() - before
    }
  }
  out.close()
  return { frames: out.frames(), bytes: out.bytes(), seconds: queue.time / SECOND }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: {
      shape: { type: 'string', default: DEFAULTS.shape },
      frames: { type: 'string', default: String(DEFAULTS.frames) },
      seed: { type: 'string', default: String(DEFAULTS.seed) },
      pods: { type: 'string', default: String(DEFAULTS.pods) },
      names: { type: 'string', default: String(DEFAULTS.names) },
      rate: { type: 'string', default: String(DEFAULTS.rate) },
      out: { type: 'string' },
      truth: { type: 'string' },
    },
  })
  if (!values.out || !SHAPES.includes(values.shape)) {
    process.stderr.write(
      `Usage: node bench/generate.js --out FILE [--shape ${SHAPES.join('|')}] [--frames N] [--seed N] [--pods N] [--names N] [--rate N] [--truth FILE]\n`,
    )
    process.exit(2)
  }
  /** @type {Asked[]} */
  const truth = []
  const result = generate(values.out, {
    ...(values.truth ? { truth } : {}),
    shape: values.shape,
    frames: Number(values.frames),
    seed: Number(values.seed),
    pods: Number(values.pods),
    names: Number(values.names),
    rate: Number(values.rate),
  })
  if (values.truth) writeFileSync(values.truth, truth.map(lookup => `${JSON.stringify(lookup)}\n`).join(''))
  process.stdout.write(
    `${values.out}: ${result.frames} frames, ${(result.bytes / 1e6).toFixed(0)} MB, ${result.seconds.toFixed(1)} s of traffic\n`,
  )
}
