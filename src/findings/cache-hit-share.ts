/** cache-hit-share: a cache that hardly ever answers from its memory. */
import { type AddressId, NONE } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { isClusterDns, type World, who } from './world.ts'

/** A cache has to warm up: fewer answers than this tell of the beginning only. */
const MIN_ANSWERS = 200
/** Below this share of hits it is of little use. */
const MAX_SHARE = 0.2
/** Answers with a TTL of so few seconds are gone before they are asked for again. */
const SHORT_TTL = 5

export const cacheHitShare: Rule = {
  code: 'cache-hit-share',
  severity: 'info',
  title: 'A cache seldom answers from its memory',
  means:
    'CoreDNS or NodeLocal DNSCache asked its next server for nearly every query, also for names that were asked for before. Clients wait for the upstream each time, and the upstream carries the whole load.',
  why: 'The cache plugin is missing in that server block, the answers live for a few seconds only (TTL 0 or 5), every query is for another name (search candidates, random names), or the queries are spread over many replicas.',
  todo: 'Check that every server block of the Corefile has "cache". Raise the minimum with "success CAPACITY TTL MINTTL" and "denial CAPACITY TTL MINTTL" where short TTLs are the cause, and "prefetch" for names in constant use.',
  evidence: `Answers to stub resolvers of which it was seen whether the server asked on: at least ${MIN_ANSWERS}, less than ${MAX_SHARE * 100} % from the cache, while names repeat. What CoreDNS knows itself (names of the cluster) is not counted.`,
  links: ['https://coredns.io/plugins/cache/', 'https://github.com/coredns/coredns/issues/6332'],
  shownBy: ['test/findings/cache-hit-share.txt'],
  begin: world => new CacheHitShare(world),
}

interface Cache {
  hits: number
  misses: number
  repeated: number
  shortLived: number
  /** Questions that it passed on: by name and type. */
  questions: Rows
  clients: Set<AddressId>
  frames: FrameSample
}

class CacheHitShare implements Observer {
  private readonly world: World
  private readonly caches = new Tally<AddressId, Cache>(() => ({
    hits: 0,
    misses: 0,
    repeated: 0,
    shortLived: 0,
    questions: new Rows(0),
    clients: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, forwarder, servedFrom }: Hop): void {
    if (forwarder || servedFrom === null || servedFrom === 'authoritative') return
    const cache = this.caches.of(t.server)
    if (servedFrom === 'cache' || servedFrom === 'stale') cache.hits++
    else {
      cache.misses++
      const question = t.qname * 0x1_0000 + t.qtype
      if (cache.questions.find(question) !== NONE) {
        cache.repeated++
        cache.frames.add(t)
        cache.clients.add(t.client)
      }
      cache.questions.of(question)
      if (t.recordTtl >= 0 && t.recordTtl <= SHORT_TTL) cache.shortLived++
    }
  }

  conclude(): Draft[] {
    return [...this.caches]
      .filter(([address, c]) => {
        const all = c.hits + c.misses
        // Names that are asked for once each cannot be cached: that is the clients' doing, not the cache's.
        return (
          isClusterDns(this.world, address) && all >= MIN_ANSWERS && c.hits < MAX_SHARE * all && c.repeated >= all / 2
        )
      })
      .map(([address, c]) => {
        const all = c.hits + c.misses
        const short = c.shortLived > c.misses / 2 ? ` Most answers live ${SHORT_TTL} s or less.` : ''
        return {
          what: `${who(this.world, address)} answered ${count(c.hits)} of ${plural(all, 'query', 'queries')} (${share(c.hits, all)}) from its cache, though ${count(c.repeated)} of the others had been asked before.${short}`,
          why:
            c.shortLived > c.misses / 2
              ? 'The TTL of the answers is too short to be of use.'
              : 'Its server block may have no cache, or the queries are spread over many replicas.',
          advice:
            'Check that every server block of its Corefile has the cache plugin, with a minimum TTL where answers are short-lived.',
          snippet: `# Corefile
cache {
    success 9984 30 5
    denial 9984 30 5
}`,
          count: c.misses,
          share: c.misses / all,
          clients: c.clients,
          servers: [address],
          frames: c.frames,
          confidence: 'medium' as const,
        }
      })
  }
}
