/** pps-near-cloud-limit: queries to the cloud's resolver come near the number at which it begins to drop. */

import { type AddressId, NONE } from '../model.ts'
import { count } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import { pairOf } from '../trace/pair.ts'
import { Tally } from '../trace/tally.ts'
import { UNSEEN } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { serverRole, type World, who } from './world.ts'

/** AWS drops above 1,024 packets a second and network interface. */
const LIMIT = 1024
/** From here on a burst a little larger than the captured one is lost. */
const MIN_RATE = 800

export const ppsNearCloudLimit: Rule = {
  code: 'pps-near-cloud-limit',
  severity: 'warning',
  title: "Queries come near the limit of the cloud's resolver",
  means:
    'One node sends more than 800 queries within a second to the resolver of its cloud. AWS drops what exceeds 1,024 packets per second and network interface, without a word: lookups then wait for their retry.',
  why: 'All pods of a node, and CoreDNS on it, share the limit of its network interface. Search domains that leave the cluster multiply the queries by four to eight.',
  todo: 'Reduce what leaves the cluster (ndots-waste, useless-suffix), cache on the node (NodeLocal DNSCache), and spread CoreDNS over more nodes. On AWS "ethtool -S eth0" counts linklocal_allowance_exceeded.',
  evidence: `The busiest second of one source address toward a private or link-local resolver that ends in .2 or .253, which is where clouds put theirs, or is one of their well-known addresses: at least ${MIN_RATE} queries.`,
  links: [
    'https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-limits',
    'https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html',
    'https://github.com/coredns/coredns/issues/4327',
  ],
  shownBy: ['test/findings/pps-near-cloud-limit.txt'],
  begin: world => new PpsNearCloudLimit(world),
}

const CLOUD = /^(169\.254\.169\.25[34]|fd00:ec2::253|168\.63\.129\.16|100\.100\.2\.13[68]|(10|172|192)\.\d+\.\d+\.2)$/

interface Source {
  source: AddressId
  server: AddressId
  second: number
  now: number
  most: number
  unanswered: number
  frames: FrameSample
}

class PpsNearCloudLimit implements Observer {
  private readonly world: World
  private readonly sources = new Tally<number, Source>(() => ({
    source: NONE,
    server: NONE,
    second: -1,
    now: 0,
    most: 0,
    unanswered: 0,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  hop({ transaction: t }: Hop): void {
    const source = this.sources.of(pairOf(t.seen, t.server))
    source.source = t.seen
    source.server = t.server
    const second = Math.floor(t.start / 1e9)
    if (second !== source.second) {
      source.second = second
      source.now = 0
    }
    source.now += 1 + t.retransmissions
    source.most = Math.max(source.most, source.now)
    if (source.now >= MIN_RATE) source.frames.add(t)
    if (Number.isNaN(t.end) && t.state !== UNSEEN) source.unanswered++
  }

  conclude(): Draft[] {
    return [...this.sources.values()]
      .filter(
        s =>
          s.most >= MIN_RATE &&
          serverRole(this.world, s.server) === 'upstream' &&
          CLOUD.test(this.world.tables.addresses.text(s.server)),
      )
      .map(s => ({
        what: `${who(this.world, s.source)} sent ${count(s.most)} queries within a second to ${who(this.world, s.server)}; AWS drops above ${count(LIMIT)} packets a second and interface.${s.unanswered > 0 ? ` ${count(s.unanswered)} were not answered.` : ''}`,
        why: "All pods of a node share the limit of its network interface toward the cloud's resolver.",
        advice:
          'Reduce what leaves the cluster, and cache on the node; on AWS the command below counts what was dropped.',
        snippet: 'ethtool -S eth0 | grep linklocal_allowance_exceeded',
        count: s.most,
        share: null,
        clients: [s.source],
        servers: [s.server],
        frames: s.frames,
        confidence: s.unanswered > 0 ? ('high' as const) : ('medium' as const),
      }))
  }
}
