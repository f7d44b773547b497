/** five-second-wait: a query or its answer is lost, and the application waits for the resolver's timer although the server was quick. */
import { A, AAAA } from '../codes.ts'
import type { AddressId, Time } from '../model.ts'
import { count, listed, plural, roughDuration, share } from '../quantities.ts'
import { isTorn } from '../trace/candidate.ts'
import type { Candidate, Lookup } from '../trace/lookup.ts'
import { Tally } from '../trace/tally.ts'
import { SHORTEST_TIMEOUT } from '../trace/timers.ts'
import { ANSWERED, isBusy, isFinal, type Transaction, UNREACHED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, sureFrom, tellsOf } from './rule.ts'
import { isDuring } from './server-outage.ts'
import { type World, whoAll } from './world.ts'

/** What is answered within this after the query that got through was not held up by the server. */
const QUICK: Time = 0.5e9
/** Packets are lost now and then everywhere; this many waits are worth a look, ... */
const MIN_LOOKUPS = 3
/** ... and above this share of all lookups people notice. */
const BAD_SHARE = 0.001
/** A and AAAA that leave one port within this race for one connection tracking entry. */
const RACE: Time = 1e6

/** Lookups of which it is remembered when they asked. */
const MOST_SENT = 5000

export const fiveSecondWait: Rule = {
  code: 'five-second-wait',
  severity: 'problem',
  title: 'Lookups wait for the resolver to ask again after a lost packet',
  means:
    'A query or its answer got lost. The resolver notices nothing until its timer ends (glibc 5 s, musl 2.5 s, Go 5 s) and asks again; the second try is answered at once. The application waited for seconds, while the server, and every tool that measures it, speaks of milliseconds.',
  why: 'The classic cause is a race in the connection tracking of Linux: glibc and musl send A and AAAA from one port at the same moment, both packets create an entry for the same translated connection, and one of them is dropped (conntrack insert_failed). Linux 5 resolves most of these clashes, older kernels do not. Other causes are plain packet loss between nodes, a full conntrack table, and UDP limits of a cloud.',
  todo: 'If the losses come in pairs of A and AAAA from one port before the translation, use NodeLocal DNSCache, whose traffic is not tracked, or "options single-request-reopen" for glibc. If queries are seen leaving the node and not arriving, or answers leaving the server and not arriving, look at the network in between.',
  evidence: `In a lookup the same question goes out again after at least ${SHORTEST_TIMEOUT / 1e9} s and the new try is answered within ${QUICK / 1e9} s, with NOERROR or NXDOMAIN; a first try that a server was still working on (its own query upstream was open, or both tries were answered) does not count, nor one that an ICMP error met. Where several places were captured, or both sides of the address translation, they tell where the packet was last seen. Silent below ${MIN_LOOKUPS} lookups beside those for which server-outage is to blame; a problem from ${BAD_SHARE * 100} % of all lookups.`,
  links: [
    'https://github.com/kubernetes/kubernetes/issues/56903',
    'https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/',
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
    'https://tech.quentin-machu.fr/post/kubernetes-dns-5-seconds-delay/',
  ],
  shownBy: ['samples/06-lost-legs', 'test/findings/five-second-wait.txt', 'recording 06-loss-slow-timeout'],
  begin: world => new FiveSecondWait(world),
}

/** Where the lost packet was seen last. */
type Place = 'answer' | 'query' | 'unknown'
type Side = 'before' | 'behind'

/** A try that came to nothing although the next one did not. */
interface Lost {
  place: Place
  try: Transaction
  qtype: number
  /** File in which the try that got through was seen and this one was not; null where there is none. */
  notIn: number | null
  /** On which side of the address translation (DNAT) it was lost; null where only one side is seen. */
  side: Side | null
}

