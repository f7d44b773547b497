/** autopath-seen: CoreDNS walks the search list on behalf of its clients. */
import { A, AAAA, NXDOMAIN } from '../codes.ts'
import { type AddressId, NONE } from '../model.ts'
import { count, plural } from '../quantities.ts'
import type { Candidate, Lookup } from '../trace/lookup.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { nameOf, type World, whoAll } from './world.ts'

/** A CNAME from a search candidate to the bare name may stand in a zone by hand. */
const MIN_ANSWERS = 3
/** Legs with different fates: below this, one may be a late start of the pod watch. */
const MIN_CONTRADICTIONS = 2

const links = ['https://coredns.io/plugins/autopath/', 'https://github.com/coredns/coredns/issues/3765'] as const

export const autopathSeen: Rule = {
  code: 'autopath-seen',
  severity: 'info',
  title: 'CoreDNS answers the first candidate with autopath',
  means:
    'The autopath plugin of CoreDNS is at work: asked for the first candidate of a search, it walks the list itself and answers with a CNAME to the name that exists. Clients need one round instead of five; the walk and its queries upstream still happen inside CoreDNS.',
  why: 'autopath knows the search list of a pod from its address (it watches all pods). Pods that it does not know, or that have another ndots or another search list, are not helped.',
  todo: 'Nothing. Mind that autopath costs CoreDNS memory (it watches all pods) and does not see pods behind NodeLocal DNSCache, whose queries come from the node.',
  evidence: `At least ${MIN_ANSWERS} responses to a name with a search domain of their client hold a CNAME to the same name without it.`,
  links,
  shownBy: ['test/findings/autopath-seen.txt', 'recording 11-autopath'],
  begin: world => new Autopath(world, 'seen'),
}

export const autopathInconsistent: Rule = {
  code: 'autopath-inconsistent',
  severity: 'warning',
  title: 'autopath gives A and AAAA of one lookup different fates',
  means:
    'For one candidate CoreDNS answered A with the result of its own walk (autopath) and AAAA with NXDOMAIN, or the other way round. Clients that take NXDOMAIN at its word, such as musl, then fail for a name that exists.',
  why: 'autopath decides for each query on its own. When the result of the walk differs between the types, or one of the two was answered from a cache behind it, the two answers contradict each other.',
  todo: 'Leave autopath out of the Corefile and set a smaller ndots for the workloads instead, or use NodeLocal DNSCache.',
  evidence: `Candidates of which one family got a CNAME to the bare name and the other NXDOMAIN, at least ${MIN_CONTRADICTIONS} times.`,
  links,
  shownBy: ['test/findings/autopath-inconsistent.txt'],
  begin: world => new Autopath(world, 'inconsistent'),
}

class Autopath implements Observer {
  private readonly world: World
  private readonly wanted: 'seen' | 'inconsistent'
  private answers = 0
  private contradictions = 0
  private readonly clients = new Set<AddressId>()
  private readonly servers = new Set<AddressId>()
  private readonly frames = new FrameSample()

  constructor(world: World, wanted: 'seen' | 'inconsistent') {
    this.world = world
    this.wanted = wanted
  }

  lookup(lookup: Lookup): void {
    for (let i = 0; i < lookup.candidates.length; i++)
      if (lookup.suffixes[i] !== null && hasCname(lookup.candidates[i])) this.look(lookup, i)
  }

  private look(lookup: Lookup, i: number): void {
    const { transactions } = lookup.candidates[i]
    const rewritten = transactions.filter(t => this.isRewritten(t, lookup.suffixes[i] as string))
    if (rewritten.length === 0) return
    this.answers += rewritten.length
    const denied = transactions.find(
      t => (t.qtype === A || t.qtype === AAAA) && t.state === ANSWERED && t.rcode === NXDOMAIN,
    )
    if (denied) this.contradictions++
    if (this.wanted === 'inconsistent' && !denied) return
    this.clients.add(lookup.client)
    this.servers.add(rewritten[0].server)
    this.frames.add(denied ?? rewritten[0])
  }

  private isRewritten(t: Transaction, suffix: string): boolean {
    if (t.state !== ANSWERED || t.cname === NONE || t.qname === NONE) return false
    const name = nameOf(this.world, t.qname)
    return name === `${nameOf(this.world, t.cname)}.${suffix}`
  }

  conclude(): Draft[] {
    const common = {
      share: null,
      clients: this.clients,
      servers: this.servers,
      frames: this.frames,
    }
    if (this.wanted === 'inconsistent') {
      if (this.contradictions < MIN_CONTRADICTIONS) return []
      return [
        {
          ...common,
          what: `${plural(this.contradictions, 'lookup')} got a name through autopath for one family and NXDOMAIN for the other.`,
          why: 'autopath decides for A and AAAA apart, and the two answers can contradict each other.',
          advice: 'Leave autopath out of the Corefile; a smaller ndots in the dnsConfig saves as much.',
          count: this.contradictions,
          confidence: 'medium',
        },
      ]
    }
    if (this.answers < MIN_ANSWERS) return []
    return [
      {
        ...common,
        what: `${whoAll(this.world, this.servers)} answered ${count(this.answers)} search candidates with a CNAME to the bare name (autopath), for ${plural(this.clients.size, 'client')}.`,
        why: 'The autopath plugin of CoreDNS walks the search list for the pods that it knows.',
        advice: 'Nothing to do; clients that still walk are not known to autopath, or have another search list.',
        count: this.answers,
        confidence: 'high',
      },
    ]
  }
}

function hasCname({ transactions }: Candidate): boolean {
  for (const t of transactions) if (t.cname !== NONE) return true
  return false
}
