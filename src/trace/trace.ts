/**
 * The stage between messages and the report. Transactions are held back a little, so that what a batch teaches (search lists, who
 * forwards for whom, roles) is known before its first transaction is linked and grouped; then lookups and hops leave as they are closed.
 */
import type { AddressId, Messages, NameId, PodDns, ResolvConf, Time } from '../model.ts'
import type { Tables } from '../wire/tables.ts'
import { Autopath } from './autopath.ts'
import { hadAnswer } from './causes.ts'
import type { Hint } from './contradictions.ts'
import { Endpoints } from './endpoints.ts'
import { ForwardedAnswers } from './forwarded-answers.ts'
import { BUDGET, Forwarding } from './forwarding.ts'
import { Grouping } from './grouping.ts'
import { type Habits, habitsOf } from './habits.ts'
import type { Hop } from './hop.ts'
import { inwardOf } from './inward.ts'
import { type Lookup, transactionsOf } from './lookup.ts'
import { lossesOf } from './losses.ts'
import { Matching } from './matching.ts'
import { Namings } from './naming.ts'
import { Nodes } from './nodes.ts'
import { OneWay } from './one-way.ts'
import { Outages } from './outages.ts'
import { type Circumstances, decide, tellLess } from './outcome.ts'
import { Places } from './places.ts'
import { Pools } from './pools.ts'
import { Portions } from './portions.ts'
import { Profiles } from './profiles.ts'
import { labelOf, type Resolver, resolverNamed, resolverOf, withTimersOf } from './resolvers.ts'
import { SearchLists } from './searchlist.ts'
import { Serving } from './serving.ts'
import { Sharing } from './sharing.ts'
import { networkOf, ownTimeOf } from './spent.ts'
import { Steps } from './steps.ts'
import { type Inward, Sums } from './sums.ts'
import { Timers } from './timers.ts'
import { isFirst, OPEN, RESPONSE_LOST, type Transaction, UNANSWERED, UNSEEN } from './transaction.ts'
import { Transactions } from './transactions.ts'
import { Twins } from './twins.ts'
import { Walks } from './walks.ts'
import { judge, type LookupWasteSums, sumCandidates, sumWaste } from './waste.ts'

/** Transactions that are held back before the first is decided upon, so that there is something to learn from, and at most, ... */
const FIRST_BATCH = 16_000
/** ... how long at most where somebody follows, unless it has to be quicker, ... */
const LIVE_HOLD: Time = 10e9
/** ... and how old one must be before it is decided upon: sightings and most responses are in by then. */
const SETTLE: Time = 1e9
/** From then on so many are decided upon together: what is looked at in several passes stays in the processor's cache. */
const BATCH = 1000
/** Transactions of the queue that were decided upon: with so many it is made anew. */
const COMPACT = 4096
/** Roles are decided anew after so many transactions, and whenever an address is new. */
const ROLES_EVERY = 16_000
/** With more addresses than this a new one waits for its turn: deciding costs more the more there are. */
const MANY_ADDRESSES = 2000
/** A forwarder's query that is older than this and was not answered when its lookup is closed, never was. */
const PATIENCE: Time = 2e9

/** What an answer made CoreDNS ask after it (a refresh) begins within this. */
const AFTER_ANSWER: Time = 0.1e9

export interface TraceOptions {
  clusterDomain: string | null
  roles: Hint[]
  /** What the user's files say: of the resolv.conf of all pods, and of single pods. */
  resolvConf: ResolvConf | null
  pods: { address: AddressId; dns: PodDns }[]
  /** Answers as text, for those who will read them. */
  readAnswers: ((m: Messages, i: number) => string[]) | null
  /** False for a lookup that the user's filters leave out; its hops are left out too. */
  wanted: (lookup: Lookup) => boolean
  /** True where lookups or hops are kept beyond the calls that tell of them. */
  keepsRecords: boolean
  /** Called when a lookup, or a hop, is closed: a slow one after others that began later. */
  lookup: (lookup: Lookup, waste: LookupWasteSums, inward: Inward) => void
  hop: (hop: Hop) => void
  /** Called now and then: nothing that began before this time will come any more. */
  settled: ((before: Time) => void) | null
}

