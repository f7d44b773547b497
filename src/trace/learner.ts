/** What one client showed of its search list: at each server that it asks, and from server to server. */
import { A, AAAA, NOERROR } from '../codes.ts'
import { type AddressId, HAS_CNAME, type NameId, NONE, type PodDns, type Time } from '../model.ts'
import type { Denials } from './denials.ts'
import { doubtNdots, type Ndots, newNdots, noteAsIsFirst, noteNdots, noteSearchedFirst } from './ndots.ts'
import type { Pace } from './pace.ts'
import { NOTHING_KNOWN, type SearchKnowledge, setBounds, setList } from './search-knowledge.ts'
import { leads, merged, type Observation, type Observations, pathOf, pathOfPortion } from './search-path.ts'
import { dots, endsWithSuffix } from './suffix.ts'
import { LEG_GAP, LONGEST_TIMER, STEP_GAP } from './timers.ts'
import { ANSWERED, type Transaction } from './transaction.ts'

/** Search domains that differ in their last label alone: nobody has more of them. */
const MOST_ALIKE = 8

const NO_NAMES: readonly string[] = []

/** What one client showed at one server. */
export interface Learner {
  client: Client
  asked: AddressId
  steps: Observations
  /** What its walks tell, ... */
  learned: readonly string[]
  ndots: Ndots
  /** ... and what holds with what the user's files say. */
  knowledge: SearchKnowledge
  /** There are steps since its list was made that may change it. */
  changed: boolean
}

/** A step that may be one of a walk whose search domains differ in their last label alone; the next step tells. */
export interface Alike {
  before: NameId
  qname: NameId
  /** The one that led to `before`, and how many there are up to here. */
  previous: Alike | null
  length: number
}

/** One client: what it showed at each server, and what it showed at all. */
export interface Client {
  address: AddressId
  /** Its latest queries that brought nothing, at all servers. */
  denials: Denials<Observation> | null
  atServer: Learner[]
  /** The one that was asked for last. */
  last: Learner | null
  /** What was best known of it, and when that was looked for: in which state of all lists (searchlist.ts). */
  best: SearchKnowledge | null
  bestAt: number
  /** Steps from one server to another, once there is one, or the user's files say something; and how many those and the others are. */
  crossings: Learner | null
  crossed: number
  stayed: number
  /** The latest query that a step led to. */
  led: { by: Observation | null; base: string; qname: NameId; start: Time; silent: boolean }
  /** The latest query whose name differs in its last label alone from one that was denied just before; null without. */
  alike: Alike | null
  /** The latest query that none led to. */
  unled: { qname: NameId; qtype: number; start: Time }
  /** The latest query that brought what was asked for. */
  answered: NameId
  answeredStart: Time
  /** Null while nothing makes it seem far away. */
  pace: Pace | null
  /** Long names that were asked for both families and that no step led to. */
  longNames: readonly string[]
  /** A pod by the user's files: one resolv.conf. */
  pod: PodDns | null
  /** Asked for a name behind the first search domain of the resolv.conf that the user gave. */
  asksInConf: boolean
}

export function newClient(address: AddressId, pod: PodDns | null): Client {
  return {
    address,
    last: null,
    denials: null,
    atServer: [],
    best: null,
    bestAt: 0,
    crossings: null,
    crossed: 0,
    stayed: 0,
    alike: null,
    led: { by: null, base: '', qname: NONE, start: 0, silent: false },
    unled: { qname: NONE, qtype: NONE, start: 0 },
    answered: NONE,
    answeredStart: 0,
    pace: null,
    longNames: NO_NAMES,
    pod,
    asksInConf: false,
  }
}

export function newLearner(client: Client, asked: AddressId): Learner {
  const knowledge: SearchKnowledge = { ...NOTHING_KNOWN, lag: client.pace?.lag ?? 0 }
  return { client, asked, steps: [], learned: [], ndots: newNdots(), knowledge, changed: false }
}

/**
 * The walks of this client go from server to server (rotate, a first server that is dead, copies to all): it is one resolv.conf with
 * several servers. The processes of a node cross only where two happen to ask the same at once.
 */
export const crosses = ({ pod, stayed, crossed }: Client): boolean => pod !== null || crossed * 2 > stayed

/** Where what is known of a client stands: at each of its servers, or once for all. */
export const holding = (client: Client): Learner[] =>
  client.crossings !== null && crosses(client) ? [client.crossings] : client.atServer

