/** search-answered-instead: a search domain answered a full name that exists itself. */
import type { AddressId } from '../model.ts'
import { listed, plural } from '../quantities.ts'
import type { Lookup } from '../trace/lookup.ts'
import { hasAnswer } from '../trace/outcome.ts'
import { dots } from '../trace/suffix.ts'
import { Tally } from '../trace/tally.ts'
import { ANSWERED } from '../trace/transaction.ts'
import { FrameSample } from './frame-sample.ts'
import type { Concluded, Draft, Observer, Rule } from './rule.ts'
import { type World, zoneOf } from './world.ts'

/** One odd lookup is perhaps somebody's test. */
const MIN_LOOKUPS = 2

export const searchAnsweredInstead: Rule = {
  code: 'search-answered-instead',
  severity: 'warning',
  title: 'A search domain answered instead of the real name',
  means:
    'An application asked for a name with dots that exists as it is, and got the address of another name: the one with a search domain behind it. It may talk to the wrong host.',
  why: 'Under ndots 5 the search domains are asked before the name itself, and the first answer wins. A record such as www.example.com.corp.example, made by mistake or by a tool that appends the zone, is enough; so is a namespace with the name of a domain.',
  todo: 'Remove the record, or end the name with a dot in the application. A smaller ndots makes the name itself the first candidate.',
  evidence: `A name with at least one dot was answered under a search domain in one lookup, and as it is (with a dot at its end, by dig, or by a client with another search list) in another one of the same capture. Silent below ${MIN_LOOKUPS} lookups, and for names that the finding wildcard-suffix explains.`,
  links: [
    'https://man7.org/linux/man-pages/man5/resolv.conf.5.html',
    'https://github.com/openshift/origin/issues/17316',
  ],
  shownBy: ['test/findings/search-answered-instead.txt'],
  begin: world => new SearchAnsweredInstead(world),
}

class SearchAnsweredInstead implements Observer {
  private readonly world: World
  private readonly real = new Tally<string, true>(() => true)
  private readonly instead = new Tally<
    string,
    { lookups: number; suffix: string; clients: Set<AddressId>; frames: FrameSample }
  >(() => ({ lookups: 0, suffix: '', clients: new Set(), frames: new FrameSample() }))

  constructor(world: World) {
    this.world = world
  }

  lookup(lookup: Lookup): void {
    if (dots(lookup.base) === 0 || lookup.outcome !== 'answered') return
    const suffix = lookup.suffixes[lookup.deciding]
    if (suffix === null) {
      this.real.of(lookup.base)
      return
    }
    // One candidate alone may as well be the full name, asked with a dot at its end.
    if (!lookup.certain) return
    const hit = lookup.candidates[lookup.deciding].transactions.find(t => t.state === ANSWERED && hasAnswer(t))
    if (!hit) return
    const name = this.instead.of(lookup.base)
    name.lookups++
    name.suffix = suffix
    name.clients.add(lookup.client)
    name.frames.add(hit)
  }

  conclude(earlier: readonly Concluded[]): Draft[] {
    if (zoneOf(this.world) === null) return []
    const explained = earlier.filter(({ code }) => code === 'wildcard-suffix')
    const names = [...this.instead].filter(
      ([name, { suffix }]) =>
        this.real.has(name) && !explained.some(({ names }) => names.has(name) || names.has(suffix)),
    )
    const lookups = names.reduce((n, [, name]) => n + name.lookups, 0)
    if (lookups < MIN_LOOKUPS) return []
    const frames = new FrameSample()
    for (const [, name] of names) frames.addAll(name.frames)
    const [first, { suffix }] = names[0]
    const more =
      names.length > 1
        ? `, so with ${listed(
            names.slice(1).map(([name]) => name),
            2,
          )}`
        : ''
    return [
      {
        what: `${plural(lookups, 'lookup')} got the address of another name: ${first} exists, but ${first}.${suffix} answered first${more}.`,
        why: 'Search domains are asked before the name itself, and the first answer wins.',
        advice: `Remove the record ${first}.${suffix} if nobody means it, or write "${first}." with a dot at its end.`,
        count: lookups,
        share: null,
        clients: new Set(names.flatMap(([, name]) => [...name.clients])),
        servers: [],
        frames,
        confidence: 'medium',
        names: names.map(([name]) => name),
      },
    ]
  }
}