export class Trace {
  readonly matching: Matching
  readonly searchLists: SearchLists
  readonly forwarding: Forwarding
  readonly endpoints: Endpoints
  readonly profiles = new Profiles()
  private readonly twins: Twins
  readonly places: Places
  readonly oneWay: OneWay
  private readonly pools = new Pools()
  private readonly nodes: Nodes
  private readonly headOf: (name: NameId) => number
  readonly sums = new Sums()
  readonly walks = new Walks()
  private readonly grouping: Grouping
  private readonly transactions: Transactions
  private readonly namings = new Namings()
  private readonly timers = new Timers()
  readonly portions = new Portions()
  readonly outages: Outages
  /** Lookups that are closed and not told yet. */
  private closed: Lookup[] = []
  private readonly options: TraceOptions
  /** From `decided` on they wait. */
  private readonly queue: Transaction[] = []
  private decided = 0
  private learnt = false
  private sinceRoles = 0
  private addressesWithRoles = 0
  /** How long a transaction is held back at most; BATCH alone decides unless somebody follows. */
  private hold: Time = Number.POSITIVE_INFINITY
  /** Hops that no lookup caused, waiting for their response. */
  private alone: Transaction[] = []
  private readonly autopath: Autopath
  readonly serving: Serving
  private readonly sharing: Sharing
  private readonly forwardedAnswers: ForwardedAnswers

  constructor(tables: Tables, options: TraceOptions) {
    this.options = options
    this.transactions = new Transactions(!options.keepsRecords)
    this.oneWay = new OneWay(tables.names)
    this.matching = new Matching(tables, this.transactions, this.oneWay, t => this.queue.push(t), options.readAnswers)
    const steps = new Steps(tables.names)
    this.twins = new Twins(tables.addresses)
    this.searchLists = new SearchLists(tables.names, steps, this.twins, {
      zone: options.clusterDomain,
      resolvConf: options.resolvConf,
      pods: new Map(options.pods.map(({ address, dns }) => [address, dns])),
    })
    this.forwarding = new Forwarding(tables.names, this.twins, this.transactions)
    this.forwardedAnswers = new ForwardedAnswers(this.forwarding)
    this.nodes = new Nodes(tables.addresses, this.matching.arrivals)
    this.headOf = name => tables.names.head(name)
    this.outages = new Outages(
      name => tables.names.isService(name),
      name => (this.walks.names.byId.get(name)?.outcome ?? null) !== null || this.endpoints.isOfCluster(name),
    )
    this.endpoints = new Endpoints(tables, this.searchLists, this.forwarding, this.pools, options.clusterDomain)
    this.places = new Places(this.matching.arrivals, this.endpoints)
    this.autopath = new Autopath(tables.names, this.forwarding, this.transactions)
    this.serving = new Serving(tables, this.endpoints)
    this.sharing = new Sharing(this.forwarding, this.serving, this.transactions)
    this.grouping = new Grouping(tables.names, steps, this.searchLists, this.twins, lookup => this.closed.push(lookup))
    for (const hint of options.roles) this.endpoints.hint(hint)
  }

  /** Somebody follows a live capture: nothing is held back longer than `hold`, on the capture's clock. */
  follow(hold: Time = LIVE_HOLD): void {
    if (hold < this.hold) this.hold = hold
  }

  /** Nothing came until `time`, on the capture's clock: what can have no successor any more is closed. */
  pass(time: Time): void {
    this.matching.pass(time)
    this.drain(this.matching.now - SETTLE, false, true)
  }

  /** Takes row i. */
  add(m: Messages, i: number): void {
    this.twins.note(m, i)
    this.matching.add(m, i)
    const { queue } = this
    const waiting = queue.length - this.decided
    if (waiting === 0) return
    const { now } = this.matching
    if (waiting >= FIRST_BATCH || now - queue[this.decided].start > this.hold) this.drain(now - SETTLE, false)
    else if (this.learnt && waiting > BATCH && queue[this.decided + BATCH].start <= now - SETTLE)
      this.drain(now - SETTLE, false)
  }

  finish(): void {
    this.matching.finish()
    this.drain(Number.POSITIVE_INFINITY, true)
  }

