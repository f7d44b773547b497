/** Where queries and responses were lost, as far as the captures can tell. */
import { plural } from '../../quantities.ts'
import { placeOfLoss } from '../losses.ts'
import type { LossRow } from '../record-types.ts'
import type { Report } from '../report-types.ts'
import { labelled, type Page } from './page.ts'

const MOST_ROWS = 4

/** What nobody could have seen further on is no news. */
const isKnown = ({ notSeenIn, behind, inside, inFrontOf }: LossRow): boolean =>
  notSeenIn !== null || behind !== null || inside !== null || inFrontOf !== null

export function losses({ losses }: Report, page: Page): string[] {
  const known = losses.filter(isKnown)
  const rows = known.slice(0, MOST_ROWS)
  const sentences = rows.map(loss => {
    const many = loss.what === 'query' ? plural(loss.count, 'query', 'queries') : plural(loss.count, 'response')
    return `${many} ${placeOfLoss(loss)}`
  })
  const more = known.length - rows.length
  if (more > 0) sentences.push(`and at ${plural(more, 'other place')}`)
  return labelled('Lost', sentences, page)
}
