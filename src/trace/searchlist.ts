/**
 * The search lists and ndots of the clients, learned from the walks themselves: after a negative answer the client asks the same base
 * with the next search domain. Rules I1 to I6 of the grouping rules that ARCHITECTURE.md describes.
 */
import { A, AAAA } from '../codes.ts'
import { type AddressId, type NameId, NONE, type PodDns, type Time } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { Completion, type Files } from './completion.ts'
import { Denials } from './denials.ts'
import {
  type Alike,
  type Client,
  countWalk,
  crosses,
  doubtFirst,
  holding,
  isAnswered,
  isSameCandidate,
  type Learner,
  learnWhole,
  makeList,
  newClient,
  newLearner,
  noteAlike,
} from './learner.ts'
import { isLong, noteAsIsFirst, noteNdots, noteSearchedFirst } from './ndots.ts'
import { LONGEST_LAG, Pace } from './pace.ts'
import { pairOf } from './pair.ts'
import { NOTHING_KNOWN, type SearchKnowledge, withSuffixes } from './search-knowledge.ts'
import { type Observation, observationOf } from './search-path.ts'
import type { SearchStep, Steps } from './steps.ts'
import { beginsWithBase, endsWithSuffix, namespaceOf } from './suffix.ts'
import { LEG_GAP, STEP_GAP } from './timers.ts'
import type { Transaction } from './transaction.ts'
import type { Twins } from './twins.ts'

/** Walks mostly take less than this. */
const LONGEST_WALK: Time = 2e9
/** Clock granularity: an answer may bear a later time than the query that it let loose. */
const STEP_SLACK: Time = 0.5e6
/** A program that is started again, or asks for the next name, takes longer than a walk needs for its next step. */
const RESTART_GAP: Time = 10e6
/** Clients whose latest queries that brought nothing are remembered. */
const MOST_DENIED = 2048
/** How many long names are remembered of a client until its list is known. */
const LONG_NAMES = 16

/**
 * Knowledge is kept per client and server: behind a node's address sit processes with different resolv.conf, and the server that each
 * asks is what tells them apart. Of a client whose walks go from server to server there is one for all of them.
 */
export class SearchLists {
  private readonly learners = new Map<number, Learner>()
  private readonly byClient = new Map<AddressId, Client>()
  /** The same by address: every query asks. */
  private readonly clients: (Client | undefined)[] = []
  /** By server the service address behind which it was seen (DNAT). */
  private readonly services: (AddressId | undefined)[] = []
  private readonly steps: Steps
  /** The step that `predecessor` found. */
  private found: SearchStep | null = null
  /** The name that it found denied where the last label alone differs; NONE without. */
  private foundAlike: NameId = NONE
  /** Whose list may have changed. */
  private changed: Learner[] = []
  /** Who has denials. */
  private readonly denied: Client[] = []
  /** How often lists were made: between two times none of them changes. */
  private learnt = 0
  private allSuffixes: readonly string[] | null = null
  private readonly names: Names
  private readonly twins: Twins
  private readonly files: Files
  private readonly completion: Completion
  /** New clients of which the user's files may say something. */
  private newcomers: Client[] = []

  constructor(names: Names, steps: Steps, twins: Twins, files: Files) {
    this.names = names
    this.twins = twins
    this.steps = steps
    this.files = files
    this.completion = new Completion(files)
  }

