/** server-stalls: a server stands still for moments, again and again, and then answers all that waits at once. */
import type { AddressId, Time } from '../model.ts'
import { count, plural, roughDuration, share } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { Tally } from '../trace/tally.ts'
import { answersBy } from './answers.ts'
import { isHeldUp } from './at-hand.ts'
import { FrameSample } from './frame-sample.ts'
import { type Concluded, type Draft, type Observer, type Rule, serversOf, sureFrom } from './rule.ts'
import { isClusterDns, serverRole, type World, who, whoAll } from './world.ts'

/** An answer at hand takes a fraction of a millisecond; one that took so long was held back. */
const HELD: Time = 10e6
/** Answers to queries that came at different times leave within this of each other when a process goes on. */
const AT_ONCE: Time = 2e6
/** Queries so far apart are none of one client's A and AAAA. */
const APART: Time = 4e6
/** A busy node stops any process now and then. */
const MIN_STALLS = 10
const MIN_SHARE = 0.02
/** Answers that left at once although their queries came at different times, and how many of them for one that did otherwise. */
const MIN_AT_ONCE = 10
const AT_ONCE_FOR_OTHER = 5
/** Held answers of one server whose times are remembered. */
const MOST_TIMES = 2_000

export const serverStalls: Rule = {
  code: 'server-stalls',
  severity: 'warning',
  title: 'A DNS server stands still for moments, again and again',
  means:
    'Between quick answers a server answers nobody for some tens of milliseconds, and then all that waits at once. Each lookup that falls into such a moment waits for its end, and a search list of four domains can fall into several. Its own metrics show next to nothing of it: they begin when the process has read a query.',
  why: 'A CPU limit: the kernel counts the processor time of a container in periods of 100 ms, and stops it for the rest of the period when its part is used up (CFS throttling). A process that cleans its memory for long, or a node with more work than processors, looks alike.',
  todo: "Compare with container_cpu_cfs_throttled_periods_total of the server's pod; take away its CPU limit or raise it. Where it has none, look at the load of its node (kubectl top node, /proc/pressure/cpu).",
  evidence: `Answers of a server of the cluster that it had at hand (from its cache, or of its own knowledge) and that took ${HELD / 1e6} ms and more: each begins a time in which the server answers nobody. At least ${MIN_STALLS} such times, ${MIN_SHARE * 100} % of the server's answers in them, and ${MIN_AT_ONCE} answers to queries that came at least ${APART / 1e6} ms after the first and left within ${AT_ONCE / 1e6} ms of its answer; for ${AT_ONCE_FOR_OTHER} of these at most one that left before or later: then it is the way there that is slow, or what was asked. Silent for servers of which server-outage or delay-outside-server tells.`,
  links: [
    'https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#how-pods-with-resource-limits-are-run',
    'https://docs.kernel.org/scheduler/sched-bwc.html',
    'https://github.com/coredns/deployment/blob/master/kubernetes/Scaling_CoreDNS.md',
  ],
  shownBy: ['test/findings/server-stalls.txt'],
  begin: world => new ServerStalls(world),
}

/** Answers that one server had at hand and held back. */
interface Held {
  count: number
  /** Start and end of the first of them, one after the other, in no order of time. */
  times: number[]
  clients: Set<AddressId>
  frames: FrameSample
}

/** How often a server stood still. */
interface Stalls {
  count: number
  longest: Time
  /** Answers to queries that came later than the first of their time, by whether they left with it. */
  atOnce: number
  otherwise: number
}

class ServerStalls implements Observer {
  private readonly world: World
  private readonly servers = new Tally<AddressId, Held>(() => ({
    count: 0,
    times: [],
    clients: new Set(),
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop(hop: Hop): void {
    if (!isHeldUp(hop, HELD)) return
    const { transaction: t, lookup } = hop
    const held = this.servers.of(t.server)
    held.count++
    held.clients.add(lookup.client)
    held.frames.add(t)
    if (held.times.length < 2 * MOST_TIMES) held.times.push(t.start, t.end)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    const told = new Set([...serversOf(earlier, 'server-outage'), ...serversOf(earlier, 'delay-outside-server')])
    return [...this.servers]
      .filter(([server, { count }]) => count >= MIN_STALLS && isClusterDns(this.world, server) && !told.has(server))
      .filter(([server, { count }]) => count >= MIN_SHARE * answersBy(this.world, server))
      .map(([server, held]) => ({ server, held, stalls: stallsIn(held.times) }))
      .filter(({ stalls: { count, atOnce, otherwise } }) => {
        return count >= MIN_STALLS && atOnce >= MIN_AT_ONCE && atOnce >= AT_ONCE_FOR_OTHER * otherwise
      })
      .sort((a, b) => b.held.count - a.held.count)
      .map(({ server, held, stalls }) => this.draft(server, held, stalls))
  }

  /** Servers of the same role that went on. */
  private othersThan(server: AddressId): Set<AddressId> {
    const role = serverRole(this.world, server)
    // There is an edge for every client, and each look at a server goes through all of them.
    const servers = new Set([...this.world.trace.sums.edges.values()].map(({ to }) => to))
    return new Set(
      [...servers].filter(
        other =>
          other !== server &&
          serverRole(this.world, other) === role &&
          (this.servers.get(other)?.count ?? 0) < MIN_SHARE * answersBy(this.world, other),
      ),
    )
  }

  private draft(server: AddressId, held: Held, stalls: Stalls): Draft {
    const all = answersBy(this.world, server)
    const others = this.othersThan(server)
    const beside = others.size > 0 ? ` ${whoAll(this.world, others)} did not.` : ''
    const often = held.times.length < 2 * MOST_TIMES ? '' : 'at least '
    const answers = `${count(held.count)} of its ${plural(all, 'answer')} (${share(held.count, all)})`
    return {
      what: `${who(this.world, server)} stood still ${often}${plural(stalls.count, 'time')}, for up to ${roughDuration(stalls.longest / 1e6)}: it held back ${answers} that it had at hand, and when it went on, answers to queries of different times left at once.${beside}`,
      why: 'A container that has used up its CPU limit is stopped for the rest of each period of 100 ms; a node without free processors does the same.',
      advice: `Look at CPU limits and throttling of ${who(this.world, server)}, and at the load of its node.`,
      snippet:
        'kubectl -n kube-system get pods -o custom-columns=POD:.metadata.name,IP:.status.podIP,CPU:.spec.containers[*].resources.limits.cpu',
      count: held.count,
      share: held.count / all,
      clients: held.clients,
      servers: [server],
      frames: held.frames,
      confidence: sureFrom(Math.min(stalls.count, stalls.atOnce), MIN_STALLS),
    }
  }
}

/** Each begins with a query that finds the server at rest, and ends with its answer. */
function stallsIn(times: readonly number[]): Stalls {
  const stalls: Stalls = { count: 0, longest: 0, atOnce: 0, otherwise: 0 }
  const held = Array.from({ length: times.length / 2 }, (_, i) => ({ start: times[2 * i], end: times[2 * i + 1] }))
  let from = 0
  let until = Number.NEGATIVE_INFINITY
  for (const { start, end } of held.sort((a, b) => a.start - b.start)) {
    if (start >= until) {
      stalls.count++
      stalls.longest = Math.max(stalls.longest, end - start)
      from = start
      until = end
    } else if (Math.abs(end - until) > AT_ONCE) stalls.otherwise++
    else if (start >= from + APART) stalls.atOnce++
  }
  return stalls
}
