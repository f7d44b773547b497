/** upstreams-disagree: of two servers behind one forwarder, one knows a name that the other denies. */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, plural, share } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { hasAnswer } from '../trace/outcome.ts'
import type { Hop } from '../trace/trace.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { kept } from '../trace/transactions.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { Tally } from './tally.ts'
import { isClusterDns, listed, nameOf, serverRole, type World, who, whoAll } from './world.ts'

/** A name may be created or deleted between two answers; each side must have said it this often. */
const MIN_ANSWERS = 2
const MOST_SERVERS = 8
const MOST_ASKERS = 8
/** Clients that ask a server of the two themselves: fewer queries may be somebody's dig. */
const MIN_DIRECT = 10

export const upstreamsDisagree: Rule = {
  code: 'upstreams-disagree',
  severity: 'problem',
  title: 'Upstream servers give contradicting answers',
  means:
    'The same question gets an answer with data from one upstream server and NXDOMAIN from another, and one forwarder asks both. Whether a lookup succeeds is a matter of chance, and a cached NXDOMAIN keeps it failing for a while. A look at the node shows nothing: it asks its servers in order, so the first one always wins.',
  why: 'CoreDNS "forward" picks a server at random for each query and takes NXDOMAIN for a valid answer; it never asks the next one for it. Servers behind one "forward" must therefore know the same names. A custom DNS server beside that of the cloud, or a list that is out of date, breaks this.',
  todo: 'Give the private zone a server block of its own in the Corefile (a stub domain) that forwards to the server that knows it, and leave only equal servers behind "forward .". "policy sequential" only hides the trouble: it still ends at the other server when the first one is slow.',
  evidence: `Answers of servers with the role upstream, asked by the same CoreDNS or node-local cache, held against each other by name: one always has it, the other never. Silent below ${MIN_ANSWERS} answers on each side. Lookups that ended with NXDOMAIN for such a name are counted as explained.`,
  links: [
    'https://coredns.io/plugins/forward/',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/',
    'https://github.com/coredns/coredns/issues/2830',
  ],
  shownBy: [
    'samples/04-upstreams-disagree.pcap',
    'test/findings/upstreams-disagree.txt',
    'recordings 04-upstreams-disagree and 10-busy',
  ],
  begin: world => new UpstreamsDisagree(world),
}

interface Answers {
  data: number
  empty: number
  nxdomain: number
  firstData: Transaction | null
  firstNxdomain: Transaction | null
  askers: Set<AddressId>
}

interface Question {
  byServer: Map<AddressId, Answers>
}

/** What a client got that asked one of the servers itself. */
interface Direct {
  name: NameId
  server: AddressId
  data: number
  nxdomain: number
  clients: Set<AddressId>
}

