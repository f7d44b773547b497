/** resolv-conf-differs: clients do not search as the user's files say that they should. */
import type { AddressId } from '../model.ts'
import { plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { dots } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { FrameSample } from './frame-sample.ts'
import type { Draft, Observer, Rule } from './rule.ts'
import { type World, who } from './world.ts'

/** Walks with another ndots; one may be a tool's. */
const MIN_WALKS = 3
/** Walks over another list. */
const MIN_LIST_WALKS = 2
/** How many clients are told of in full. */
const MOST_TOLD = 3

export const resolvConfDiffers: Rule = {
  code: 'resolv-conf-differs',
  severity: 'warning',
  title: 'Clients search otherwise than their configuration says',
  means:
    'The search lists or the ndots that these clients show on the wire are not what dnsPolicy, dnsConfig and namespace of their pods (--resources), or the resolv.conf that was given (--resolv-conf), make of them. Either the files are of another time or another cluster, or something between the API server and the process changes resolv.conf: a webhook, a node with settings of its own, an entrypoint that writes the file, or a resolver that reads other settings (LOCALDOMAIN, RES_OPTIONS, its own configuration).',
  why: 'The kubelet writes resolv.conf when the pod starts and never again: a change of the node or of the kubelet reaches new pods only. Applications may read it once and keep it.',
  todo: 'Compare kubectl exec POD -- cat /etc/resolv.conf with the finding. Restart pods that are older than the change; look for a mutating webhook, and for LOCALDOMAIN and RES_OPTIONS in the environment.',
  evidence: `Where walks show a list, it must be the expected one in order, with what nodes add between the cluster's domains and those of dnsConfig; parts may be missing, because not every walk is seen to its end. For ndots only whole walks count: one that went through the list first although the name has enough dots, one that began with the name as it is although it has too few. From ${MIN_LIST_WALKS} walks for the list, ${MIN_WALKS} for ndots. Silent without --resources and --resolv-conf. What is shown and computed is what the wire says.`,
  links: [
    'https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-dns-config',
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
  ],
  shownBy: ['test/findings/resolv-conf-differs.txt'],
  begin: world => new ResolvConfDiffers(world),
}

interface Contrary {
  /** Walked first with enough dots, began as it is with too few. */
  searched: number
  asIs: number
  ndots: number
  /** Walks over a list that contradicts the expected one. */
  walks: number
  frames: FrameSample
}

class ResolvConfDiffers implements Observer {
  private readonly world: World
  private readonly clients = new Tally<AddressId, Contrary>(() => ({
    searched: 0,
    asIs: 0,
    ndots: 0,
    walks: 0,
    frames: new FrameSample(),
  }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    if (lookup.candidates.length < 2) return
    const [first] = lookup.candidates[0].transactions
    const { expected, contradicted } = this.world.trace.searchLists.of(lookup.client, first.asked)
    if (expected === null) return
    const n = dots(lookup.base)
    const { suffixes } = lookup
    const isWhole = suffixes.at(-1) === null && suffixes.length === lookup.searchList.length + 1
    const searched = expected.ndots !== null && isWhole && n >= expected.ndots
    const asIs = expected.ndots !== null && suffixes[0] === null && n < expected.ndots
    // A resolv.conf that was given is one pod's, and others have other lists.
    const otherList = contradicted && !expected.isOfAnother
    if (!searched && !asIs && !otherList) return
    const contrary = this.clients.of(lookup.client)
    if (contrary === null) return
    if (searched) contrary.searched++
    if (asIs) contrary.asIs++
    if (otherList) contrary.walks++
    contrary.ndots = expected.ndots ?? contrary.ndots
    contrary.frames.add(first)
  }

  conclude(): Draft[] {
    const all = [...this.clients].flatMap(([client, contrary]) => {
      const told = [this.tellList(client, contrary), tellNdots(contrary)].filter(text => text !== null)
      return told.length === 0 ? [] : [{ client, contrary, told: `${who(this.world, client)} ${told.join(', and ')}` }]
    })
    if (all.length === 0) return []
    const frames = new FrameSample()
    for (const { contrary } of all) frames.addAll(contrary.frames)
    const more = all.length > MOST_TOLD ? `; and ${plural(all.length - MOST_TOLD, 'more client')}` : ''
    return [
      {
        what: `${all
          .slice(0, MOST_TOLD)
          .map(({ told }) => told)
          .join('; ')}${more}.`,
        why: 'What the files say and what the process does are two things: resolv.conf is written once, when a pod starts, and read by whoever wants to.',
        advice:
          'Look at /etc/resolv.conf in the pod, at webhooks and the kubelet of its node, and at LOCALDOMAIN and RES_OPTIONS.',
        snippet: 'kubectl exec POD -- sh -c "cat /etc/resolv.conf; env | grep -E \'LOCALDOMAIN|RES_OPTIONS\'"',
        count: all.length,
        share: null,
        clients: all.map(({ client }) => client),
        servers: [],
        frames,
        confidence: 'medium',
      },
    ]
  }

  private tellList(client: AddressId, { walks }: Contrary): string | null {
    if (walks < MIN_LIST_WALKS) return null
    const { expected, list } = this.world.trace.searchLists.bestOf(client)
    if (expected === null) return null
    const meant = expected.list.map(domain => (domain === '*' ? "the node's own" : domain))
    return `searches ${list.join(', ')} where its configuration makes ${meant.join(', ') || 'nothing'}`
  }
}

function tellNdots({ searched, asIs, ndots }: Contrary): string | null {
  if (searched >= MIN_WALKS)
    return `searched first for ${plural(searched, 'name')} with ${ndots} dots or more, which ndots ${ndots} asks as they are`
  if (asIs >= MIN_WALKS) return `began as it is with ${plural(asIs, 'name')} of fewer dots than its ndots ${ndots}`
  return null
}
