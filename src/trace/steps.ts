/**
 * The step from one name to another, as a walk takes it: what the two have in common and what each has behind that. Walks repeat, so
 * the steps that were taken last are remembered: taking strings apart anew for each query cost a tenth of the analysis.
 */
import type { NameId } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { beginsWithBase, behind, commonBase, dots } from './suffix.ts'

export interface Step {
  before: NameId
  name: NameId
  beforeText: string
  nameText: string
  /** Length of the labels with which both begin; 0 where there are none. */
  common: number
  /** Where it was last split (`splitAt`), and what each name has behind: "" where the name ends there. */
  at: number
  from: string
  to: string
  /** What fitting.ts found for a search list: the base that it gives. */
  list: readonly string[] | null
  first: number
  /** The same: how the step, as it was last split, stands to a list, which may be known to be whole. */
  orderedBy: readonly string[] | null
  orderedWhole: boolean
  order: number
  /** What searchlist.ts makes of it; undefined until it asks. */
  search: SearchStep | null | undefined
}

/** The second name may be asked because the first was denied. */
export interface SearchStep {
  /** What both names begin with, and what each has behind it. */
  base: string
  baseDots: number
  from: string
  to: string
}

/** A power of two. */
const REMEMBERED = 4096
/** Search domains of which each is kept as one string: two that are equal are mostly the same object, which is told at once. */
const DOMAINS = 1024

export class Steps {
  private readonly slots = new Array<Step | undefined>(REMEMBERED)
  private readonly domains = new Map<string, string>()
  private readonly names: Names

  constructor(names: Names) {
    this.names = names
  }

  /** Valid until the next call: what the step remembers may be made anew. */
  of(before: NameId, name: NameId): Step {
    const hash = Math.imul(before, 0x9e37_79b1) ^ Math.imul(name, 0x85eb_ca6b)
    const slot = (hash ^ (hash >>> 15)) & (REMEMBERED - 1)
    const known = this.slots[slot]
    if (known !== undefined && known.before === before && known.name === name) return known
    const beforeText = this.names.text(before)
    const nameText = this.names.text(name)
    const common = commonBase(beforeText, nameText)
    const step: Step = {
      before,
      name,
      beforeText,
      nameText,
      common,
      at: -1,
      from: '',
      to: '',
      list: null,
      first: -1,
      orderedBy: null,
      orderedWhole: false,
      order: 0,
      search: undefined,
    }
    this.slots[slot] = step
    return step
  }

  /** The same as a step of a search; null where the one name does not lead to the other. */
  search(before: NameId, name: NameId): SearchStep | null {
    const step = this.of(before, name)
    if (step.search === undefined) {
      const made = searchStep(step)
      step.search = made && { ...made, from: this.domain(made.from), to: this.domain(made.to) }
    }
    return step.search
  }

  /** True where the two names differ in their last label alone: top-level domains of two names, or two search domains that begin alike. */
  differInLastLabel(before: NameId, name: NameId): boolean {
    const step = this.of(before, name)
    return (
      step.common > 0 && isLabel(behind(step.beforeText, step.common)) && isLabel(behind(step.nameText, step.common))
    )
  }

  /** A step as a search, where it is known from elsewhere what the two names' base is; null where it is none. */
  searchFrom(before: NameId, name: NameId, base: string): SearchStep | null {
    const { beforeText, nameText } = this.of(before, name)
    if (!beginsWithBase(beforeText, base) || !beginsWithBase(nameText, base)) return null
    const from = this.domain(behind(beforeText, base.length))
    return { base, baseDots: dots(base), from, to: this.domain(behind(nameText, base.length)) }
  }

  private domain(text: string): string {
    const known = this.domains.get(text)
    if (known !== undefined) return known
    if (this.domains.size >= DOMAINS) this.domains.clear()
    this.domains.set(text, text)
    return text
  }
}

/**
 * Not every pair of names with a common base is a step: domains of one label (com, org) are top-level domains of two different names
 * unless one side is the bare name.
 */
function searchStep({ common, beforeText, nameText }: Step): SearchStep | null {
  if (common === 0) return null
  const from = behind(beforeText, common)
  const to = behind(nameText, common)
  if (from === to || (isLabel(from) && isLabel(to))) return null
  const base = nameText.slice(0, common)
  return { base, baseDots: dots(base), from, to }
}

const isLabel = (text: string): boolean => text !== '' && !text.includes('.')

/** Sets `from` and `to` for a base of this length. */
export function splitAt(step: Step, base: number): void {
  if (step.at === base) return
  step.at = base
  step.orderedBy = null
  step.from = behind(step.beforeText, base)
  step.to = behind(step.nameText, base)
}
