/**
 * DNS servers on ports other than 53. Kubernetes translates the Service's port 53 to the port on which CoreDNS listens (5353 on
 * OpenShift), so a capture shows the same query twice: toward port 53 and, translated, toward the other port. An address and port
 * that got such a query is a server from then on.
 */

/** Queries toward port 53 that are remembered; a power of two. */
const RECENT = 1 << 14
/** A translated copy follows its original within microseconds; this allows for a slow capture. */
const RECENT_SECONDS = 2
/** Servers that are learned; a cluster has a handful. */
const MOST_SERVERS = 4096

export class Servers {
  private readonly known = new Set<number>()
  /** 1 where some server listens on the port: the cheap test before an address is looked up. */
  readonly ports = new Uint8Array(65_536)
  /** Ports of which the user says that servers listen there, whoever they are. */
  private readonly given = new Set<number>()
  private readonly hashes = new Int32Array(RECENT)
  private readonly seconds = new Float64Array(RECENT).fill(Number.NEGATIVE_INFINITY)

  constructor(given: readonly number[]) {
    for (const port of given) {
      this.given.add(port)
      this.ports[port] = 1
    }
  }

  has(address: number, port: number): boolean {
    return this.ports[port] !== 0 && (this.known.has(address * 65_536 + port) || this.given.has(port))
  }

  /** A query was seen on its way to port 53. */
  note(hash: number, seconds: number): void {
    const slot = hash & (RECENT - 1)
    this.hashes[slot] = hash
    this.seconds[slot] = seconds
  }

  /** The same query is seen on its way to `port`: if its original was seen just before, its receiver is a server. */
  learn(hash: number, seconds: number, address: number, port: number): boolean {
    const slot = hash & (RECENT - 1)
    if (this.hashes[slot] !== hash || Math.abs(seconds - this.seconds[slot]) > RECENT_SECONDS) return false
    if (this.known.size >= MOST_SERVERS) return false
    this.known.add(address * 65_536 + port)
    this.ports[port] = 1
    return true
  }
}

/** One number for who asked what: NAT toward a server keeps all five. */
export function queryHash(from: number, fromPort: number, dnsId: number, qname: number, qtype: number): number {
  let hash = Math.imul(from ^ 0x2c1b_3c6d, 0x297a_2d39) ^ ((fromPort << 16) | dnsId)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85eb_ca6b) ^ qname
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35) ^ qtype
  return hash ^ (hash >>> 16)
}
