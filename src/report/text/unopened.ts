/** TCP connections that DNS servers refused, or did not answer: no query was sent on them, so no other number holds them. */
import { basename } from 'node:path'
import { count, plural } from '../../quantities.ts'
import type { Report, UnopenedRow } from '../report-types.ts'
import { MOST_UNOPENED } from '../unopened.ts'
import { ROLE_WORDS } from '../words.ts'
import { labelled, type Page } from './page.ts'

const MOST_ROWS = 3

export function unopened({ unopened, servers, captures }: Report, page: Page): string[] {
  const nameOf = (address: string): string => {
    const role = servers.find(({ server }) => server === address)?.role ?? 'unknown'
    return role === 'unknown' ? address : `${ROLE_WORDS[role]} ${address}`
  }
  const sentences = unopened.slice(0, MOST_ROWS).map(row => {
    const of = captures.length > 1 ? ` of ${basename(row.frame.file)}` : ''
    return `${nameOf(row.server)} ${whatOf(row)} by ${row.client} (first: frame ${row.frame.number}${of})`
  })
  const more = unopened.length - sentences.length
  const least = unopened.length === MOST_UNOPENED ? 'at least ' : ''
  if (more > 0) sentences.push(`and so it was between ${least}${plural(more, 'other pair')} of addresses`)
  return labelled('TCP', sentences, page)
}

function whatOf({ refused, silent }: UnopenedRow): string {
  const connections = plural(refused + silent, 'connection')
  if (silent === 0) return `refused ${connections}`
  if (refused === 0) return `did not answer ${connections}`
  return `opened none of ${connections} (${count(refused)} refused, ${count(silent)} not answered)`
}