class UpstreamsDisagree implements Observer {
  private readonly world: World
  private readonly questions = new Tally<NameId, Question>(() => ({ byServer: new Map() }))
  private readonly lookups = new Tally<string, { all: number; denied: number; clients: Set<AddressId> }>(() => ({
    all: 0,
    denied: 0,
    clients: new Set(),
  }))
  private readonly direct = new Tally<number, Direct>(() => ({
    name: NONE,
    server: NONE,
    data: 0,
    nxdomain: 0,
    clients: new Set(),
  }))
  /** Servers outside that somebody other than a forwarder asked. */
  private readonly askedDirectly = new Tally<AddressId, { queries: number }>(() => ({ queries: 0 }))
  private denied = 0

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, from, forwarder }: Hop): void {
    if (t.state !== ANSWERED || t.qname === NONE) return
    if (t.rcode !== NOERROR && t.rcode !== NXDOMAIN) return
    if (!forwarder) {
      if (serverRole(this.world, t.server) === 'upstream') this.noteDirect(t)
      return
    }
    const question = this.questions.of(t.qname)
    if (!question) return
    let answers = question.byServer.get(t.server)
    if (!answers) {
      if (question.byServer.size >= MOST_SERVERS) return
      answers = { data: 0, empty: 0, nxdomain: 0, firstData: null, firstNxdomain: null, askers: new Set() }
      question.byServer.set(t.server, answers)
    }
    if (answers.askers.size < MOST_ASKERS) answers.askers.add(from)
    if (t.rcode === NXDOMAIN) {
      answers.nxdomain++
      answers.firstNxdomain ??= kept(t)
    } else if (hasAnswer(t)) {
      answers.data++
      answers.firstData ??= kept(t)
    } else answers.empty++
  }

  private noteDirect(t: Transaction): void {
    const asked = this.askedDirectly.of(t.server)
    if (asked) asked.queries++
    const direct = this.direct.of(t.qname * 0x200000 + t.server)
    if (!direct) return
    direct.name = t.qname
    direct.server = t.server
    if (t.rcode === NXDOMAIN) direct.nxdomain++
    else if (hasAnswer(t)) direct.data++
    if (direct.clients.size < MOST_ASKERS) direct.clients.add(t.client)
  }

  lookup(lookup: Lookup): void {
    const name = this.lookups.of(lookup.base)
    const denied = lookup.outcome === 'nxdomain'
    if (denied) this.denied++
    if (!name) return
    name.all++
    if (!denied) return
    name.denied++
    name.clients.add(lookup.client)
  }

  conclude(): Draft[] {
    const byPair = new Map<string, { knows: AddressId; denies: AddressId; names: string[]; questions: Question[] }>()
    for (const [id, question] of this.questions.map) {
      if (question.byServer.size < 2) continue
      for (const [knows, yes] of question.byServer) {
        if (yes.data === 0 || yes.nxdomain > 0 || yes.data + yes.empty < MIN_ANSWERS) continue
        if (serverRole(this.world, knows) !== 'upstream') continue
        for (const [denies, no] of question.byServer) {
          if (no.nxdomain < MIN_ANSWERS || no.data + no.empty > 0) continue
          if (serverRole(this.world, denies) !== 'upstream' || !this.oneAsksBoth(yes, no)) continue
          const key = `${knows} ${denies}`
          const pair = byPair.get(key) ?? { knows, denies, names: [], questions: [] }
          byPair.set(key, pair)
          pair.names.push(nameOf(this.world, id))
          pair.questions.push(question)
        }
      }
    }
    return [...byPair.values()].map(pair => this.draft(pair))
  }

  /** One pod with a resolver of its own beside CoreDNS with another is no contradiction: one forwarder must ask both. */
  private oneAsksBoth(yes: Answers, no: Answers): boolean {
    return [...yes.askers].some(asker => no.askers.has(asker) && isClusterDns(this.world, asker))
  }

  private draft({
    knows,
    denies,
    names,
    questions,
  }: {
    knows: AddressId
    denies: AddressId
    names: string[]
    questions: Question[]
  }): Draft {
    const sum = (value: (question: Question) => number): number => questions.reduce((n, q) => n + value(q), 0)
    const positive = sum(q => q.byServer.get(knows)!.data + q.byServer.get(knows)!.empty)
    const negative = sum(q => q.byServer.get(denies)!.nxdomain)
    const hit = names.map(name => this.lookups.map.get(name)).filter(lookups => lookups !== undefined)
    const explained = hit.reduce((n, lookups) => n + lookups.denied, 0)
    const all = hit.reduce((n, lookups) => n + lookups.all, 0)
    const frames = new FrameSample()
    for (const question of questions) {
      for (const t of [question.byServer.get(knows)!.firstData, question.byServer.get(denies)!.firstNxdomain])
        if (t) frames.add(t)
    }
    const zone = zoneOfNames(names)
    const failures =
      explained > 0
        ? ` ${count(explained)} of ${plural(all, 'lookup')} of ${names.length === 1 ? 'this name' : 'these names'} failed by it: ${share(explained, this.denied)} of all "no such name".`
        : ''
    return {
      what: `${who(this.world, knows)} knows ${listed(names, 2)} (${plural(positive, 'answer')}), ${who(this.world, denies)} says that there is no such name (${count(negative)} times), and both are asked at random.${failures}${this.directly(knows, denies, names)}`,
      why: 'CoreDNS takes NXDOMAIN from any server behind "forward" for final and does not ask the next one.',
      advice: `Forward ${zone} to ${who(this.world, knows)} alone, in a server block of its own, and keep only servers with equal knowledge behind "forward .".`,
      snippet: `# Corefile
${zone}:53 {
    errors
    cache 30
    forward . ${this.world.tables.addresses.text(knows)}
}`,
      count: explained > 0 ? explained : negative,
      share: explained > 0 ? explained / all : negative / (negative + positive),
      clients: new Set(hit.flatMap(lookups => [...lookups.clients])),
      servers: [knows, denies],
      frames,
      confidence: positive + negative >= 10 ? 'high' : 'medium',
      names,
    }
  }

  /** Who asks one of the two servers itself, and which of the two nobody else asks. */
  private directly(knows: AddressId, denies: AddressId, names: readonly string[]): string {
    const got = [...this.direct.map.values()].filter(
      d => (d.server === knows || d.server === denies) && names.includes(nameOf(this.world, d.name)),
    )
    const clients = whoAll(
      this.world,
      got.flatMap(d => [...d.clients]),
    )
    const data = got.reduce((n, d) => n + d.data, 0)
    const nxdomain = got.reduce((n, d) => n + d.nxdomain, 0)
    const told =
      data > 0 && nxdomain === 0
        ? ` ${clients}, asking ${who(this.world, knows)} directly, always got it (${plural(data, 'time')}): it resolves where others fail.`
        : nxdomain > 0 && data === 0
          ? ` ${clients}, asking ${who(this.world, denies)} directly, never got it.`
          : ''
    const asked = (server: AddressId): number => this.askedDirectly.map.get(server)?.queries ?? 0
    const left = asked(knows) >= MIN_DIRECT && asked(denies) === 0 ? denies : null
    return left === null
      ? told
      : `${told} Nobody else asks ${who(this.world, left)}: it stands second in the nodes' list, or CoreDNS has a list that is out of date.`
  }
}

/** The zone that holds all names: their common ending, at most all but the first label. */
function zoneOfNames(names: readonly string[]): string {
  const split = names.map(name => name.split('.').reverse())
  const shortest = Math.min(...split.map(labels => labels.length)) - 1
  let common = 0
  while (common < shortest && split.every(labels => labels[common] === split[0][common])) common++
  return common === 0 ? names[0] : split[0].slice(0, common).reverse().join('.')
}
