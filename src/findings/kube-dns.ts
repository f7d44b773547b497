/** kube-dns: the cluster's DNS is the older kube-dns (dnsmasq), not CoreDNS. */
import { AA, RA } from '../codes.ts'
import { type AddressId, type NameId, NONE } from '../model.ts'
import { count, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import { Rows } from './rows.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { isClusterDns, type World, whoAll } from './world.ts'

/** Answers of each kind: fewer may be an odd server in between. */
const MIN_ANSWERS = 3
/** dnsmasq keeps services for 30 s, so repeats come from its cache: where hardly any do, it is something else. */
const MIN_CACHED = 0.1
/** Questions that are remembered for each server. */
const MOST_QUESTIONS = 2_000
const MOST_SERVERS = 64

export const kubeDns: Rule = {
  code: 'kube-dns',
  severity: 'info',
  title: 'The cluster runs kube-dns (dnsmasq), not CoreDNS',
  means:
    'The answers for names of the cluster bear the marks of kube-dns: dnsmasq in front of a small server inside the same pod. Most advice about CoreDNS and its Corefile does not fit. dnsmasq has a cache of 1,000 names and forwards at most 150 queries at a time; beyond that it refuses. It is one thread.',
  why: 'kube-dns was the default before Kubernetes 1.13, and GKE runs it still unless Cloud DNS or CoreDNS was chosen. Its stub domains and upstream servers stand in the ConfigMap kube-dns (stubDomains, upstreamNameservers).',
  todo: 'Read the advice of the other findings with kube-dns in mind: what belongs into the Corefile goes into the ConfigMap kube-dns (stubDomains, upstreamNameservers) and the arguments of dnsmasq (--cache-size, --dns-forward-max, --neg-ttl). NodeLocal DNSCache helps it most, as it keeps the load away from the single thread.',
  evidence: `Answers of a server of the cluster for services: "recursion available" in all (CoreDNS sets it in none), and for one and the same name once with authority (from the server behind dnsmasq) and once without (from the cache of dnsmasq). At least ${MIN_ANSWERS} of each, and ${MIN_CACHED * 100} % from the cache.`,
  links: [
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-custom-nameservers/',
    'https://cloud.google.com/kubernetes-engine/docs/how-to/kube-dns',
    'https://github.com/kubernetes/dns',
  ],
  shownBy: ['test/findings/kube-dns.txt'],
  begin: world => new KubeDns(world),
}

interface Server {
  /** Answers without "recursion available". */
  plain: number
  authoritative: number
  cached: number
  /** Services that were answered with authority. */
  questions: Rows
  /** The latest of them: A and AAAA come one after the other. */
  lastQuestion: NameId
  clients: Set<AddressId>
  frames: FrameSample
}

class KubeDns implements Observer {
  private readonly world: World
  private readonly servers = new Tally<AddressId, Server>(
    () => ({
      plain: 0,
      authoritative: 0,
      cached: 0,
      questions: new Rows(0, null, MOST_QUESTIONS),
      lastQuestion: NONE,
      clients: new Set(),
      frames: new FrameSample(),
    }),
    MOST_SERVERS,
  )

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t, forwarder }: Hop): void {
    // Without an id there are no flags either (Hubble).
    if (forwarder || t.state !== ANSWERED || t.qname === NONE || t.dnsId < 0) return
    const server = this.servers.of(t.server)
    // Who once answered like CoreDNS is no dnsmasq, whatever else it does.
    if (server.plain > 0) return
    if (!(t.responseFlags & RA)) {
      server.plain++
      return
    }
    // CoreDNS gives no authority together with RA, so in its clusters no name is looked at.
    if (t.responseFlags & AA) {
      if (t.qname === server.lastQuestion) server.authoritative++
      else if (server.questions.find(t.qname) !== NONE) {
        server.authoritative++
        server.lastQuestion = t.qname
        server.questions.of(t.qname)
      } else if (this.world.tables.names.isService(t.qname)) {
        server.authoritative++
        server.questions.of(t.qname)
      }
    } else if (server.questions.size > 0 && server.questions.find(t.qname) !== NONE) {
      server.cached++
      server.clients.add(t.client)
      server.frames.add(t)
    }
  }

  conclude(): Draft[] {
    const servers = [...this.servers].filter(
      ([address, s]) =>
        // Of what was forgotten some may have been plain.
        this.servers.isWhole(address) &&
        s.plain === 0 &&
        s.authoritative >= MIN_ANSWERS &&
        s.cached >= MIN_ANSWERS &&
        s.cached >= MIN_CACHED * (s.cached + s.authoritative) &&
        isClusterDns(this.world, address),
    )
    if (servers.length === 0) return []
    const cached = servers.reduce((n, [, s]) => n + s.cached, 0)
    const authoritative = servers.reduce((n, [, s]) => n + s.authoritative, 0)
    const frames = new FrameSample()
    for (const [, s] of servers) frames.addAll(s.frames)
    const addresses = servers.map(([address]) => address)
    return [
      {
        what: `${whoAll(this.world, addresses)} answered for services ${plural(authoritative, 'time')} with authority and ${count(cached)} times without, always with "recursion available": dnsmasq of kube-dns, not CoreDNS.`,
        why: 'dnsmasq passes on what the server behind it says with authority, and answers from its cache without.',
        advice:
          'Change its ConfigMap kube-dns and the arguments of dnsmasq where other findings speak of the Corefile.',
        snippet: `kubectl -n kube-system get configmap kube-dns -o yaml
# apiVersion: v1, kind: ConfigMap, data:
#   stubDomains: |
#     {"corp.example": ["10.0.0.53"]}
#   upstreamNameservers: |
#     ["10.0.0.2"]`,
        count: authoritative + cached,
        share: null,
        clients: new Set(servers.flatMap(([, s]) => [...s.clients])),
        servers: addresses,
        frames,
        confidence: sureFrom(cached, MIN_ANSWERS),
      },
    ]
  }
}