/** A walk that ended, with what its first candidate tells of ndots. */
export function countWalk({ knowledge, ndots }: Learner, base: string, suffixes: readonly (string | null)[]): void {
  knowledge.walks++
  if (suffixes[0] !== null) noteSearchedFirst(ndots, dots(base), suffixes[suffixes.length - 1] === null)
  else noteAsIsFirst(ndots, dots(base))
  setBounds(knowledge, ndots)
}

/** The first candidates that were seen may not be the first: what they tell of ndots does not hold. */
export function doubtFirst({ knowledge, ndots }: Learner): void {
  knowledge.isTorn = true
  doubtNdots(ndots)
  setBounds(knowledge, ndots)
}

/** True if something differs from before; `anew`: what others have added to the list is taken off all the same. */
export function makeList(learner: Learner, steps: Observations, anew: boolean): boolean {
  const { knowledge } = learner
  const differs = replaceList(learner, knowledge.isTorn ? pathOfPortion(steps) : pathOf(steps), anew)
  const wasComplete = knowledge.complete
  const { learned } = learner
  knowledge.steps = learned.map((from, i) => steps.find(s => s.from === from && s.to === learned[i + 1])?.count ?? 0)
  knowledge.complete = leads(steps, learner.learned.at(-1) ?? '', '')
  return differs || knowledge.complete !== wasComplete
}

function replaceList(learner: Learner, list: readonly string[], anew: boolean): boolean {
  const { knowledge, ndots, learned } = learner
  const differs = list.length !== learned.length || list.some((suffix, i) => suffix !== learned[i])
  if (differs || anew) {
    setList(knowledge, list)
    learner.learned = knowledge.list
  }
  setBounds(knowledge, ndots)
  return differs
}

/** What the client showed at all, and what its long names say. True if a list differs. */
export function learnWhole(client: Client, anew: boolean): boolean {
  const { crossings, atServer, longNames } = client
  let differs = false
  if (crossings !== null && crosses(client)) {
    for (const { ndots } of atServer) noteNdots(crossings.ndots, ndots)
    const steps = merged([crossings, ...atServer].map(({ steps }) => steps))
    differs = makeList(crossings, steps, anew)
  }
  for (const learner of atServer) {
    // No list begins with svc.<zone>: its walks went to another server before (I1).
    const [first] = learner.learned
    const whole = first?.startsWith('svc.') ? atServer.find(({ learned }) => learned[1] === first) : undefined
    if (whole && replaceList(learner, whole.learned, anew)) differs = true
  }
  for (const { knowledge, learned, ndots } of holding(client)) {
    if (learned.length === 0) continue
    for (const name of longNames) if (!endsWithSuffix(name, learned[0])) noteAsIsFirst(ndots, dots(name))
    setBounds(knowledge, ndots)
  }
  return differs
}

/** What is asked after a name that differs in its last label alone. */
export function noteAlike(client: Client, before: NameId, qname: NameId): void {
  const { alike } = client
  const previous = alike?.qname === before && alike.length < MOST_ALIKE ? alike : null
  client.alike = { before, qname, previous, length: previous === null ? 1 : previous.length + 1 }
}

/** Some record, and not CNAMEs alone where an address was asked for. */
const isPositive = (t: Transaction): boolean =>
  t.state === ANSWERED &&
  t.rcode === NOERROR &&
  t.answerCount > 0 &&
  !(t.addresses === 0 && t.content & HAS_CNAME && (t.qtype === A || t.qtype === AAAA))

/**
 * True if it, or the other leg of its name, brought what was asked for: no walk goes on after that, so that the other family has no
 * records led to nothing, and what follows is the next lookup. (An NXDOMAIN on one leg is another matter: musl goes on.)
 */
export function isAnswered(client: Client, t: Transaction): boolean {
  if (!isPositive(t))
    return t.rcode === NOERROR && client.answered === t.qname && t.start - client.answeredStart <= LEG_GAP
  client.answered = t.qname
  client.answeredStart = t.start
  client.denials?.forgetNodata(t.qname, t.start - LEG_GAP)
  return true
}

/** True for the other leg of the candidate that a step led to, and for its repetition after silence. */
export function isSameCandidate({ led, pace }: Client, t: Transaction): boolean {
  const late = STEP_GAP + (pace?.lag ?? 0)
  return led.qname === t.qname && t.start - led.start <= (led.silent ? LONGEST_TIMER : late)
}