class FiveSecondWait implements Observer {
  private readonly world: World
  private all = 0
  private lookups = 0
  private wait: Time = 0
  private longest: Time = 0
  /** The server's own time for the tries that got through: the longest. */
  private server: Time = 0
  private oneOfTwo = 0
  private isGlibc = false
  private readonly places: Record<Place, number> = { answer: 0, query: 0, unknown: 0 }
  private readonly sides: Record<Side, number> = { before: 0, behind: 0 }
  /** Of those lost behind it: the capture that they never reached is known. */
  private located = 0
  private readonly notIn = new Map<number, number>()
  private readonly clients = new Tally<AddressId, { lookups: number }>(() => ({ lookups: 0 }))
  private readonly servers = new Set<AddressId>()
  private readonly frames = new FrameSample()
  /** Of each lookup, where and when its first lost try was sent. */
  private readonly sent: { server: AddressId; time: Time }[] = []

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    this.all++
    if (!(lookup.wait >= SHORTEST_TIMEOUT)) return
    const lost = lookup.candidates.flatMap(candidate => lostTries(candidate).map(loss => ({ ...loss, candidate })))
    if (lost.length === 0) return
    this.lookups++
    if (lookup.resolver === 'glibc') this.isGlibc = true
    this.wait += lookup.wait
    this.longest = Math.max(this.longest, lookup.wait)
    this.clients.of(lookup.client).lookups++
    const [{ try: first }] = lost
    if (this.sent.length < MOST_SENT) this.sent.push({ server: first.server, time: first.start })
    for (const { place, try: t, qtype, notIn, side, candidate, served } of lost) {
      this.places[place]++
      if (side) this.sides[side]++
      if (side === 'behind' && notIn !== null) this.located++
      this.servers.add(t.server)
      this.server = Math.max(this.server, served)
      this.frames.add(t)
      if (notIn !== null) this.notIn.set(notIn, (this.notIn.get(notIn) ?? 0) + 1)
      const twin = candidate.transactions.find(
        x =>
          x.qtype === (qtype === A ? AAAA : A) && x.clientPort === t.clientPort && Math.abs(x.start - t.start) < RACE,
      )
      if (twin && !lost.some(other => other.try === twin)) this.oneOfTwo++
    }
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const outages = this.world.trace.outages.conclude()
    const during = this.sent.filter(({ server, time }) => isDuring(outages, server, time)).length
    // Where a server answered nobody, no packet was lost, and that finding tells of it.
    if (this.lookups - during < MIN_LOOKUPS) return []
    const losses = this.places.answer + this.places.query + this.places.unknown
    const clients = [...this.clients].sort((a, b) => b[1].lookups - a[1].lookups).map(([client]) => client)
    return [
      {
        severity: this.lookups >= BAD_SHARE * this.all ? 'problem' : 'warning',
        what: `${plural(this.lookups, 'lookup')} of ${count(this.all)} (${share(this.lookups, this.all)}) waited up to ${roughDuration(this.longest / 1e6)} because a packet was lost and asked for again; the server itself needed at most ${roughDuration(this.server / 1e6)}.${during > 0 ? ` Of these, ${count(during)} asked a server that answered nobody at that time (server-outage).` : ''}${this.where(losses)}${this.side()}${this.byNode()}`,
        why:
          this.oneOfTwo * 2 > losses &&
          this.places.query + this.places.unknown > this.places.answer &&
          this.sides.before >= this.sides.behind
            ? 'Of A and AAAA from one port just one was lost: the mark of the race in connection tracking (conntrack insert_failed).'
            : 'The resolver asks again only when its timer ends: 5 s in glibc and Go, 2.5 s in musl.',
        advice: tellsOf(earlier, 'blocked-ports', clients)
          ? 'First mend what blocked-ports tells of: the packets of some source ports are lost, and no others.'
          : this.advice(),
        snippet: this.snippet(),
        count: this.lookups,
        share: this.lookups / this.all,
        clients,
        servers: this.servers,
        frames: this.frames,
        confidence: sureFrom(this.lookups, MIN_LOOKUPS),
      },
    ]
  }

  private where(losses: number): string {
    const missing = [...this.notIn].sort((a, b) => b[1] - a[1]).map(([file]) => this.world.files[file])
    const parts = [
      this.places.answer > 0
        ? `${count(this.places.answer)} of ${plural(losses, 'loss', 'losses')} that they waited for hit the answer on its way back`
        : '',
      this.places.query > 0
        ? `${this.places.answer > 0 ? count(this.places.query) : `${count(this.places.query)} of ${plural(losses, 'loss', 'losses')} that they waited for`} hit the query${missing.length > 0 ? `, which never reached ${listed(missing, 2)}` : ''}`
        : '',
    ].filter(Boolean)
    // Known of a few only, it would speak for all.
    const isAtServer = this.world.files.length === 1 && this.places.query === 0
    const unseen = isAtServer ? '; queries that were lost on their way to this capture it cannot show' : ''
    if (this.places.answer + this.places.query >= losses / 2) return ` ${parts.join(', ')}${unseen}.`
    const { before, behind } = this.sides
    return this.world.files.length === 1 && before + behind < losses / 2
      ? ' Capture at the server too: then the side that lost it can be told.'
      : ''
  }

  /** A sentence where both sides of the address translation are in the capture. */
  private side(): string {
    const { before } = this.sides
    const behind = this.sides.behind - this.located
    return [
      before > 0 ? ` ${plural(before, 'query', 'queries')} never got past the address translation (DNAT).` : '',
      behind > 0
        ? ` ${plural(behind, 'query', 'queries')} got past the address translation (DNAT): lost behind it, or their answers were.`
        : '',
    ].join('')
  }

  /** A sentence where the user's files tell the nodes. */
  private byNode(): string {
    const nodes = new Map<string, number>()
    for (const [client, { lookups }] of this.clients) {
      const node = this.world.identities.get(this.world.tables.addresses.text(client))?.node
      if (node) nodes.set(node, (nodes.get(node) ?? 0) + lookups)
    }
    if (nodes.size === 0) return ''
    const told = [...nodes].sort((a, b) => b[1] - a[1]).map(([node, lookups]) => `${node} ${count(lookups)}`)
    return ` Lookups by node: ${listed(told, 3)}.`
  }

  private advice(): string {
    const { places, sides } = this
    const queries = places.query + places.unknown
    if (this.isBehind && places.answer <= queries)
      return "The queries leave the clients' node, so its connection tracking is not to blame: look at the network between the nodes, at drops of the interfaces (ip -s link) and at the node of the server."
    if (places.answer > queries) {
      const clients = whoAll(this.world, this.clients.keys())
      const lost =
        sides.behind > 0
          ? `Answers and queries are lost between the servers and ${clients}`
          : `The servers' answers are lost on the way to ${clients}`
      return `${lost}: look at the network between the nodes${this.isBehind ? '' : ', at conntrack -S'} and at drops of the interfaces (ip -s link).`
    }
    return 'Look at conntrack -S on the clients\' nodes (insert_failed, drop). NodeLocal DNSCache avoids connection tracking for DNS; "single-request-reopen" avoids the race for glibc.'
  }

  /** What is lost got past the address translation first. */
  private get isBehind(): boolean {
    return this.sides.behind > this.sides.before
  }

  private snippet(): string {
    if (this.isBehind)
      return `# on the nodes of the clients and of the server: errors, dropped, overruns
ip -s link`
    const conntrack = `# on the node: drops by the race in connection tracking
conntrack -S | grep -o 'insert_failed=[0-9]*'`
    if (!this.isGlibc) return conntrack
    return `${conntrack}
# for pods with glibc
spec:
  template:
    spec:
      dnsConfig:
        options:
          - name: single-request-reopen`
  }
}

