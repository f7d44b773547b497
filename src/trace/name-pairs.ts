/** Pairs of names of which the second may be asked because the first was denied: the steps of search walks, taken apart once. */
import type { NameId } from '../model.ts'
import type { Names } from '../wire/names.ts'
import { behind, commonBase, dots } from './suffix.ts'

export interface SearchStep {
  /** What both names begin with, and what each has behind it. */
  base: string
  baseDots: number
  from: string
  to: string
}

interface Pair {
  before: NameId
  name: NameId
  step: SearchStep | null
}

/** How many are remembered, a power of two: a walk takes the same steps each time. */
const REMEMBERED = 4096

export class NamePairs {
  private readonly pairs = new Array<Pair | undefined>(REMEMBERED)
  private readonly names: Names

  constructor(names: Names) {
    this.names = names
  }

  /** Null where the one does not lead to the other. */
  stepOf(before: NameId, name: NameId): SearchStep | null {
    const slot = (Math.imul(before, 0x9e37_79b1) ^ Math.imul(name, 0x85eb_ca6b)) >>> (32 - Math.log2(REMEMBERED))
    const known = this.pairs[slot]
    if (known !== undefined && known.before === before && known.name === name) return known.step
    const step = stepOf(this.names.text(before), this.names.text(name))
    this.pairs[slot] = { before, name, step }
    return step
  }
}

function stepOf(before: string, name: string): SearchStep | null {
  const length = commonBase(before, name)
  if (length === 0) return null
  const from = behind(before, length)
  const to = behind(name, length)
  if (!isStep(from, to)) return null
  const base = name.slice(0, length)
  return { base, baseDots: dots(base), from, to }
}

/**
 * Not every pair of names with a common head is a step: domains of one label (com, org) are top-level domains of two different names
 * unless one side is the bare name.
 */
function isStep(from: string, to: string): boolean {
  if (from === to) return false
  if (from !== '' && to !== '' && !from.includes('.') && !to.includes('.')) return false
  return true
}
