/** server-errors: a server answers with SERVFAIL, REFUSED or the like, and nobody behind it is seen to be the cause. */
import { AAAA, REFUSED, rcodeName, SERVFAIL } from '../codes.ts'
import { type AddressId, type NameId, NONE, type Time } from '../model.ts'
import { count, listed, plural, roughDuration, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import { isWithin } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, isFinal, isUntold, type Transaction } from '../trace/transaction.ts'
import { Domains } from './domains.ts'
import { type FewAddresses, NOBODY, withAddress } from './few-addresses.ts'
import { adviceAgainstLoop, ForwardLoops, loopOf, WHY_LOOP } from './forward-loops.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, serversOf, sureFrom } from './rule.ts'
import { clockTime, isClusterDns, nameOf, type World, who, whoAll, zoneOf } from './world.ts'

/** One bad name that is asked for again and again is no matter of its server; so many errors, and such a share of its answers, are. */
const MIN_ERRORS = 10
const MIN_SHARE = 0.02
/** From so many failed lookups, or such a share, it is more than a nuisance. */
const BAD_LOOKUPS = 5
const BAD_SHARE = 0.5
/** So many of the errors concern names of one domain, or AAAA alone, or are SERVFAIL. */
const NEARLY_ALL = 0.9
/** An error that took so long comes from somebody who waited in vain. */
const LONG: Time = 1.5e9
const ENOUGH_SLOW = 5
const MOST_DOMAINS = 50
/** Names of the cluster that are answered with errors, and of each so many servers that answer it well. */
const MOST_NAMES = 1000
const MOST_OTHERS = 8

export const serverErrors: Rule = {
  code: 'server-errors',
  severity: 'problem',
  title: 'A server answers with errors',
  means:
    'A server answers a good part of what it is asked with SERVFAIL, REFUSED, NOTIMP or FORMERR. An error is no answer: resolvers ask again, or the next nameserver, or give up (musl and c-ares at once, glibc at the end of its walk), and nobody may cache it for long.',
  why: 'SERVFAIL: CoreDNS gets no answer, or an error, from the servers behind it (after seconds: they are silent; at once: they refuse, loop, or DNSSEC fails there), or a plugin fails, such as kubernetes without the API server. REFUSED: the server does not serve that name to this client: an access list, no zone or "forward" for it in the Corefile, a rate limit. FORMERR and NOTIMP: it does not understand the query, for instance EDNS or a type.',
  todo: 'Look at the log of the server that the finding names (CoreDNS: plugin "errors"), and ask it, and each server behind it, for one of these names. Where only names of one domain fail, its own servers are to blame; where that is the domain of the cluster, the CoreDNS pod itself is: it has lost the API server, or has not heard all of it yet.',
  evidence: `Answers with an error, where the capture shows none of the queries that they caused to have failed: at least ${MIN_ERRORS} of a server, and ${MIN_SHARE * 100} % of its answers. Silent of servers for which coredns-unreachable speaks.`,
  links: [
    'https://coredns.io/plugins/errors/',
    'https://coredns.io/plugins/forward/',
    'https://www.rfc-editor.org/rfc/rfc8914',
  ],
  shownBy: ['test/findings/server-errors.txt', 'recording 06-loss-slow-timeout'],
  begin: world => new ServerErrors(world),
}

interface Server {
  answers: number
  errors: number
  byRcode: Map<number, number>
  aaaa: number
  /** Answers to queries with EDNS, and errors among these. */
  withEdns: number
  errorsWithEdns: number
  /** Errors that took long, and those for which nobody waited any more. */
  slow: number
  late: number
  longest: Time
  first: Time
  /** Lookups that failed with one. */
  lookups: number
  domains: Domains
  /** Errors for names of the cluster's own domain. */
  ofCluster: number
  clients: Set<AddressId>
  frames: FrameSample
}

class ServerErrors implements Observer {
  private readonly world: World
  private readonly servers = new Tally<AddressId, Server>(() => ({
    answers: 0,
    errors: 0,
    byRcode: new Map(),
    aaaa: 0,
    withEdns: 0,
    errorsWithEdns: 0,
    slow: 0,
    late: 0,
    longest: 0,
    first: Number.POSITIVE_INFINITY,
    lookups: 0,
    domains: new Domains(MOST_DOMAINS),
    ofCluster: 0,
    clients: new Set(),
    frames: new FrameSample(),
  }))
  /** Names of the cluster, from the first error on: who answered with one, and who gave a proper answer. */
  private readonly ofCluster = new Tally<NameId, { failed: FewAddresses; well: FewAddresses }>(
    () => ({ failed: NOBODY, well: NOBODY }),
    MOST_NAMES,
  )

  private readonly loops: ForwardLoops