  /** Decides upon all transactions that began before `until`; `complete`: nothing that began before will come any more. */
  private drain(until: Time, all: boolean, complete = false): void {
    const batch = this.oneWay.withoutLone(this.takeBatch(until, complete), t => this.matching.putBack(t))
    this.learnt = true
    this.nodes.place(batch)
    this.oneWay.observe(batch)
    for (const t of batch) {
      this.matching.judgeDelivery(t)
      this.profiles.observe(t)
      this.twins.observe(t)
      this.timers.observe(t)
      this.forwarding.observe(t)
    }
    this.pools.observe(batch, this.headOf)
    if (this.oneWay.responses > 0) this.forwardedAnswers.link(batch)
    for (const t of batch) if (t.causes === null) this.forwarding.link(t)
    for (const t of batch) {
      // What a forwarder asks is nobody's walk.
      if (t.causes !== null) continue
      t.isForOthers = this.pools.asksForOthers(t) || this.forwarding.isForwarder(t.client)
      if (isAlone(t)) continue
      // Until its lookup is closed it counts as answered at once: who asked goes on as if it were.
      if (t.state === UNSEEN) t.end = t.lastQuery
      this.searchLists.observe(t)
    }
    this.searchLists.learn(all)
    this.endpoints.learnZone()
    const { suffixes } = this.searchLists
    for (const t of batch) this.forwarding.linkRenamed(t, suffixes)
    this.autopath.link(batch)
    for (const t of batch) {
      this.endpoints.observe(t)
      if (t.causes === null && isAlone(t)) this.alone.push(t)
    }
    this.serving.observe(batch)
    this.places.observe(batch)
    this.decideRoles(batch.length, all)
    this.sharing.link(batch)
    for (const t of batch) if (t.causes === null && !isAlone(t)) this.grouping.add(t)
    const now = all ? Number.POSITIVE_INFINITY : complete ? until : (batch.at(-1)?.start ?? 0)
    this.grouping.close(now, all, this.matching.now)
    this.tellClosed(all)
    if (this.alone.length > 0) this.closeAlone(now, all)
    this.options.settled?.(all ? now : this.oldest(now))
  }

  /** Nothing that began before this is still to be told. */
  private oldest(now: Time): Time {
    const alone = this.alone.find(isForOthers)?.start ?? now
    return Math.min(this.grouping.oldest, alone, this.queue[this.decided]?.start ?? now)
  }

  /** The transactions that began before `until`, in order of start. */
  private takeBatch(until: Time, complete: boolean): Transaction[] {
    const { queue, decided } = this
    let n = decided
    while (n < queue.length && queue[n].start <= until) n++
    const waiting = queue.length - decided
    // A flood within the settling time: the oldest are decided upon as they are, and all at first, as there is nothing else to learn from.
    if (this.learnt && waiting >= FIRST_BATCH && !complete) n = Math.max(n, decided + BATCH)
    else if (n === decided && !complete) n = queue.length
    const batch = queue.slice(decided, n)
    this.decided = n
    if (n >= COMPACT || n === queue.length) {
      // In place: a new array of this size would have to grow at the next query, out of fresh pages.
      for (let i = n; i < queue.length; i++) queue[i - n] = queue[i]
      queue.length -= n
      this.decided = 0
    }
    let sorted = true
    for (let i = 1; i < batch.length && sorted; i++) sorted = batch[i - 1].start <= batch[i].start
    return sorted ? batch : batch.sort((a, b) => a.start - b.start)
  }

  /** Roles change slowly: they are decided when there is a new address, and now and then. */
  private decideRoles(transactions: number, all: boolean): void {
    this.sinceRoles += transactions
    const { size } = this.endpoints
    const isNew = size > this.addressesWithRoles && size <= MANY_ADDRESSES
    if (!all && !isNew && this.sinceRoles < Math.max(ROLES_EVERY, size)) return
    this.endpoints.decide()
    this.addressesWithRoles = size
    this.sinceRoles = 0
  }

  // -- Lookups ---------------------------------------------------------------------------------------------------------------------

  /** All of a batch are named before the first is told: what they have in common shows whether something is missing of them. */
  private tellClosed(all: boolean): void {
    const { closed, portions } = this
    if (closed.length === 0) return
    this.closed = []
    const now = all ? this.matching.now : Number.POSITIVE_INFINITY
    // All show their clients' habits before the first is judged by them: they stand in no order of time.
    const habits = closed.map(lookup => this.learnHabits(lookup))
    const resolvers = closed.map((lookup, i) => this.closeLookup(lookup, habits[i], now))
    closed.forEach((lookup, i) => {
      if (portions.mayBeTorn(lookup)) this.mend(lookup, resolvers[i])
      else if (this.wentElsewhere(lookup)) tellLess(lookup)
      judge(lookup)
      if (this.options.wanted(lookup)) this.tell(lookup)
      else this.learn(lookup)
      for (const t of transactionsOf(lookup)) this.release(t)
    })
  }

