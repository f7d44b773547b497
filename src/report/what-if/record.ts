/** The replay of all lookups under another configuration becomes the record that people and programs read. */
import { type AddressId, type FilterRecord, isFailure, UserError } from '../../model.ts'
import { plural } from '../../quantities.ts'
import type { Change } from '../../trace/change.ts'
import { addLoad, type Effect, effects, type Load, newLoad } from '../../trace/load.ts'
import { Replay, type Replayed } from '../../trace/replay.ts'
import type { Trace } from '../../trace/trace.ts'
import { VERSION } from '../../version.ts'
import { noMatch } from '../filter.ts'
import { endpointOf, type RecordContext } from '../records.ts'
import { seenOf } from '../seen.ts'
import { changeInWords } from './change.ts'
import { doubtsOf } from './doubts.ts'
import { adviceFor, corefileFor, patchFor } from './snippets.ts'
import type { LoadRow, NameEffect, WhatIf, WorkloadEffect } from './types.ts'

/** Throws a UserError where the change names something that is not in the capture. */
export function whatIfOf(
  trace: Trace,
  context: RecordContext,
  change: Change,
  filters: FilterRecord | null = null,
): WhatIf {
  const replay = new Replay(seenOf(trace, context))
  const nothingMatches = filters !== null && filters.lookupsInAll > 0 && trace.sums.lookups === 0
  if (!nothingMatches) check(replay, change)
  const replayed = replay.run(change)
  const workloadOf = (client: AddressId): string => workloadName(context, client)
  const nodeOf = (client: AddressId): string => endpointOf(context, client, roleOf(context, client)).node ?? ''
  const byClient = effects(replay, replayed, change, nodeOf)
  const total = sumOf(byClient.values())
  const lost = namesOf(replayed.filter(stops), workloadOf, r => whyNot(r, change))
  return {
    version: VERSION,
    captures: context.files,
    change: {
      ndots: change.ndots,
      trailingDot: [...change.trailingDot],
      dropSuffix: [...change.dropSuffix],
      autopath: change.autopath,
      nodeLocalCache: change.nodeLocalCache,
    },
    what: changeInWords(change),
    filters,
    before: total.before,
    after: total.after,
    workloads: workloadsOf(byClient, replayed, workloadOf),
    stops: lost,
    starts: namesOf(replayed.filter(starts), workloadOf, r => `${answeringName(r)} answers it`),
    otherAnswers: namesOf(
      replayed.filter(answersOtherwise),
      workloadOf,
      r => `${answeringName(r)} would answer in place of ${answeredNow(r)}`,
    ),
    ...(replayed.length === 0
      ? {
          unknown: [nothingMatches ? `${noMatch(filters)}.` : 'there is no lookup in this capture.'],
          advice: [],
          patch: null,
          corefile: null,
        }
      : {
          unknown: doubtsOf(replay, replayed, change, total, nodeOf),
          advice: adviceFor(change, lost),
          patch: patchFor(change, replay, address => context.tables.addresses.text(address)),
          corefile: corefileFor(change, replay.seen.zone),
        }),
  }
}

function check({ readings }: Replay, change: Change): void {
  for (const name of change.trailingDot)
    if (!readings.some(({ base }) => base === name)) throw new UserError(`nobody looks up "${name}" in this capture.`)
  for (const suffix of change.dropSuffix)
    if (!readings.some(({ list }) => list.includes(suffix)))
      throw new UserError(`no client in this capture searches "${suffix}".`)
}

// -- Loads ------------------------------------------------------------------------------------------------------------------------------

const roleOf = ({ endpoints }: RecordContext, client: AddressId) => endpoints.clientRole(client).role

/** "namespace/workload", "namespace/pod", a node's name, or the address. */
function workloadName(context: RecordContext, client: AddressId): string {
  const { address, role, namespace, pod, workload, node } = endpointOf(context, client, roleOf(context, client))
  const name = workload ?? pod
  if (name !== null) return namespace === null ? name : `${namespace}/${name}`
  return role === 'host' && node !== null ? node : address
}

/** A sum over less than this share of what it is about would mislead. */
const ENOUGH_KNOWN = 0.9

function sumOf(effects: Iterable<Effect>): { before: LoadRow; after: LoadRow } {
  const before = newLoad()
  const after = newLoad()
  let corednsKnown = 0
  let upstreamKnown = 0
  for (const effect of effects) {
    addLoad(before, effect.before)
    addLoad(after, effect.after)
    corednsKnown += effect.corednsKnown
    upstreamKnown += effect.upstreamKnown
  }
  const coredns = corednsKnown >= ENOUGH_KNOWN * before.lookups
  const upstream = upstreamKnown >= ENOUGH_KNOWN * before.lookups
  return { before: loadRow(before, coredns, upstream), after: loadRow(after, coredns, upstream) }
}

