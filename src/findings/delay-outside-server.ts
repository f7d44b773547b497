/** delay-outside-server: answers are late, although the servers that were asked were quick. */
import { type AddressId, NONE, type ServedFrom, type Time } from '../model.ts'
import { count, plural, roughDuration, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'
import { isAtHand } from './at-hand.ts'
import { FrameSample } from './frame-sample.ts'
import { type Draft, type Observer, type Rule, sureFrom } from './rule.ts'
import { isClusterDns, type World, whoAll } from './world.ts'

/** People notice a pause of this length, and no healthy network or process makes one. */
const LATE: Time = 0.5e9
/** A busy moment makes a few. */
const MIN_ANSWERS = 5

export const delayOutsideServer: Rule = {
  code: 'delay-outside-server',
  severity: 'warning',
  title: 'Answers come late although the servers are quick',
  means:
    "Clients wait for seconds, while the logs and metrics of the DNS servers speak of milliseconds. The time is lost outside of what a server measures: on the way to it, on the way back, or in the server's queue before it reads the query.",
  why: "CoreDNS and NodeLocal DNSCache measure from the moment in which they have read a query. A process without CPU time (a limit that throttles it, a busy node) lets queries wait in its socket, and nobody's metrics show it. Where the query is seen leaving one interface and arriving late at the next one, it is the node or the network in between: a saturated link, softirq on one busy CPU, a service mesh or a proxy.",
  todo: 'Where the forwarder held the queries: take away its CPU limit or raise it (container_cpu_cfs_throttled_periods_total tells), look at the load of its node, and at overflowing sockets (netstat -su, "receive buffer errors"). Where the way is slow: look at drops and queues of the interfaces (ip -s link, tc -s qdisc) and at what stands in between.',
  evidence: `Answered queries that were sent once and waited ${LATE / 1e9} s or more in one place that the capture shows: between two interfaces, in a forwarder before its first query to the next server or after that server's answer, or with answers that it gave from its cache or of its own knowledge. What was seen in two captures counts only where other queries between the two were not late: their clocks may differ. Silent below ${MIN_ANSWERS} answers.`,
  links: [
    'https://github.com/kubernetes/dns/issues/387',
    'https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/',
    'https://github.com/coredns/deployment/blob/master/kubernetes/Scaling_CoreDNS.md',
  ],
  shownBy: ['test/findings/delay-outside-server.txt'],
  begin: world => new DelayOutsideServer(world),
}

/** On the way there or back; with a forwarder before or after it asked on; somewhere, of an answer that the server had at hand. */
type Place = 'there' | 'back' | 'before' | 'after' | 'somewhere'

/** A server's late answers, by the two captures that showed them. */
interface Late {
  server: AddressId
  /** The two captures; NONE where one showed all. */
  clocks: number
  /** Not late, between the same two captures: their clocks agree. */
  quick: number
  late: number
  places: Record<Place, number>
  longest: Time
  clients: Set<AddressId>
  frames: FrameSample
}

class DelayOutsideServer implements Observer {
  private readonly world: World
  private readonly isOneCapture: boolean
  private answers = 0
  private readonly byServer = new Tally<number, Late>(() => ({
    server: NONE,
    clocks: NONE,
    quick: 0,
    late: 0,
    places: { there: 0, back: 0, before: 0, after: 0, somewhere: 0 },
    longest: 0,
    clients: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
    this.isOneCapture = world.files.length === 1
  }

  hop({ transaction: t, lookup, servedFrom }: Hop): void {
    if (!lookup || t.state !== ANSWERED || t.retransmissions > 0) return
    this.answers++
    const isLate = t.end - t.start >= LATE
    const clocks = this.isOneCapture ? NONE : clocksOf(t)
    if (!isLate && clocks === NONE) return
    const late = this.byServer.of(pairOf(clocks + 1, t.server))
    late.server = t.server
    late.clocks = clocks
    const place = isLate ? placeOf(t, servedFrom) : null
    if (place === null) {
      late.quick++
      return
    }
    late.late++
    late.places[place]++
    late.longest = Math.max(late.longest, t.end - t.start)
    late.clients.add(lookup.client)
    late.frames.add(t)
  }

  conclude(): Draft[] {
    const told = [...this.byServer.values()].filter(
      l => l.late > 0 && (l.clocks === NONE || l.quick >= l.late) && (!isHeld(l) || isClusterDns(this.world, l.server)),
    )
    const late = told.reduce((n, l) => n + l.late, 0)
    if (late < MIN_ANSWERS) return []
    const at = (place: Place): number => told.reduce((n, l) => n + l.places[place], 0)
    const servers = new Set(told.map(l => l.server))
    const frames = new FrameSample()
    for (const l of told) frames.addAll(l.frames)
    const who = whoAll(this.world, servers)
    const held = at('before') + at('after') + at('somewhere')
    const parts = [
      at('there') > 0 ? `${plural(at('there'), 'query', 'queries')} got to the server late` : '',
      at('back') > 0 ? `${plural(at('back'), 'answer')} got to the client late` : '',
      at('before') > 0 ? `${plural(at('before'), 'query', 'queries')} lay with ${who} before it asked on` : '',
      at('somewhere') > 0 ? `${plural(at('somewhere'), 'answer')} that ${who} had at hand came late` : '',
      at('after') > 0 ? `${plural(at('after'), 'answer')} lay with ${who} although it had them` : '',
    ].filter(Boolean)
    return [
      {
        what: `${count(late)} of ${plural(this.answers, 'answer')} (${share(late, this.answers)}) took up to ${roughDuration(Math.max(...told.map(l => l.longest)) / 1e6)} for which no server worked: ${parts.join(', ')}.`,
        why:
          at('somewhere') * 2 >= late
            ? 'The server knew the answers: it got no CPU time, or the way there is slow. A capture at the server tells which.'
            : held * 2 >= late
              ? 'Queries wait in the socket of a process that gets no CPU time; its own metrics begin when it has read them.'
              : 'Packets are held up between the two interfaces that saw them.',
        advice:
          held * 2 >= late
            ? `Look at CPU limits and throttling of ${who}, and at the load of its node.`
            : 'Look at queues and drops of the interfaces in between, and at proxies on the way.',
        snippet:
          held * 2 >= late
            ? `kubectl -n kube-system get pods -l k8s-app -o custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.limits.cpu
netstat -su | grep -i 'receive buffer errors'   # on its node`
            : `ip -s link; tc -s qdisc   # on the nodes`,
        count: late,
        share: late / this.answers,
        clients: new Set(told.flatMap(l => [...l.clients])),
        servers,
        frames,
        confidence: sureFrom(late, MIN_ANSWERS),
      },
    ]
  }
}

/** A recursor asks for other names on the way to the one that it was asked for, so it seems to rest: only forwarders are known. */
const isHeld = ({ places }: Late): boolean => places.before + places.after > 0

/** Where a late answer lost its time; null where that is not to be seen. */
function placeOf(t: Transaction, servedFrom: ServedFrom | null): Place | null {
  if (t.lastQueryAtServer - t.lastQuery >= LATE) return 'there'
  if (t.end - t.responseAtServer >= LATE) return 'back'
  if (!t.effects) return isAtHand(t, servedFrom) ? 'somewhere' : null
  let first = Number.POSITIVE_INFINITY
  let last = Number.NEGATIVE_INFINITY
  for (const effect of t.effects) {
    // A refresh: nobody waited for it.
    if (effect.start > t.end) continue
    // A try without an answer: the next server is to blame.
    if (effect.state !== ANSWERED || effect.retransmissions > 0) return null
    first = Math.min(first, effect.start - (Number.isNaN(effect.sinceSyn) ? 0 : effect.sinceSyn))
    last = Math.max(last, effect.end)
  }
  if (first - t.lastQueryAtServer >= LATE) return first < t.end ? 'before' : null
  return t.responseAtServer - last >= LATE && last > t.start ? 'after' : null
}

/** A number for the two captures that saw it and what it caused; NONE where one saw all. */
function clocksOf(t: Transaction): number {
  let other = t.otherFile(t.file)
  if (other === NONE && t.effects) for (const effect of t.effects) if (other === NONE) other = effect.otherFile(t.file)
  return other === NONE ? NONE : t.file * 0x1_0000 + other
}