  /** Looks at a client's transactions in order of start, before they are grouped. */
  observe(t: Transaction): void {
    if (t.asked !== t.server) this.services[t.server] ??= t.asked
    const learner = this.learnerOf(t.client, t.asked)
    const { client } = learner
    if (t.nameCut || t.qname < 0) return
    learner.knowledge.queries++
    if (client.pod !== null) this.noteZone(t, client.pod)
    else if (this.files.resolvConf !== null && !client.asksInConf) {
      const [first] = this.files.resolvConf.search
      client.asksInConf = first !== undefined && endsWithSuffix(this.names.text(t.qname), first)
    }
    const { led } = client
    const { denials: denied } = client
    const at = denied === null ? NONE : this.leading(learner, denied, t)
    const isLed = at !== NONE || isSameCandidate(client, t)
    if (at !== NONE) this.follow(learner, denied as Denials<Observation>, at, t)
    else if (!isLed) {
      this.noteUnled(client, t)
      if (this.foundAlike !== NONE) noteAlike(client, this.foundAlike, t.qname)
    }
    this.foundAlike = NONE
    if (isAnswered(client, t)) return
    const head = this.names.head(t.qname)
    const denials = this.denialsOf(client)
    if (isLed) denials.add(t, head, led.by, led.base)
    else denials.add(t, head, null, '')
  }

  /** Where the denied name stands that leads to this query, within the time that this client needs; NONE without. */
  private leading(learner: Learner, denied: Denials<Observation>, t: Transaction): number {
    const { client, knowledge } = learner
    const lag = client.pace?.lag ?? 0
    const since = t.start - denied.latestEnd
    const at = since > STEP_GAP + lag ? NONE : this.predecessor(denied, t, STEP_GAP + lag)
    if (client.pace === null && knowledge.list.length > 0) return at
    // Nothing is known of its list: its steps may come too late to be seen as such.
    const alike = this.foundAlike
    const slow = at !== NONE || since > LONGEST_LAG ? at : this.predecessor(denied, t, LONGEST_LAG)
    this.foundAlike = alike
    if (slow === NONE) return NONE
    const gap = t.start - denied.endAt(slow)
    if (client.pace === null && gap <= RESTART_GAP) return at
    client.pace ??= new Pace()
    client.pace.note(gap)
    if (client.pace.lag !== lag) {
      for (const { knowledge } of client.atServer) knowledge.lag = client.pace.lag
      if (client.crossings !== null) client.crossings.knowledge.lag = client.pace.lag
    }
    return at
  }

  /** What a client's queries may be late by where they were captured. */
  lagOf(client: AddressId): Time {
    return this.clients[client]?.pace?.lag ?? 0
  }

  /** A pod that asks for a service of its own namespace shows the cluster domain; as the first candidate, so without more behind it. */
  private noteZone(t: Transaction, { namespace }: PodDns): void {
    const name = this.names.text(t.qname)
    const mark = `.${namespace}.svc.`
    const at = name.lastIndexOf(mark)
    if (at < 0) return
    this.completion.noteZone(name.slice(at + mark.length))
  }

  /** Where there are too many that remember any, those forget whose last one is oldest: a walk goes on at once. */
  private denialsOf(client: Client): Denials<Observation> {
    if (client.denials !== null) return client.denials
    const { denied } = this
    if (denied.length >= MOST_DENIED) {
      const latest = ({ denials }: Client): Time => denials?.latestStart ?? 0
      denied.sort((a, b) => latest(b) - latest(a))
      for (const idle of denied.splice(MOST_DENIED / 2)) idle.denials = null
    }
    const denials = new Denials<Observation>()
    client.denials = denials
    denied.push(client)
    return denials
  }