  private learnHabits(lookup: Lookup): Habits {
    for (const t of transactionsOf(lookup)) this.giveUp(t)
    this.matching.loneResponses.complete(lookup)
    const knowledge = this.searchLists.of(lookup.client, lookup.candidates[0].transactions[0].asked)
    const habits = habitsOf(lookup, this.profiles.of(lookup.client), knowledge)
    this.profiles.noteWalk(lookup.client, habits)
    return habits
  }

  /** Names a lookup and decides its outcome as if nothing were missing of it. */
  private closeLookup(lookup: Lookup, habits: Habits, now: Time): Resolver {
    const { asked, timedIn } = lookup.candidates[0].transactions[0]
    const knowledge = this.searchLists.of(lookup.client, asked)
    const shown = resolverOf(habits)
    const usual = resolverNamed(this.profiles.of(lookup.client).resolver)
    // Where walks may have exchanged legs, they look like those of another one.
    const isOdd = lookup.crowded && usual.name !== '' && shown !== usual && this.profiles.isSettled(lookup.client)
    lookup.resolver = isOdd ? null : labelOf(shown, habits)
    // How long it waits the client's other lookups may tell, where its packets do not.
    const resolver = isOdd ? usual : shown.name === '' ? withTimersOf(usual) : shown
    this.namings.name(lookup, knowledge, resolver.caches, this.searchLists.nodeDomains)
    if (lookup.candidates.length > 1) this.searchLists.noteWalk(lookup.client, asked, lookup.base, lookup.suffixes)
    lookup.ndots = { min: knowledge.ndotsMin, max: knowledge.ndotsMax }
    const timeout = decide(lookup, this.circumstancesOf(lookup, resolver, timedIn))
    this.profiles.noteResolver(lookup.client, lookup.resolver, timeout)
    this.portions.observe(lookup, resolver, knowledge, now)
    return resolver
  }

  private circumstancesOf(lookup: Lookup, resolver: Resolver, timedIn: number): Circumstances {
    const { now, counts } = this.matching
    const usual = this.timeoutOf(lookup, resolver, timedIn)
    return { resolver, usual, seen: now, withoutTcp: counts.overTcp === 0 }
  }

  /** How long its resolver waits: as its client's lookups showed, else as it does by itself, as late as timers fire in this capture. */
  private timeoutOf(lookup: Lookup, { timeout }: Resolver, timedIn: number): Time | null {
    if (timeout === null) return null
    return this.profiles.timeoutOf(lookup.client) ?? timeout + this.timers.late(timedIn)
  }

  /** Its server gets a portion only of what its clients ask: what that makes doubtful is not told. */
  private mend(lookup: Lookup, resolver: Resolver): void {
    const { asked, timedIn } = lookup.candidates[0].transactions[0]
    this.searchLists.doubt(lookup.client, asked)
    const knowledge = this.searchLists.of(lookup.client, asked)
    lookup.ndots = { min: knowledge.ndotsMin, max: knowledge.ndotsMax }
    if (lookup.candidates.length === 1) {
      this.namings.name(lookup, knowledge, resolver.caches, this.searchLists.nodeDomains, true)
      decide(lookup, this.circumstancesOf(lookup, resolver, timedIn))
    }
    if (this.portions.isPartial(lookup, resolver, knowledge)) tellLess(lookup)
  }

  /** What it has to find outside the cluster a node-local cache asks other servers, and of these nothing is in the capture. */
  private wentElsewhere({ client, outcome, suffixes }: Lookup): boolean {
    if (outcome !== 'nxdomain' || suffixes[suffixes.length - 1] === null) return false
    return this.endpoints.clientRole(client).role === 'node-local-cache'
  }

  /** Everybody who adds up or looks on sees a closed lookup and its hops. */
  private tell(lookup: Lookup): void {
    const parts = sumCandidates(lookup)
    const waste = sumWaste(lookup, parts)
    const inward = inwardOf(lookup, this.endpoints, this.serving)
    this.sums.addLookup(lookup, waste, inward)
    // What another configuration would make of it nobody can tell.
    if (lookup.partial) {
      this.walks.partial++
      this.walks.learn(lookup, parts)
    } else this.walks.addLookup(lookup, parts, inward)
    for (let i = 0; i < lookup.suffixes.length; i++) {
      const suffix = lookup.suffixes[i]
      if (suffix === null) continue
      const answered = i === lookup.deciding && lookup.outcome === 'answered'
      this.sums.addSuffix(suffix, answered, !Number.isNaN(lookup.wait), parts[i])
    }
    for (const t of transactionsOf(lookup)) this.closeHops(t, lookup)
    this.options.lookup(lookup, waste, inward)
  }

