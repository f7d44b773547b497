/** Who asks over connections that nobody can read: what is asked there, and what a cache spares, cannot be told. */
import type { EncryptedOver } from '../../model.ts'
import { plural } from '../../quantities.ts'
import type { Report } from '../report-types.ts'
import { ROLE_WORDS } from '../words.ts'
import { labelled, type Page } from './page.ts'

const MOST_ROWS = 4
const PROTOCOLS: Record<EncryptedOver, string> = { tls: 'TLS', quic: 'QUIC', https: 'HTTPS', http3: 'HTTP/3' }

export function encrypted({ encrypted, endpoints }: Report, page: Page): string[] {
  const sentences = encrypted.slice(0, MOST_ROWS).map(({ client, server, over, name, connections }) => {
    const role = endpoints.find(endpoint => endpoint.address === client && endpoint.role !== 'unknown')?.role
    const who = role ? `${ROLE_WORDS[role]} ${client}` : client
    const whose = name === null ? '' : ` (${name})`
    return `${who} asks ${server}${whose} over ${PROTOCOLS[over]}: ${plural(connections, 'connection')}, not readable`
  })
  const more = encrypted.length - sentences.length
  if (more > 0) sentences.push(`and ${plural(more, 'more pair')}`)
  return labelled('Encrypted', sentences, page)
}
