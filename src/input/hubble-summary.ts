/**
 * The summary of a DNS record, which is all that a flow in text tells of it: `DNS Query NAME TYPE` and `DNS Answer ... (Proxy NAME TYPE)`.
 * https://github.com/cilium/cilium/blob/main/pkg/hubble/parser/seven/dns.go
 */
import type { Fields } from './hubble-json.ts'

/** As gopacket words the response codes. */
const RCODE_WORDS: Record<string, number> = {
  'Format Error': 1,
  'Server Failure': 2,
  'Non-Existent Domain': 3,
  'Not Implemented': 4,
  'Query Refused': 5,
  'Name Exists when it should not': 6,
  'RR Set Exists when it should not': 7,
  'RR Set that should exist does not': 8,
  'Server Not Authoritative for zone': 9,
  'Name not contained in zone': 10,
  'Bad OPT Version': 16,
  'Bad/missing Server Cookie': 23,
}
/** A word that is not known is an error all the same. */
const UNKNOWN_RCODE = -1

const QUERY = /^DNS Query (\S*) (\S+)$/
/** | answer | ttl | who saw it | name | types | */
const ANSWER = /^DNS Answer (.*?)(?: ?TTL: (\d+))? ?\((?:([A-Z][\w-]*) )(\S*) (\S+)\)$/

/** The fields of `l7.dns`; null where it is no such summary. */
export function answerOf(summary: string): Fields | null {
  const query = QUERY.exec(summary)
  if (query !== null) return { query: query[1] || '.', qtypes: query[2].split(',') }
  const parts = ANSWER.exec(summary)
  if (parts === null) return null
  const [, answer, ttl, source, name, types] = parts
  const rcode = /^RCode: (.*?) *$/.exec(answer)?.[1]
  const ips = listOf(/^"([^"]*)"/.exec(answer)?.[1])
  const cnames = listOf(/CNAMEs: "([^"]*)"/.exec(answer)?.[1])
  const qtypes = types.split(',')
  return {
    query: name || '.',
    qtypes,
    ips,
    cnames,
    ttl: ttl === undefined ? undefined : Number(ttl),
    rcode: rcode === undefined ? undefined : (RCODE_WORDS[rcode] ?? UNKNOWN_RCODE),
    // Answers of other types are not printed: one without an error is taken for an answer.
    rrtypes: rcode === undefined && !/^(?:A|AAAA)$/.test(qtypes[0]) ? qtypes : undefined,
    observation_source: source.toLowerCase() === 'proxy' ? 'proxy' : undefined,
  }
}

const listOf = (text: string | undefined): string[] | undefined => text?.split(',').filter(Boolean)
