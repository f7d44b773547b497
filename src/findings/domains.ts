/** Whether what is wrong concerns the names of one domain: then its own servers are to blame, not those that were asked. */
import { NONE } from '../model.ts'
import { Tally } from '../trace/tally.ts'
import type { Transaction } from '../trace/transaction.ts'
import { nameOf, type World } from './world.ts'

export class Domains {
  private readonly times: Tally<string, { count: number }>

  /** Of more domains than `most` those are kept that come most often. */
  constructor(most: number) {
    this.times = new Tally(() => ({ count: 0 }), most)
  }

  add(world: World, { qname }: Transaction): void {
    if (qname !== NONE) this.addName(nameOf(world, qname))
  }

  addName(name: string): void {
    this.times.of(domainOf(name)).count++
  }

  /** The domain that came most often; "" where there is none. */
  get top(): { domain: string; count: number } {
    let best = { domain: '', count: 0 }
    for (const [domain, { count }] of this.times) if (count > best.count) best = { domain, count }
    return best
  }

  /** Those that come most often, at most so many. */
  first(most: number): string[] {
    const sorted = [...this.times].sort((a, b) => b[1].count - a[1].count)
    return sorted.slice(0, most).map(([domain]) => domain)
  }
}

/** The last two labels of a name: good enough to see that names belong together. */
export function domainOf(name: string): string {
  const last = name.lastIndexOf('.')
  return last <= 0 ? name : name.slice(name.lastIndexOf('.', last - 1) + 1)
}
