/** What a capture cannot tell about another configuration, and what was taken instead: one sentence each, with how many lookups it is about. */
import type { AddressId } from '../../model.ts'
import { listed, plural } from '../../quantities.ts'
import type { Change } from '../../trace/change.ts'
import type { Doubt } from '../../trace/readings.ts'
import type { Replay, Replayed } from '../../trace/replay.ts'
import { mayExistOutside } from '../../trace/special-names.ts'
import type { LoadRow } from './types.ts'

/** Names in a sentence. */
const MOST = 3

export function doubtsOf(
  { seen, readings }: Replay,
  replayed: readonly Replayed[],
  change: Change,
  total: { before: LoadRow },
  nodeOf: (client: AddressId) => string,
): string[] {
  const lookups = (some: readonly Replayed[]): number => some.reduce((sum, { walk }) => sum + walk.lookups, 0)
  const names = (some: readonly Replayed[]): string =>
    listed([...new Set(some.map(({ reading }) => reading.base ?? 'names that were not kept'))], MOST)
  const changed = replayed.filter(({ steps }) => steps !== null)
  const doubted = (doubt: Doubt, among: readonly Replayed[] = changed): Replayed[] =>
    among.filter(({ reading }) => reading.doubts.includes(doubt))
  const sentences: string[] = []
  const say = (some: readonly Replayed[], sentence: (n: string, names: string) => string): void => {
    if (some.length > 0) sentences.push(sentence(plural(lookups(some), 'lookup'), names(some)))
  }

  const assumed = changed.filter(({ steps }) => steps!.some(step => step.assumed))
  const outside = assumed.filter(
    ({ steps, reading }) =>
      reading.base !== null && mayExistOutside(reading.base) && steps!.some(s => s.assumed && s.suffix === null),
  )
  say(
    outside,
    (n, some) =>
      `nobody asked for ${some} as it is (${n}): taken as NXDOMAIN, but on the Internet somebody may have the name.`,
  )
  say(
    assumed.filter(one => !outside.includes(one) && one.steps!.some(step => step.assumed && step.suffix === null)),
    (n, some) => `nobody asked for ${some} as it is (${n}): taken as NXDOMAIN.`,
  )
  say(
    changed.filter(({ steps }) => steps!.some(step => step.assumed && step.suffix !== null)),
    (n, some) =>
      `nobody asked for ${some} with some of the search domains (${n}): taken as these domains answer other names.`,
  )
  say(
    doubted('short or full', replayed).filter(({ reading }) => isOfMatter(reading, change)),
    (n, some) =>
      `${n} for ${some}: the first search domain answered a short name, or the full name was asked for; taken as other clients ask for it.`,
  )
  if (change.ndots !== null)
    say(
      doubted('dot at the end'),
      (n, some) => `${n} for ${some}: with a dot at the end ndots would not matter; taken as without.`,
    )
  say(doubted('resolver'), n => `${n} by clients whose resolver did not show: taken as glibc.`)
  if (change.ndots !== null || change.autopath)
    say(doubted('list', replayed), n => `${n} by clients whose search list did not show: left as they are.`)
  say(doubted('name'), n => `${n} of more different names than are kept: counted by their form.`)
  const { untold, partial, unseen } = seen.walks
  if (unseen > 0)
    sentences.push(
      `no answer to ${plural(unseen, 'lookup')} was captured: taken as found, as nothing was asked after it.`,
    )
  if (partial > 0)
    sentences.push(`${plural(partial, 'lookup')} of which a part went to a server that was not captured: left out.`)
  if (untold.lookups > 0) sentences.push(`${plural(untold.lookups, 'lookup')} beyond all bounds: left out.`)

  if (total.before.coredns === null) sentences.push('load on CoreDNS: not captured for enough of the lookups.')
  if (total.before.upstream === null) sentences.push('load on the upstream: not captured for enough of the lookups.')
  const behindCaches = readings.filter(({ walk }) => !seen.isCoredns(walk.asked))
  const direct = readings.length - behindCaches.length
  if (change.autopath && change.nodeLocalCache)
    sentences.push(
      'autopath: behind a cache on every node CoreDNS does not see the pods any more, so it changes nothing.',
    )
  else if (change.autopath && behindCaches.length > 0)
    sentences.push(
      direct === 0
        ? 'autopath: no client asks CoreDNS itself, and behind a node-local cache CoreDNS does not see the pod: nothing changes.'
        : 'autopath: clients that do not ask CoreDNS itself are not helped.',
    )
  if (change.nodeLocalCache) {
    sentences.push(
      direct === 0
        ? 'a cache on every node: no client asks CoreDNS itself, so nothing changes.'
        : 'a cache on every node: an answer from it is taken to need 0.2 ms; answers kept as its own Corefile says (30 s, denials of the cluster zone 5 s), empty at first, queries taken to come at random.',
    )
    if (direct > 0 && readings.some(({ walk }) => nodeOf(walk.client) === ''))
      sentences.push('nodes of clients are not known (--resources tells them): taken as one node.')
  }
  if (changed.length > 0)
    sentences.push(
      'queries are counted; waiting, and the load on CoreDNS and the upstream, are estimates: each candidate as it went on average, each cache as it served so far.',
    )
  return sentences
}

/** The two readings of a hit at the first search domain would not fare alike. */
function isOfMatter({ list, dots, otherDots }: Replayed['reading'], { ndots, dropSuffix }: Change): boolean {
  if (list[0] !== undefined && dropSuffix.includes(list[0])) return true
  return ndots !== null && (ndots > Math.max(dots, otherDots) || ndots <= Math.min(dots, otherDots))
}