  constructor(world: World) {
    this.world = world
    this.loops = new ForwardLoops(world)
  }

  lookup(lookup: Lookup): void {
    if (lookup.outcome !== 'servfail' && lookup.outcome !== 'refused' && lookup.outcome !== 'other') return
    const failed = lookup.candidates.flatMap(({ transactions }) => transactions).findLast(isError)
    if (failed) this.servers.of(failed.server).lookups++
  }

  hop(hop: Hop): void {
    const { transaction: t, servedFrom } = hop
    this.loops.add(hop)
    if (t.state !== ANSWERED) return
    const server = this.servers.of(t.server)
    server.answers++
    if (t.edns !== NONE) server.withEdns++
    if (isFinal(t)) this.noteAnswer(t)
    // What is in a cache, or was asked for somebody else, came from behind.
    if (!isError(t) || servedFrom === 'cache' || servedFrom === 'shared' || comesFromBehind(t)) return
    server.errors++
    server.byRcode.set(t.rcode, (server.byRcode.get(t.rcode) ?? 0) + 1)
    if (t.qtype === AAAA) server.aaaa++
    if (t.edns !== NONE) server.errorsWithEdns++
    if (t.cameTooLate) server.late++
    const wait = t.end - t.start
    if (wait >= LONG) server.slow++
    server.longest = Math.max(server.longest, wait)
    server.first = Math.min(server.first, t.start)
    server.clients.add(t.client)
    server.frames.add(t)
    server.domains.add(this.world, t)
    const zone = zoneOf(this.world)
    if (zone === null || t.qname === NONE || !isWithin(nameOf(this.world, t.qname), zone)) return
    server.ofCluster++
    const name = this.ofCluster.of(t.qname)
    name.failed = withAddress(name.failed, t.server, MOST_OTHERS)
  }

  /** Others answer what one answers with errors. */
  private noteAnswer({ qname, server }: Transaction): void {
    if (this.ofCluster.size === 0 || qname === NONE) return
    const name = this.ofCluster.get(qname)
    if (name) name.well = withAddress(name.well, server, MOST_OTHERS)
  }

  /** Who of the cluster's servers answers well what this one answers with errors. */
  private othersThan(address: AddressId): AddressId[] {
    const well = new Set(
      this.ofCluster.values().flatMap(({ failed, well }) => (failed.includes(address) ? well : NOBODY)),
    )
    return [...well].filter(server => server !== address && isClusterDns(this.world, server))
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const told = serversOf(earlier, 'coredns-unreachable')
    const late = serversOf(earlier, 'answer-too-late')
    return [...this.servers]
      .filter(([address, s]) => !(late.has(address) && s.late >= NEARLY_ALL * s.errors))
      .filter(
        ([address, { errors, answers }]) => errors >= MIN_ERRORS && errors >= MIN_SHARE * answers && !told.has(address),
      )
      .sort((a, b) => b[1].errors - a[1].errors)
      .map(([address, server]) => this.draft(address, server))
  }