  /** The step from the denied name at that place to this query, and what it tells. */
  private follow(asked: Learner, denials: Denials<Observation>, at: number, t: Transaction): void {
    const { client } = asked
    const { led } = client
    const step = this.found as SearchStep
    const stays = this.serviceOf(denials.askedAt(at)) === asked.asked
    if (stays) client.stayed++
    else client.crossed++
    const learner = stays ? asked : this.crossingsOf(client)
    const by = this.note(learner, step.from, step.to, step.base)
    if (client.alike?.qname === denials.qnameAt(at)) this.followAlike(learner, client.alike, step, by)
    const before = denials.byAt(at)
    if (before !== null && beginsWithBase(denials.baseAt(at), step.base))
      this.splitAnew(learner, before, denials.baseAt(at), step, by)
    const isQuick = t.start - denials.endAt(at) <= RESTART_GAP + learner.knowledge.lag
    if (isQuick && before && denials.baseAt(at) === step.base && !(by.inWalk && before.inWalk)) {
      by.inWalk = before.inWalk = true
      this.mark(learner)
    }
    // A slow step may lead from one lookup to the next: it proves no walk.
    led.by = isQuick ? by : null
    led.base = step.base
    led.qname = t.qname
    led.start = t.start
    led.silent = Number.isNaN(t.end)
    const { ndots } = learner
    // The base was searched before it was asked as it is: it has fewer dots than ndots.
    if (step.from !== '' && by.inWalk && !((ndots.ndotsMin ?? 0) > step.baseDots)) {
      // In a burst of names what was asked first may be forgotten by then.
      if (denials.reachesBack(t.start - LONGEST_WALK) && !denials.has(qname => this.names.text(qname) === step.base))
        noteSearchedFirst(ndots, step.baseDots, step.to === '')
    }
    if (step.from === '' && step.baseDots > 0 && this.beginsAsIs(denials, at, t, step.base))
      noteAsIsFirst(ndots, step.baseDots)
  }

  /** Names that differ in their last label alone, and then another one that begins as they do: search domains such as acme.com and acme.net (I2b). */
  private followAlike(learner: Learner, latest: Alike, next: SearchStep, by: Observation): void {
    for (let alike: Alike | null = latest; alike !== null; alike = alike.previous) {
      const step = this.steps.searchFrom(alike.before, alike.qname, next.base)
      if (step === null) return
      this.noteBefore(learner, step.from, step.to, next, by)
    }
  }

  /**
   * The step before this one was split where its two names no longer agree, as in db.corp.a.com and db.corp.b.com; what follows now, db, shows
   * that a part of what they have in common belongs to the domains (I2b).
   */
  private splitAnew(learner: Learner, before: Observation, base: string, next: SearchStep, by: Observation): void {
    if (before.from === '' || before.to === '') return
    before.count--
    const common = base.slice(next.base.length + 1)
    this.noteBefore(learner, `${common}.${before.from}`, `${common}.${before.to}`, next, by)
  }

  /** A step before `next`. That the name as it is comes last makes a walk of them. */
  private noteBefore(learner: Learner, from: string, to: string, next: SearchStep, by: Observation): void {
    const before = this.note(learner, from, to, next.base)
    if (next.to !== '' || (before.inWalk && by.inWalk)) return
    before.inWalk = by.inWalk = true
    this.mark(learner)
  }

  /** True where a step from the name as it is begins a walk: at once, by the same resolver, and not after a walk that ended with it. */
  private beginsAsIs(denials: Denials<Observation>, at: number, t: Transaction, base: string): boolean {
    if (t.start - denials.endAt(at) > RESTART_GAP + this.lagOf(t.client)) return false
    if (!denials.isLike(at, t)) return false
    return !denials.has(qname => beginsWithBase(this.names.text(qname), base))
  }

  /** A query that no step led to; it may be the second leg of a name that was asked as it is. */
  private noteUnled(client: Client, t: Transaction): void {
    const { unled } = client
    const isPair = unled.qname === t.qname && unled.qtype + t.qtype === A + AAAA && t.start - unled.start <= LEG_GAP
    unled.qname = t.qname
    unled.qtype = t.qtype
    unled.start = t.start
    if (!isPair || client.longNames.length >= LONG_NAMES) return
    const name = this.names.text(t.qname)
    if (isLong(name) && !client.longNames.includes(name)) client.longNames = [...client.longNames, name]
  }

