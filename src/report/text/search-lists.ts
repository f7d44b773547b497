/** The search lists that the clients were seen to use: the cause of most waste, and rarely known to who suffers from it. */
import { count } from '../../quantities.ts'
import type { Report } from '../report-types.ts'
import { who } from '../words.ts'
import { labelled, type Page } from './page.ts'

const MOST_LISTS = 4
const MOST_CLIENTS = 3

type Row = Report['searchLists'][number]

export function searchLists({ searchLists, endpoints }: Report, page: Page): string[] {
  const groups = new Map<string, Row[]>()
  for (const row of searchLists.filter(row => row.searchList.length > 0)) {
    const key = `${row.searchList.join(' ')}${ndots(row)}`
    groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const sentences = [...groups].map(([list, rows]) => {
    const clients = rows.slice(0, MOST_CLIENTS).map(({ client }) => {
      const endpoint = endpoints.find(endpoint => endpoint.address === client)
      return endpoint === undefined ? client : who(endpoint)
    })
    const more = rows.length > MOST_CLIENTS ? ` and ${count(rows.length - MOST_CLIENTS)} more` : ''
    return `${clients.join(', ')}${more}: ${list}`
  })
  if (sentences.length > MOST_LISTS) {
    const hidden = sentences.length - MOST_LISTS
    sentences.splice(MOST_LISTS, hidden, `and ${count(hidden)} more`)
  }
  return labelled('Search', sentences, page)
}

/** "(ndots 2 to 5)": between which bounds the packets put it. */
function ndots({ ndots: { min, max } }: Row): string {
  if (min === null && max === null) return ''
  if (min === max) return ` (ndots ${min})`
  if (max === null) return ` (ndots at least ${min})`
  return min === null ? ` (ndots at most ${max})` : ` (ndots ${min} to ${max})`
}
