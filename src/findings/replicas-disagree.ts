/** replicas-disagree: of the CoreDNS pods behind one service, one denies services of the cluster that another has. */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE, type Time } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { pairOf } from '../trace/pair.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { nameOf, serverRole, type World, who } from './world.ts'

/** A service may be made or deleted between two answers; each side must have said it this often. */
const MIN_ANSWERS = 2
/** No denial of a service is older in a cache (CoreDNS keeps one for 30 s), ... */
const OLDEST_DENIAL: Time = 31e9
/** ... and so many services are not made at one time. */
const MANY_NAMES = 3
/** Denials of one name that are remembered each. */
const MOST_NOTED = 8

export const replicasDisagree: Rule = {
  code: 'replicas-disagree',
  severity: 'problem',
  title: 'One CoreDNS pod denies services that another one has',
  means:
    'The same name of the cluster gets an answer from one CoreDNS pod and NXDOMAIN from another. Which of them a query reaches is chance, so lookups of a service that is well fail now and then, and each time for the whole search list.',
  why: 'Each CoreDNS pod watches the API server for itself. One that lost its watch, or started without it, goes on with what it knows, and denies services that were made since then; or the pods run with different Corefiles.',
  todo: 'Look at the log of the pod that denies (plugin/kubernetes, "failed to watch", "waiting for Kubernetes API"), at its way to the API server, and restart it. Compare the Corefiles that the pods have loaded (the reload plugin logs it).',
  evidence: `Answers of servers with the role CoreDNS to stub resolvers for names of services, held against each other by name: one always has it, the other never, at least ${MIN_ANSWERS} answers of each. The denial came more than ${OLDEST_DENIAL / 1e9} s after the other had it, longer than a cache keeps one, or it is so for ${MANY_NAMES} names.`,
  links: [
    'https://coredns.io/plugins/kubernetes/',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/',
  ],
  shownBy: ['test/findings/replicas-disagree.txt'],
  begin: world => new ReplicasDisagree(world),
}

// The columns of the rows: what one server said of one name.
const NAME = 0
const SERVER = 1
const FOUND = 2
const DENIED = 3
/** When it was found first, and denied last. */
const FOUND_SINCE = 4
const DENIED_UNTIL = 5
const COLUMNS = 6

/** Two servers, and the rows of the names of which they say different things. */
interface Pair {
  has: AddressId
  denies: AddressId
  rows: { yes: number; no: number }[]
}

interface Denial {
  noted: number
  clients: Set<AddressId>
  frames: FrameSample
}

class ReplicasDisagree implements Observer {
  private readonly world: World
  /** By name and server. */
  private readonly answers = new Rows(COLUMNS, key => this.denials.delete(key))
  /** By the same keys: who was denied it, and where that is seen. */
  private readonly denials = new Map<number, Denial>()
  private firstServer: AddressId = NONE
  /** There is another one, so that the two may disagree. */
  private areSeveral = false

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, forwarder, role }: Hop): void {
    if (forwarder || role === 'upstream' || role === 'node-local-cache') return
    if (t.state !== ANSWERED || t.qname === NONE || !this.world.tables.names.isService(t.qname)) return
    const isDenied = t.rcode === NXDOMAIN
    if (!isDenied && !(t.rcode === NOERROR && hasAnswer(t))) return
    const { answers } = this
    if (this.firstServer === NONE) this.firstServer = t.server
    else if (this.firstServer !== t.server) this.areSeveral = true
    const key = pairOf(t.qname, t.server)
    const row = answers.of(key)
    answers.set(row, NAME, t.qname)
    answers.set(row, SERVER, t.server)
    if (isDenied) {
      answers.add(row, DENIED)
      if (t.start > answers.get(row, DENIED_UNTIL)) answers.set(row, DENIED_UNTIL, t.start)
      if (this.areSeveral) this.noteDenial(key, t)
    } else {
      const since = answers.get(row, FOUND_SINCE)
      if (answers.get(row, FOUND) === 0 || t.end < since) answers.set(row, FOUND_SINCE, t.end)
      answers.add(row, FOUND)
    }
  }

  private noteDenial(key: number, t: Transaction): void {
    let denial = this.denials.get(key)
    if (!denial) {
      denial = { noted: 0, clients: new Set(), frames: new FrameSample() }
      this.denials.set(key, denial)
    }
    if (denial.noted++ >= MOST_NOTED) return
    denial.clients.add(t.client)
    denial.frames.add(t)
  }

  conclude(): Draft[] {
    const pairs = new Map<number, Pair>()
    for (const rows of this.answers.sharing(NAME)) {
      for (const yes of rows) {
        if (!this.isFound(yes)) continue
        for (const no of rows) {
          if (!this.isNever(no)) continue
          const [has, denies] = [yes, no].map(row => this.answers.get(row, SERVER))
          const key = pairOf(has, denies)
          const pair = pairs.get(key) ?? { has, denies, rows: [] }
          pairs.set(key, pair)
          pair.rows.push({ yes, no })
        }
      }
    }
    return [...pairs.values()].filter(pair => this.isLasting(pair)).map(pair => this.draft(pair))
  }

  private isFound(row: number): boolean {
    const { answers } = this
    return answers.get(row, FOUND) >= MIN_ANSWERS && answers.get(row, DENIED) === 0 && this.isReplica(row)
  }

  private isNever(row: number): boolean {
    const { answers } = this
    return answers.get(row, DENIED) >= MIN_ANSWERS && answers.get(row, FOUND) === 0 && this.isReplica(row)
  }

  private isReplica(row: number): boolean {
    return serverRole(this.world, this.answers.get(row, SERVER)) === 'coredns'
  }

  private isLasting({ rows }: Pair): boolean {
    const { answers } = this
    return (
      rows.length >= MANY_NAMES ||
      rows.some(({ yes, no }) => answers.get(no, DENIED_UNTIL) - answers.get(yes, FOUND_SINCE) > OLDEST_DENIAL)
    )
  }

  private draft({ has, denies, rows }: Pair): Draft {
    const { answers, world } = this
    const names = rows.map(({ yes }) => nameOf(world, answers.get(yes, NAME)))
    const found = rows.reduce((n, { yes }) => n + answers.get(yes, FOUND), 0)
    const denied = rows.reduce((n, { no }) => n + answers.get(no, DENIED), 0)
    const clients = new Set<AddressId>()
    const frames = new FrameSample()
    for (const { no } of rows) {
      const denial = this.denials.get(answers.keyOf(no))
      for (const client of denial?.clients ?? []) clients.add(client)
      if (denial) frames.addAll(denial.frames)
    }
    return {
      what: `${who(world, denies)} denied ${listed(names, 2)} ${plural(denied, 'time')}, while ${who(world, has)} always had ${names.length === 1 ? 'it' : 'them'} (${plural(found, 'answer')}). Which of the two a query reaches is chance.`,
      why: 'Each CoreDNS pod knows the services from its own watch of the API server.',
      advice: `Look at the log of ${who(world, denies)} (plugin/kubernetes) and at its way to the API server, and restart that pod.`,
      snippet: `kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide   # which pod has ${world.tables.addresses.text(denies)}
kubectl -n kube-system logs POD | grep -iE 'kubernetes|watch|api'`,
      count: denied,
      share: denied / (denied + found),
      clients,
      servers: [denies, has],
      frames,
      confidence: rows.length >= MANY_NAMES || denied >= 10 ? 'high' : 'medium',
      names,
    }
  }
}