  /** What the names came to of a lookup that the filters leave out: what-if takes answers from everybody. */
  private learn(lookup: Lookup): void {
    this.walks.learn(lookup, sumCandidates(lookup))
    for (const t of transactionsOf(lookup)) this.learnHops(t)
  }

  private learnHops(t: Transaction): void {
    this.walks.addHop(t, this.endpoints.serverRole(t.server).role)
    if (t.effects) for (const effect of t.effects) if (isFirst(t, effect)) this.learnHops(effect)
  }

  /** A transaction and all that it caused have been told. */
  private release(t: Transaction): void {
    if (t.effects) for (const effect of t.effects) if (isFirst(t, effect)) this.release(effect)
    t.isTold = true
    this.transactions.release(t)
  }

  // -- Hops ------------------------------------------------------------------------------------------------------------------------

  /** Nobody waits any more for what is still open when its lookup is closed. */
  private giveUp(t: Transaction): void {
    if (t.state === UNSEEN) t.end = Number.NaN
    else if (t.state === OPEN && this.matching.now - t.lastQuery > PATIENCE) t.state = UNANSWERED
    if (t.state === UNANSWERED && hadAnswer(t)) t.state = UNSEEN
  }

  /** A transaction and all that it caused. */
  private closeHops(t: Transaction, lookup: Lookup | null): void {
    this.giveUp(t)
    this.serving.noteFailure(t)
    this.outages.note(t)
    const cause = t.causes?.[0]
    const forwarder = cause !== undefined || t.isForOthers
    const from = cause ? cause.server : forwarder ? this.endpoints.forwarderAt(t.client) : t.client
    const ownMs = ownTimeOf(t)
    const servedFrom = this.serving.of(t)
    // Where a forwarder's own queries are not in the capture, nobody can tell what it had in its cache.
    const isVisible = servedFrom !== null && this.serving.isVisible(t.server)
    const fromCache = isVisible ? servedFrom === 'cache' || servedFrom === 'stale' : null
    const { role } = this.endpoints.serverRole(t.server)
    if (lookup) this.walks.addHop(t, role)
    if (t.state !== UNSEEN && (t.retransmissions > 0 || t.state === UNANSWERED || t.state === RESPONSE_LOST))
      for (const loss of lossesOf(t, this.places, this.endpoints)) this.sums.addLoss(loss)
    const networkMs = networkOf(t, this.places)
    const hop: Hop = { transaction: t, lookup, from, forwarder, role, ownMs, networkMs, servedFrom, fromCache }
    this.sums.addHop(hop)
    this.options.hop(hop)
    if (t.effects) for (const effect of t.effects) if (isFirst(t, effect)) this.closeHops(effect, lookup)
  }

  private closeAlone(now: Time, all: boolean): void {
    const still: Transaction[] = []
    for (const t of this.alone) {
      if (!all && (t.state === OPEN || (t.isForOthers && !(causesNoMore(t) < now)))) still.push(t)
      else if (t.isForOthers && !t.infrastructure) {
        this.closeHops(t, null)
        this.release(t)
      } else {
        if (t.infrastructure) this.sums.infrastructure++
        else this.sums.cutNames++
        this.options.hop({
          transaction: t,
          lookup: null,
          from: t.isForOthers ? this.endpoints.forwarderAt(t.client) : t.client,
          forwarder: t.isForOthers,
          role: this.endpoints.serverRole(t.server).role,
          ownMs: null,
          networkMs: null,
          servedFrom: null,
          fromCache: null,
        })
        this.transactions.release(t)
      }
    }
    this.alone = still
  }
}

/** No lookup is made of it: a server's own check, a name that was cut, or one of somebody who was not captured. */
const isAlone = (t: Transaction): boolean => t.infrastructure || t.nameCut || t.isForOthers

const isForOthers = (t: Transaction): boolean => t.isForOthers

/** When all that it made its server ask has begun. */
const causesNoMore = (t: Transaction): Time => (Number.isNaN(t.end) ? t.lastQuery + BUDGET : t.end + AFTER_ANSWER)
