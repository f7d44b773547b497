/** What matching counts beside the transactions. */
export class MatchingCounts {
  /** Messages that were further sightings of one that was known. */
  sightings = 0
  /** Responses whose query was not captured. */
  responsesAlone = 0
  /** ICMP and RST that concern no known query. */
  errorsAlone = 0
  /** Frames that stand twice in a capture, as seen by one interface: the same packet, copied by a mirror port or a bridge. */
  copies = 0
  /** Messages over TCP, and connections for them that were reset or never opened. */
  overTcp = 0
}