  private draft(address: AddressId, s: Server): Draft {
    const rcodes = [...s.byRcode].sort((a, b) => b[1] - a[1])
    const kinds =
      rcodes.length === 1
        ? rcodeName(rcodes[0][0])
        : rcodes.map(([rcode, n]) => `${count(n)} ${rcodeName(rcode)}`).join(', ')
    const { domain, count: most } = s.domains.top
    const answersOther = s.errors < NEARLY_ALL * s.answers
    const isOneDomain = most >= NEARLY_ALL * s.errors && answersOther
    const zone = zoneOf(this.world)
    // Its own work, which no server behind it does.
    const isOwn = zone !== null && answersOther && s.ofCluster >= NEARLY_ALL * s.errors
    const others = isOwn ? this.othersThan(address) : []
    const { suffixes } = this.world.trace.searchLists
    const searched = isOneDomain && !isOwn ? suffixes.find(suffix => isWithin(suffix, domain)) : undefined
    const loop = isOwn ? [] : this.loops.askedBy(address)
    const parts = [
      isOwn
        ? ` ${s.ofCluster === s.errors ? 'All' : count(s.ofCluster)} of these are for names of ${zone}, the cluster's own.`
        : isOneDomain
          ? ` ${most === s.errors ? 'All' : count(most)} of these are for names of ${domain}.`
          : ` Among them are names of ${listed(s.domains.first(2), 2)}.`,
      s.errorsWithEdns === s.errors && s.withEdns < NEARLY_ALL * s.answers ? ' All of these were asked with EDNS.' : '',
      s.aaaa >= NEARLY_ALL * s.errors ? ` ${s.aaaa === s.errors ? 'All' : count(s.aaaa)} of these are for AAAA.` : '',
      isSlow(s)
        ? ` ${count(s.slow)} of them came after ${roughDuration(LONG / 1e6)} and more, up to ${roughDuration(s.longest / 1e6)}.`
        : '',
      s.lookups > 0 ? ` ${plural(s.lookups, 'lookup')} failed with it.` : '',
      loop.length > 0 ? ` It asks ${loopOf(this.world, loop)}.` : '',
      others.length > 0 ? ` ${whoAll(this.world, others)} answered the same names.` : '',
    ]
    return {
      severity:
        s.lookups >= BAD_LOOKUPS || (s.lookups > 0 && s.errors >= BAD_SHARE * s.answers) ? 'problem' : 'warning',
      what: `${who(this.world, address)} answered ${count(s.errors)} of ${plural(s.answers, 'query', 'queries')} (${share(s.errors, s.answers)}) with ${kinds}, for ${whoAll(this.world, s.clients)}, first at ${clockTime(this.world, s.first)} UTC.${parts.join('')}`,
      why: isOwn ? this.whyOwn(address, rcodes[0][0]) : loop.length > 0 ? WHY_LOOP : this.why(rcodes[0][0], s),
      advice: isOwn
        ? this.adviceOwn(address, rcodes[0][0], others)
        : loop.length > 0
          ? adviceAgainstLoop(this.world, loop)
          : searched
            ? `${searched} is a search domain of these clients, so lookups of any name come to it: take it out of their search list, or bring its servers back.`
            : isOneDomain
              ? `Ask ${who(this.world, address)} and the servers of ${domain} for one of these names; if these fail too, the owner of ${domain} has to act.`
              : `Look at the log of ${who(this.world, address)} of that time, and ask it, and the servers behind it, for such names.`,
      snippet: `dig @${this.world.tables.addresses.text(address)} ${isOwn ? `kubernetes.default.svc.${zone}` : isOneDomain ? domain : 'kubernetes.io'} ${s.aaaa === s.errors ? 'AAAA' : 'A'} +tries=1
kubectl -n kube-system logs -l k8s-app=kube-dns --since=1h | grep -E 'ERROR|SERVFAIL'`,
      count: s.errors,
      share: s.errors / s.answers,
      clients: s.clients,
      servers: [address],
      frames: s.frames,
      confidence: sureFrom(s.errors, MIN_ERRORS),
      names: isOwn ? [zone] : isOneDomain ? [domain] : [],
    }
  }

  private whyOwn(address: AddressId, rcode: number): string {
    if (!isClusterDns(this.world, address)) return 'It is no server of the cluster, and knows nothing of its names.'
    if (rcode !== SERVFAIL)
      return 'Its Corefile has no kubernetes plugin for them, or it takes no more queries at a time.'
    return 'CoreDNS knows these names from the API server alone: it can not reach it, or has not heard all of it yet since it started.'
  }

  private adviceOwn(address: AddressId, rcode: number, others: readonly AddressId[]): string {
    const server = who(this.world, address)
    if (!isClusterDns(this.world, address))
      return `Find out why ${server} is asked for names of the cluster: the resolv.conf of who asks, or a "forward" of its own.`
    if (rcode !== SERVFAIL) return `Look at the log of ${server} of that time, and at its Corefile.`
    const compare =
      others.length > 0
        ? `Compare it with ${whoAll(this.world, others)}, and restart it if only it fails.`
        : 'Compare the CoreDNS pods with each other: restart the one that fails alone.'
    // Without another one beside it, it may be the address of the service.
    const pod = others.length > 0 ? server : `the CoreDNS pods at ${server}`
    return `Look at the log of ${pod} (plugin/kubernetes: "waiting for Kubernetes API", "failed to list") and at its way to the API server. ${compare}`
  }

  private why(rcode: number, s: Server): string {
    if (rcode === REFUSED)
      return 'It does not serve these names to these clients: an access list, no zone or "forward" for them, or a rate limit.'
    if (rcode !== SERVFAIL) return 'It does not understand these queries, such as EDNS or the type that was asked for.'
    if (isSlow(s)) return 'It waited for servers behind it, in vain.'
    return 'The servers behind it failed at once, or it can not do its own work, such as the kubernetes plugin without the API server.'
  }
}

/** What is cached, or comes from a server behind that has been given up, is quick. */
const isSlow = ({ slow, errors }: Server): boolean => slow >= ENOUGH_SLOW && slow * 5 >= errors

const isError = (t: Transaction): boolean => t.state === ANSWERED && !isFinal(t)

/** One that it asked failed as well, or was not heard of: that one has its own row, or upstream-silent tells of it. */
const comesFromBehind = ({ effects }: Transaction): boolean =>
  effects?.some(effect => isError(effect) || isUntold(effect) || Number.isNaN(effect.end)) ?? false