function loadRow(load: Load, corednsKnown: boolean, upstreamKnown: boolean): LoadRow {
  const whole = (value: number): number | null => (Number.isFinite(value) ? Math.round(value) : null)
  return {
    lookups: load.lookups,
    failed: load.failed,
    queries: Math.round(load.queries),
    bytes: whole(load.bytes),
    waitMs: Math.round(load.wait / 1e3) / 1e3,
    coredns: corednsKnown ? whole(load.coredns) : null,
    upstream: upstreamKnown ? whole(load.upstream) : null,
  }
}

function workloadsOf(
  byClient: ReadonlyMap<AddressId, Effect>,
  replayed: readonly Replayed[],
  workloadOf: (client: AddressId) => string,
): WorkloadEffect[] {
  const groups = new Map<string, AddressId[]>()
  for (const client of byClient.keys()) {
    const name = workloadOf(client)
    groups.set(name, [...(groups.get(name) ?? []), client])
  }
  const resolvers = new Map<AddressId, Set<string>>()
  for (const { walk } of replayed) {
    if (walk.resolver === null) continue
    const known = resolvers.get(walk.client)
    if (known) known.add(walk.resolver)
    else resolvers.set(walk.client, new Set([walk.resolver]))
  }
  return [...groups]
    .map(([workload, clients]) => ({
      workload,
      clients: clients.length,
      resolvers: [...new Set(clients.flatMap(client => [...(resolvers.get(client) ?? [])]))].sort(),
      ...sumOf(clients.map(client => byClient.get(client) as Effect)),
    }))
    .sort((a, b) => saved(b) - saved(a) || b.before.queries - a.before.queries || (a.workload < b.workload ? -1 : 1))
}

const saved = ({ before, after }: WorkloadEffect): number => before.queries - after.queries

// -- Names ------------------------------------------------------------------------------------------------------------------------------

const isPositive = (outcome: Replayed['outcome']): boolean => outcome === 'answered'

const stops = ({ walk, outcome }: Replayed): boolean => isPositive(walk.outcome) && !isPositive(outcome)

const starts = ({ walk, outcome, steps }: Replayed): boolean =>
  steps !== null && isFailure(walk.outcome) && isPositive(outcome)

const answersOtherwise = (replayed: Replayed): boolean =>
  replayed.answered !== null &&
  isPositive(replayed.walk.outcome) &&
  replayed.answered.suffix !== answeredSuffix(replayed)

const answeredSuffix = ({ walk, reading }: Replayed): string | null => {
  const i = walk.outcomes.indexOf('answered')
  const position = reading.asked.indexOf(i)
  return reading.list[position] ?? null
}

const answeredNow = (replayed: Replayed): string => fullName(replayed, answeredSuffix(replayed))

const answeringName = (replayed: Replayed): string => fullName(replayed, replayed.answered?.suffix ?? null)

const fullName = ({ reading }: Replayed, suffix: string | null): string =>
  suffix === null ? (reading.base ?? '*') : `${reading.base ?? '*'}.${suffix}`

/** One row per name and resolver. */
function namesOf(
  replayed: readonly Replayed[],
  workloadOf: (client: AddressId) => string,
  because: (replayed: Replayed) => string,
): NameEffect[] {
  const rows = new Map<string, NameEffect>()
  for (const one of replayed) {
    const { walk, reading } = one
    const name = reading.base ?? `a name of ${reading.dots} dots that was not kept`
    const resolver = reading.doubts.includes('resolver') ? null : reading.resolver.name || null
    const why = because(one)
    const key = `${name} ${resolver} ${why}`
    const row = rows.get(key) ?? { name, workloads: [], resolver, lookups: 0, because: why }
    rows.set(key, row)
    row.lookups += walk.lookups
    const workload = workloadOf(walk.client)
    if (!row.workloads.includes(workload)) row.workloads.push(workload)
  }
  return [...rows.values()].sort((a, b) => b.lookups - a.lookups || (a.name < b.name ? -1 : 1))
}

function whyNot(replayed: Replayed, change: Change): string {
  const { reading } = replayed
  const needed = answeredSuffix(replayed)
  const now = `only ${answeredNow(replayed)} answers it`
  if (needed !== null && change.dropSuffix.includes(needed)) return now
  if (reading.base !== null && change.trailingDot.includes(reading.base)) return `${now}, and a dot ends the search`
  const ndots = change.ndots ?? reading.ndots
  if (ndots !== null && reading.dots >= ndots && reading.resolver.afterEnoughDots === 'nothing')
    return `${now}, and ${reading.resolver.name} does not search names of ${plural(reading.dots, 'dot')} with ndots ${ndots}`
  return `${now}, and ${reading.resolver.name} would stop at ${fullName(replayed, replayed.steps?.at(-1)?.suffix ?? null)}`
}