  /**
   * Where the latest negative answer stands of which this query is a plausible continuation; NONE where it is another leg, or begins
   * a walk. The names of one walk share their first label.
   */
  private predecessor(denials: Denials<Observation>, t: Transaction, longest: Time): number {
    const head = this.names.head(t.qname)
    for (let at = denials.latest(head); at !== NONE; at = denials.latest(head, at)) {
      if (denials.qnameAt(at) === t.qname) return NONE
      if (!denials.isDenied(at)) continue
      const gap = t.start - denials.endAt(at)
      if (!(gap >= -STEP_SLACK && gap <= longest)) continue
      this.found = this.steps.search(denials.qnameAt(at), t.qname)
      if (this.found !== null) return at
      if (this.steps.differInLastLabel(denials.qnameAt(at), t.qname)) {
        this.foundAlike = denials.qnameAt(at)
        return NONE
      }
    }
    return NONE
  }

  private mark(learner: Learner): void {
    if (learner.changed) return
    learner.changed = true
    this.changed.push(learner)
  }

  /** Makes the lists of all observations so far; in between of those that may have changed them. */
  learn(atEnd: boolean): void {
    if (atEnd) for (const learner of this.every()) if (learner.steps.length > 0) this.mark(learner)
    if (this.changed.length === 0 && this.newcomers.length === 0) return
    this.learnt++
    const clients = new Set<Client>()
    // Where all lists are what they were, so is what they say of each other.
    let differ = atEnd || this.newcomers.length > 0
    for (const learner of this.changed) {
      learner.changed = false
      if (makeList(learner, learner.steps, atEnd)) differ = true
      clients.add(learner.client)
    }
    for (const client of clients) if (learnWhole(client, atEnd)) differ = true
    for (const client of this.newcomers) clients.add(client)
    this.changed = []
    this.newcomers = []
    if (differ) this.complete(clients, atEnd)
  }

  /** Completes the lists of these clients, or those of all where what they have in common may be another. */
  private complete(changed: Set<Client>, atEnd: boolean): void {
    const { completion, byClient } = this
    if (this.files.pods.size > 0 || this.files.resolvConf !== null)
      for (const client of changed) this.crossingsOf(client)
    if (atEnd || completion.isDue(changed.size, byClient.size)) {
      this.allSuffixes = null
      completion.lookAtAll([...this.every()], this.zone)
      completion.completeAll([...byClient.values()])
    } else this.allSuffixes = withSuffixes(this.suffixes, completion.complete([...changed]))
  }

  /** The domains that nodes add to lists, as far as they are known. */
  get nodeDomains(): readonly string[] {
    return this.completion.nodeDomains
  }

  /** What is known of a client when it asks one server; where that is nothing, what is known of it at all. */
  of(client: AddressId, asked: AddressId): SearchKnowledge {
    const learner = this.learnerOf(client, asked)
    if (learner.knowledge.list.length > 0 && !crosses(learner.client)) return learner.knowledge
    const best = this.bestOf(client)
    return best.list.length > 0 ? best : learner.knowledge
  }

  /** What is known of a client: as a whole where its walks go from server to server, else at the server where it showed most. */
  bestOf(address: AddressId): SearchKnowledge {
    const client = this.clients[this.twins.hostOf(address)]
    if (!client) return NOTHING_KNOWN
    const { crossings } = client
    if (crossings !== null && crosses(client) && crossings.knowledge.list.length > 0) return crossings.knowledge
    // A scanner asks ten thousand servers: not all of them are looked at for each of its queries.
    if (client.best !== null && client.bestAt === this.learnt) return client.best
    let best: SearchKnowledge = NOTHING_KNOWN
    for (const { knowledge } of client.atServer) if (knowledge.list.length > best.list.length) best = knowledge
    client.best = best
    client.bestAt = this.learnt
    return best
  }

  /** A finished walk tells of ndots: its base's dots were fewer than ndots (searched first), or at least as many (as-is first). */
  noteWalk(client: AddressId, asked: AddressId, base: string, suffixes: readonly (string | null)[]): void {
    const learner = this.learnerOf(client, asked)
    countWalk(learner, base, suffixes)
    if (learner.client.crossings !== null) countWalk(learner.client.crossings, base, suffixes)
  }

