/** answer-too-late: answers that came when the client had given up. */
import type { AddressId, Time } from '../model.ts'
import { count, listed, plural, roughDuration, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { isFinal } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, whoAll } from './world.ts'

/** A program that is stopped leaves one behind. */
const MIN_LOOKUPS = 3
const MOST_NAMES = 100
/** Who gives up sooner had what it wanted from another server. */
const SLOW: Time = 0.1e9

const SNIPPET = `spec:
  template:
    spec:
      dnsConfig:
        options:
          - name: timeout
            value: "7"   # seconds, more than CoreDNS needs to give up`

export const answerTooLate: Rule = {
  code: 'answer-too-late',
  severity: 'warning',
  title: 'Answers come when the client has given up',
  means:
    "The server did answer, but the client had closed its port by then, and its kernel said so (ICMP port unreachable). For the application the lookup failed; in the server's log and metrics it was answered.",
  why: 'CoreDNS asks on for up to 6 s, and NodeLocal DNSCache in front of it as long again. A resolver with a shorter timeout (options timeout and attempts), or a program with a deadline of its own, is gone before that.',
  todo: 'Find out why the answers take so long: an upstream that is slow or silent, which the report shows per hop. Where it cannot be made faster, a longer timeout in the dnsConfig of these pods, or a longer deadline in the program, gets the answer.',
  evidence: `Lookups without an answer for which a response arrived later, and the client's ICMP error quotes that response. Silent below ${MIN_LOOKUPS} of them. The capture must have let ICMP through.`,
  links: [
    'https://datatracker.ietf.org/doc/html/rfc1122#page-40',
    'https://coredns.io/plugins/forward/',
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
  ],
  shownBy: ['samples/06-upstream-timeout.pcap', 'test/findings/answer-too-late.txt', 'recording 06-loss-slow-timeout'],
  begin: world => new AnswerTooLate(world),
}

class AnswerTooLate implements Observer {
  private readonly world: World
  private readonly clients = new Tally<AddressId, FrameSample>(() => new FrameSample())
  private readonly names = new Set<string>()
  private readonly servers = new Set<AddressId>()
  private all = 0
  private lookups = 0
  /** Of these, those for which nothing came but an error. */
  private errors = 0
  /** How long the quickest and the slowest of these answers took. */
  private quickest: Time = Number.POSITIVE_INFINITY
  private slowest: Time = 0

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    this.all++
    if (lookup.outcome !== 'unanswered') return
    const late = lookup.candidates[lookup.deciding].transactions.filter(t => t.cameTooLate && t.end - t.start >= SLOW)
    if (late.length === 0) return
    this.lookups++
    this.clients.of(lookup.client).add(late[0])
    if (this.names.size < MOST_NAMES) this.names.add(lookup.base)
    if (!late.some(isFinal)) this.errors++
    for (const t of late) {
      this.servers.add(t.server)
      this.quickest = Math.min(this.quickest, t.end - t.start)
      this.slowest = Math.max(this.slowest, t.end - t.start)
    }
  }

  conclude(): Draft[] {
    const { lookups, all, world, servers, errors } = this
    if (lookups < MIN_LOOKUPS) return []
    const frames = new FrameSample()
    for (const sample of this.clients.values()) frames.addAll(sample)
    const isInVain = errors * 2 > lookups
    const took = [this.quickest, this.slowest].map(time => roughDuration(time / 1e6))
    return [
      {
        what: `${plural(lookups, 'lookup')} (${share(lookups, all)}) of ${listed([...this.names], 2)} failed although ${whoAll(world, servers)} answered${errors > 0 ? `, ${errors === lookups ? 'with an error' : `${count(errors)} with an error`}` : ''}: after ${took[0] === took[1] ? took[0] : `${took[0]} to ${took[1]}`}, when the client had closed its port.`,
        why: "The client's timeout, or its program's deadline, is shorter than the server takes.",
        advice: isInVain
          ? 'Look at what the server waits for (latency per hop, upstreams): a longer timeout would bring these pods the error alone.'
          : 'Look at what makes these answers slow (latency per hop, upstreams); where that cannot be mended, give these pods a longer timeout.',
        ...(isInVain ? {} : { snippet: SNIPPET }),
        count: lookups,
        share: lookups / all,
        clients: this.clients.keys(),
        servers,
        frames,
        confidence: 'high',
        names: this.names,
      },
    ]
  }
}
