/**
 * Completes what each client showed of its search list: by what the user's files say, and by what the lists of all have in common, the
 * cluster domain, the domains that nodes add and the tail (I5).
 */
import type { AddressId, PodDns, ResolvConf } from '../model.ts'
import { expectedOfConf, expectedOfPod, nodeDomainsOf } from './expected.ts'
import { type Client, holding, type Learner } from './learner.ts'
import { commonTail, holdAgainst, type SearchKnowledge, shareTail } from './search-knowledge.ts'

/** What all have in common is looked for whenever a list changes, and among more clients when one list in so many has changed. */
const FEW_CLIENTS = 250
const OFTEN = 8

/** What the user's files say of resolvers. */
export interface Files {
  zone: string | null
  resolvConf: ResolvConf | null
  pods: ReadonlyMap<AddressId, PodDns>
}

export class Completion {
  /** The domains that nodes add to lists, as far as they are known. */
  nodeDomains: readonly string[] = []
  private areNodesKnown = false
  private tail: readonly string[] = []
  private zoneOfLists: string | null = null
  /** The cluster domain where a pod of a known namespace asked for a service of its own. */
  private zoneOfNames: string | null = null
  /** How many clients' lists changed since all were looked at. */
  private changed = 0
  private readonly files: Files

  constructor(files: Files) {
    this.files = files
  }

  /** A pod asked for a service of its own namespace, and this came behind ".svc.": the cluster domain, and perhaps more. */
  noteZone(zone: string): void {
    if (this.zoneOfNames === null || zone.length < this.zoneOfNames.length) this.zoneOfNames = zone
  }

  /** True if all have to be looked at, now that the lists of so many more changed. */
  isDue(changed: number, clients: number): boolean {
    this.changed += changed
    return clients <= FEW_CLIENTS || this.changed >= clients / OFTEN
  }

  /** Finds out what all have in common; `zone`: the cluster domain by their lists. */
  lookAtAll(learners: readonly Learner[], zone: string | null): void {
    this.changed = 0
    this.zoneOfLists = zone
    const { resolvConf } = this.files
    const lists = resolvConf ? [resolvConf.search] : learners.map(({ learned }) => learned)
    const nodeDomains = nodeDomainsOf(lists, this.zone)
    if (nodeDomains && nodeDomains.join(' ') !== this.nodeDomains.join(' ')) this.nodeDomains = nodeDomains
    this.areNodesKnown = nodeDomains !== null
  }

  /** Completes the lists of all clients. */
  completeAll(clients: readonly Client[]): void {
    for (const client of clients) this.weighFiles(client)
    const lists = knowledgeOf(clients)
    this.tail = commonTail(lists)
    shareTail(lists, this.tail)
  }

  /** Completes the lists of some, and gives them back. */
  complete(clients: readonly Client[]): readonly SearchKnowledge[] {
    for (const client of clients) this.weighFiles(client)
    const lists = knowledgeOf(clients)
    shareTail(lists, this.tail)
    return lists
  }

  private get zone(): string | null {
    return this.files.zone ?? this.zoneOfLists ?? this.zoneOfNames
  }

  /** Holds what was learned of a client against what the user's files say. */
  private weighFiles(client: Client): void {
    const { resolvConf, pods } = this.files
    if (resolvConf === null && pods.size === 0) return
    const all = client.crossings === null ? client.atServer : [...client.atServer, client.crossings]
    const learnedNothing = all.every(({ learned }) => learned.length === 0)
    for (const learner of all) {
      const isLikeConf = resolvConf !== null && (learnedNothing ? client.asksInConf : learner.learned.length > 0)
      const expected = client.pod
        ? expectedOfPod(client.pod, this.zone)
        : isLikeConf
          ? expectedOfConf(resolvConf, learner.learned)
          : null
      const nodeDomains = this.areNodesKnown ? this.nodeDomains : null
      if (expected) holdAgainst(learner.knowledge, learner.learned, learner.ndots, expected, nodeDomains)
    }
  }
}

const knowledgeOf = (clients: readonly Client[]): SearchKnowledge[] =>
  clients.flatMap(holding).map(({ knowledge }) => knowledge)