  /** The client asks elsewhere too, so that its walks may begin with another candidate than the first that was seen. */
  doubt(client: AddressId, asked: AddressId): void {
    const learner = this.learnerOf(client, asked)
    const isNew = !learner.knowledge.isTorn
    doubtFirst(learner)
    if (learner.client.crossings !== null) doubtFirst(learner.client.crossings)
    if (!isNew) return
    // Its steps leave out domains, so they are read in another way from now on.
    if (makeList(learner, learner.steps, false)) this.complete(new Set([learner.client]), false)
  }

  /** The cluster domain, from the most frequent list; null while unknown. */
  get zone(): string | null {
    const count = new Map<string, number>()
    for (const { knowledge } of this.learners.values()) {
      for (const suffix of knowledge.list) {
        const zone = namespaceOf(suffix)?.zone
        if (zone) count.set(zone, (count.get(zone) ?? 0) + 1)
      }
    }
    return [...count].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null
  }

  /** All search domains of all lists. */
  get suffixes(): readonly string[] {
    if (this.allSuffixes !== null) return this.allSuffixes
    const all = new Set<string>()
    for (const { knowledge } of this.every()) for (const suffix of knowledge.list) all.add(suffix)
    this.allSuffixes = [...all]
    return this.allSuffixes
  }

  /** Every client with what is known of it, once per different list. */
  get known(): { client: AddressId; knowledge: SearchKnowledge }[] {
    return [...this.byClient.values()].flatMap(client => {
      const lists = new Map<string, SearchKnowledge>()
      for (const { knowledge } of holding(client)) {
        const key = knowledge.list.join(' ')
        if (key !== '' && (lists.get(key)?.walks ?? -1) < knowledge.walks) lists.set(key, knowledge)
      }
      return [...lists.values()].map(knowledge => ({ client: client.address, knowledge }))
    })
  }

  private *every(): Generator<Learner> {
    yield* this.learners.values()
    for (const { crossings } of this.byClient.values()) if (crossings !== null) yield crossings
  }

  private learnerOf(client: AddressId, wire: AddressId): Learner {
    const address = this.twins.hostOf(client)
    const asked = this.serviceOf(wire)
    const known = this.clients[address]
    if (known !== undefined && known.last !== null && known.last.asked === asked) return known.last
    const key = pairOf(address, asked)
    let learner = this.learners.get(key)
    if (!learner) {
      const client = known ?? this.newClient(address)
      learner = newLearner(client, asked)
      // Most have one, and an array that is pushed to takes room for seventeen.
      if (client.atServer.length === 0) client.atServer = [learner]
      else client.atServer.push(learner)
      this.learners.set(key, learner)
    }
    learner.client.last = learner
    return learner
  }

  /** Where one capture shows the address that was asked, and another one the pod behind it alone, both are one server to the client. */
  private serviceOf(server: AddressId): AddressId {
    return this.services[server] ?? server
  }

  private newClient(address: AddressId): Client {
    const client = newClient(address, this.files.pods.get(address) ?? null)
    if (client.pod !== null || this.files.resolvConf !== null) this.newcomers.push(client)
    if (client.pod !== null) this.crossingsOf(client)
    this.byClient.set(address, client)
    this.clients[address] = client
    return client
  }

  /** Most clients have none. What their walks told at each server is theirs all the same. */
  private crossingsOf(client: Client): Learner {
    if (client.crossings !== null) return client.crossings
    const crossings = newLearner(client, NONE)
    for (const { knowledge, ndots } of client.atServer) {
      crossings.knowledge.walks += knowledge.walks
      noteNdots(crossings.ndots, ndots)
    }
    client.crossings = crossings
    return crossings
  }

  private note(learner: Learner, from: string, to: string, base: string): Observation {
    const step = observationOf(learner.steps, from, to, base)
    const n = ++step.count
    const second = !step.severalBases && step.firstBase !== base
    if (second) step.severalBases = true
    // What was seen often changes the list no more, or late: then it is enough to look now and then, and at the end.
    if (second || n <= 4 || (n & (n - 1)) === 0) this.mark(learner)
    return step
  }
}