interface Loss extends Lost {
  /** The server's time for the try that got through. */
  served: Time
}

/** The tries of a candidate after which the resolver had to ask again. */
function lostTries(candidate: Candidate): Loss[] {
  const lost: Loss[] = []
  /** Answered tries that were repeated although the other family was answered: glibc that misses one answer asks for both families again. */
  const repeated: Loss[] = []
  for (const qtype of new Set(candidate.transactions.map(t => t.qtype))) {
    const tries = candidate.transactions.filter(t => t.qtype === qtype)
    for (const [i, t] of tries.entries()) {
      if (!isQuickAnswer(t)) continue
      const served = t.end - t.lastQuery
      if (t.resent && t.duplicates === 0 && t.lastQuery - t.start >= SHORTEST_TIMEOUT && !isBusy(t, t.lastQuery)) {
        const reached = t.effects?.some(effect => effect.start < t.lastQuery) ?? false
        const first = t.framesOfFirstTry
        const notIn = reached ? null : missingFile(t.frames.slice(0, first), t.frames.slice(first))
        const side = reached ? null : sideOf(t.firstTranslated, t.translated)
        const place = reached ? 'answer' : notIn === null && side !== 'before' ? 'unknown' : 'query'
        lost.push({ place, try: t, qtype, notIn, side, served })
      }
      const before = tries[i - 1]
      if (!before || t.start - before.lastQuery < SHORTEST_TIMEOUT || isBusy(before, t.start)) continue
      // Somebody said that it can't be delivered: that is no loss.
      if (before.state === UNREACHED) continue
      if (before.state !== ANSWERED) {
        // A response that was seen somewhere, but not by the client, was lost on its way.
        const reached = before.responseSightings > 0
        const notIn = reached ? null : missingFile(before.frames, t.frames)
        const side = reached ? null : sideOf(before.translated, t.translated)
        const place = reached ? 'answer' : notIn === null && side !== 'before' ? 'unknown' : 'query'
        lost.push({ place, try: before, qtype, notIn, side, served })
      } else if (isFinal(before) && before.end < t.start && !isTorn(before)) {
        const loss: Loss = { place: 'answer', try: before, qtype, notIn: null, side: null, served }
        if (isSeenLess(before, t)) lost.push(loss)
        else if (!lacksOther(candidate, t)) repeated.push(loss)
      }
    }
  }
  // Captured at the server, both answers are there; that both are asked for again shows that one did not arrive.
  return lost.length > 0 ? lost : repeated.slice(0, 1)
}

