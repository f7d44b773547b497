/** denial-cache-pressure: more different names are denied than the denial cache holds. */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { count, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { isClusterDns, type World, who } from './world.ts'

/** Entries of the denial cache of CoreDNS where the Corefile says nothing. */
const DENIAL_CACHE = 9984
/** It is made of 256 parts that fill unevenly: the first entries are pushed out before all of it is full. */
const MIN_SHARE = 0.8
/** Denials are kept for up to half a minute by most Corefiles, and nothing leaves the cache before it is pushed out. */
const WINDOW: Time = 60e9
/** Bits by which questions are counted: with this many the estimate is within 1 % at the size of the cache. */
const BITS = 1 << 17
/** Servers, 16 KiB each. */
const MOST_SERVERS = 64

export const denialCachePressure: Rule = {
  code: 'denial-cache-pressure',
  severity: 'warning',
  title: 'More names are denied than the denial cache holds',
  means:
    'Within a minute a server denied so many different names that its cache for negative answers cannot hold them. They push each other out, so that the misses of everybody, also those of search domains that are asked for all the time, go on to the next server again.',
  why: 'CoreDNS keeps 9,984 negative answers unless the Corefile says otherwise. Search domains multiply names that never repeat: one client that looks up random or numbered names (a log shipper with reverse lookups, a scanner, hosts of a customer each) with four search domains fills it with a thousand names.',
  todo: 'Find the client (hot-client names it where it is one) and spare it the search: a smaller ndots or a dot at the end of its names. A larger cache only helps if the names repeat: "denial 65536 30" in the cache block costs about as many kilobytes as entries.',
  evidence: `Different questions that a server of the cluster denied (NXDOMAIN, or NOERROR without records) within a minute of the capture: at least ${MIN_SHARE * 100} % of ${count(DENIAL_CACHE)}, estimated with a bitmap to 1 %.`,
  links: ['https://coredns.io/plugins/cache/', 'https://github.com/deckhouse/deckhouse/issues/16879'],
  shownBy: ['test/findings/denial-cache-pressure.txt'],
  begin: world => new DenialCachePressure(world),
}

interface Server {
  bits: Uint32Array
  /** Bits that are set. */
  set: number
  minute: number
  denials: number
  most: number
  /** Of the minute with the most. */
  mostDenials: number
  answers: number
  denied: number
  /** Different names within a minute, of all minutes; by client the most frequent. */
  names: number
  byClient: Tally<AddressId, { names: number }>
  frames: FrameSample
}

/** Clients of a server that are told apart. */
const MOST_CLIENTS = 1000

class DenialCachePressure implements Observer {
  private readonly world: World
  /** Of servers that were forgotten; a server's first minute begins with all of them cleared. */
  private readonly spareBits: Uint32Array[] = []
  private readonly servers = new Tally<AddressId, Server>(
    () => ({
      bits: this.spareBits.pop() ?? new Uint32Array(BITS / 32),
      set: 0,
      minute: NONE,
      denials: 0,
      most: 0,
      mostDenials: 0,
      answers: 0,
      denied: 0,
      names: 0,
      byClient: new Tally(() => ({ names: 0 }), MOST_CLIENTS),
      frames: new FrameSample(),
    }),
    MOST_SERVERS,
    ({ bits }) => this.spareBits.push(bits),
  )

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, forwarder }: Hop): void {
    if (forwarder || t.state !== ANSWERED || t.qname === NONE) return
    const server = this.servers.of(t.server)
    server.answers++
    if (t.rcode !== NXDOMAIN && (t.rcode !== NOERROR || hasAnswer(t))) return
    server.denied++
    const minute = Math.floor(t.start / WINDOW)
    if (minute > server.minute) {
      this.close(server)
      server.minute = minute
    }
    server.denials++
    const bit = bitOf(t)
    const mask = 1 << (bit & 31)
    if ((server.bits[bit >>> 5] & mask) === 0) {
      server.bits[bit >>> 5] |= mask
      server.set++
      server.names++
      server.byClient.of(t.client).names++
      server.frames.add(t)
    }
  }

  /** Ends a minute. */
  private close(server: Server): void {
    const distinct = server.set === BITS ? BITS : Math.round(-BITS * Math.log(1 - server.set / BITS))
    if (distinct > server.most) {
      server.most = distinct
      server.mostDenials = server.denials
    }
    server.bits.fill(0)
    server.set = 0
    server.denials = 0
  }

  conclude(): Draft[] {
    for (const server of this.servers.values()) this.close(server)
    return [...this.servers]
      .filter(([address, s]) => s.most >= MIN_SHARE * DENIAL_CACHE && isClusterDns(this.world, address))
      .map(([address, s]) => {
        const clients = [...s.byClient].sort((a, b) => b[1].names - a[1].names)
        const [hottest, { names: most }] = clients[0]
        const blame =
          most * 2 >= s.names ? ` ${who(this.world, hottest)} asked for ${share(most, s.names)} of these names.` : ''
        return {
          what: `${who(this.world, address)} denied about ${count(roughly(s.most))} different questions within a minute (${count(s.mostDenials)} denials); its denial cache holds ${count(DENIAL_CACHE)} unless the Corefile says otherwise.${blame}`,
          why: 'Negative answers push each other out of the cache, and repeated misses go on to the next server.',
          advice:
            'Spare the clients the search (a smaller ndots, a dot at the end of names); a larger denial cache helps where the names repeat.',
          snippet: `# Corefile
cache {
    denial 65536 30
}`,
          count: roughly(s.most),
          share: Math.min(1, s.denied / s.answers),
          clients: clients.map(([client]) => client),
          servers: [address],
          frames: s.frames,
          confidence: s.most >= DENIAL_CACHE ? ('high' as const) : ('medium' as const),
        }
      })
  }
}

/** What is estimated to 1 % is told with two digits and a half. */
const roughly = (n: number): number => Math.round(n / 50) * 50

/** Where a question stands among the bits. */
function bitOf(t: Transaction): number {
  let h = Math.imul(t.qname, 0x9e37_79b1) ^ Math.imul(t.qtype, 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b_3c6d)
  h ^= h >>> 12
  return (h >>> 0) & (BITS - 1)
}
