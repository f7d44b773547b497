/**
 * The step from one candidate's name to the next: where its base ends, and how its two domains stand to the client's search list. Rule K2 of
 * the grouping rules that ARCHITECTURE.md describes.
 */
import type { SearchKnowledge } from './search-knowledge.ts'
import type { Step } from './steps.ts'
import { behind, endsWithSuffix, namespaceOf } from './suffix.ts'

/** How a step stands to the list: to the next domain, to a later one, nobody knows, or against it. */
export const NEXT = 2
export const LATER = 1
export const UNKNOWN_ORDER = 0
export const WRONG_ORDER = -1

/** The base that the lookup's first step settled, where the step keeps to it; else -1. */
export function baseSettled({ common, nameText }: Step, settled: number): number {
  return common >= settled && (nameText.length === settled || nameText.charCodeAt(settled) === 46) ? settled : -1
}

/** The base of a lookup's first step: a domain of the list decides where two splits are possible. */
export function firstBase(step: Step, knowledge: SearchKnowledge): number {
  if (step.list === knowledge.list) return step.first
  step.list = knowledge.list
  step.first = splitByList(step, knowledge)
  return step.first
}

function splitByList({ beforeText, nameText, common }: Step, knowledge: SearchKnowledge): number {
  if (common === 0) return -1
  for (const suffix of knowledge.list) {
    if (!beforeText.endsWith(suffix)) continue
    const at = beforeText.length - suffix.length - 1
    if (at > 0 && at <= common && beforeText.charCodeAt(at) === 46 && knowledge.position.has(behind(nameText, at)))
      return at
  }
  return common
}

/** How the step, whose base is set, stands to the learned list; kept until another list is asked about, or whether it is whole differs. */
export function orderOf(step: Step, knowledge: SearchKnowledge): number {
  if (step.orderedBy === knowledge.list && step.orderedWhole === knowledge.complete) return step.order
  step.orderedBy = knowledge.list
  step.orderedWhole = knowledge.complete
  step.order = stepOrder(step.from, step.to, knowledge)
  return step.order
}

/** What a cluster gives its pods has so many domains, at least. */
const WHOLE = 3

/** as-is may come first (enough dots), last, or after a jump. */
function stepOrder(from: string, to: string, { position, list, complete }: SearchKnowledge): number {
  if (list.length === 0) return plausible(from, to) ? UNKNOWN_ORDER : WRONG_ORDER
  const a = position.get(from)
  const b = position.get(to)
  if (complete && b === undefined && from !== '' && holdsMore(to, list)) return WRONG_ORDER
  if (complete && b === 0 && holdsMore(from, list)) return WRONG_ORDER
  // A walk that begins within a list that is known to its end stays in it. Errors and silence show a part of it, with the name as it is behind.
  const isWhole = complete && list.length >= WHOLE
  if (isWhole && a !== undefined && b === undefined && from !== '') return WRONG_ORDER
  if (isWhole && a === undefined && b !== undefined && to !== '') return WRONG_ORDER
  if (a === undefined || b === undefined) return plausible(from, to) ? UNKNOWN_ORDER : WRONG_ORDER
  if (from === '') return b === 0 ? NEXT : LATER
  if (b === a + 1) return NEXT
  return b > a ? LATER : WRONG_ORDER
}

/**
 * More than a domain: what stands before one of the list belongs to the name. Of metrics.example.com and metrics.example.org, each with the
 * same domain behind it, neither is a step to the other. The domain of a namespace is another pod's where several ask from one address.
 */
function holdsMore(domain: string, list: readonly string[]): boolean {
  const namespace = namespaceOf(domain)
  if (namespace !== null && list.includes(namespace.zone)) return false
  return list.some(suffix => endsWithSuffix(domain, suffix))
}

/** Without knowledge: search domains have dots, but for a bare "local" or "internal" beside the as-is name. */
const plausible = (from: string, to: string): boolean =>
  from === '' || to === '' || (from.includes('.') && to.includes('.')) || from.endsWith(`.${to}`)