/** The server never answered the other family, was long at work on it, or answered it twice: for that a resolver asks both again. */
function lacksOther({ transactions }: Candidate, t: Transaction): boolean {
  const others = transactions.filter(x => x.qtype !== t.qtype)
  if (others.length > 0 && others.every(x => Number.isNaN(x.end) && x.responseSightings === 0)) return true
  return others.some(
    x =>
      x.start <= t.start &&
      (x.state === UNREACHED ||
        x.duplicates > 0 ||
        (x.resent !== null && x.end - x.start >= SHORTEST_TIMEOUT) ||
        (!(x.end < t.start) && (x.end - x.lastQuery >= QUICK || isBusy(x, t.start)))),
  )
}

/** Of a lost try and the one that got through: were they seen behind the translation? */
const sideOf = (lost: boolean, through: boolean): Side | null => (!through ? null : lost ? 'behind' : 'before')

const isQuickAnswer = (t: Transaction): boolean => t.state === ANSWERED && isFinal(t) && t.end - t.lastQuery < QUICK

/** The answer of the lost try passed fewer interfaces than that of the next one: it did not arrive. */
const isSeenLess = (lost: Transaction, through: Transaction): boolean =>
  lost.responseSightings < through.responseSightings

/** A file in which the try that got through was seen, and the lost one was not. */
function missingFile(lost: readonly number[], through: readonly number[]): number | null {
  for (let i = 0; i < through.length; i += 2) {
    const file = through[i]
    if (!lost.some((entry, at) => at % 2 === 0 && entry === file)) return file
  }
  return null
}
