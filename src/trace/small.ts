/**
 * What a transaction knows that takes a few bits: ports, flags, counts, TTLs, yes and no. Several share one number, as V8 takes eight bytes
 * for a bit: that is a quarter less memory for each, 3 to 6 MB at a busy server.
 */
import { TCP, UDP } from '../model.ts'

/** Marks of a transaction: bits of one number. */
const NAME_IS_CUT = 1
const DELIVERED = 2
const WAS_RESET = 4
const TRANSLATED = 8
const IS_WAITING = 16
const INFRASTRUCTURE = 32
const FOR_OTHERS = 64
const TOLD = 128
/** Two bits each, behind the marks. */
const DIRECTION_AT = 8
const SOCKET_USE_AT = 10
const TWO_BITS = 3
const OVER_TCP = 1 << 12
const WITHOUT_QUERY = 1 << 13
const TOO_LATE = 1 << 14

const BYTE = 0xff
const SHORT = 0xffff

export class Small {
  // Two 16-bit numbers each: the port behind SNAT and the server's, flags of query and response, records of the type that was asked
  // and of the answer section.
  private ports = 0
  private flags = 0
  private records = 0
  /** Four bytes. */
  private ttls = 0
  private marks = 0

  /** All is 0 or false, and over UDP. */
  protected clear(): void {
    this.ports = this.flags = this.records = this.ttls = this.marks = 0
  }

  get seenPort(): number {
    return this.ports & SHORT
  }

  set seenPort(port: number) {
    this.ports = (this.ports & ~SHORT) | port
  }

  get serverPort(): number {
    return this.ports >>> 16
  }

  set serverPort(port: number) {
    this.ports = (this.ports & SHORT) | (port << 16)
  }

  /** Header flags. */
  get queryFlags(): number {
    return this.flags & SHORT
  }

  set queryFlags(flags: number) {
    this.flags = (this.flags & ~SHORT) | flags
  }

  get responseFlags(): number {
    return this.flags >>> 16
  }

  set responseFlags(flags: number) {
    this.flags = (this.flags & SHORT) | (flags << 16)
  }

  /** Address records of the type that was asked. */
  get addresses(): number {
    return this.records & SHORT
  }

  set addresses(addresses: number) {
    this.records = (this.records & ~SHORT) | addresses
  }

  get answerCount(): number {
    return this.records >>> 16
  }

  set answerCount(records: number) {
    this.records = (this.records & SHORT) | (records << 16)
  }

  // TTL at the sightings nearest to the client and to the server: forwarding only ever lowers it.

  get clientTtl(): number {
    return this.ttls & BYTE
  }

  set clientTtl(ttl: number) {
    this.ttls = (this.ttls & ~BYTE) | ttl
  }

  get serverTtl(): number {
    return (this.ttls >>> 8) & BYTE
  }

  set serverTtl(ttl: number) {
    this.ttls = (this.ttls & ~(BYTE << 8)) | (ttl << 8)
  }

  /** Smallest TTL of the response's sightings; 0 without. */
  get responseTtl(): number {
    return (this.ttls >>> 16) & BYTE
  }

  set responseTtl(ttl: number) {
    this.ttls = (this.ttls & ~(BYTE << 16)) | (ttl << 16)
  }

  /** The largest. */
  get responseTopTtl(): number {
    return this.ttls >>> 24
  }

  set responseTopTtl(ttl: number) {
    this.ttls = (this.ttls & ~(BYTE << 24)) | (ttl << 24)
  }

  /** UDP or TCP. */
  get transport(): number {
    return this.marks & OVER_TCP ? TCP : UDP
  }

  set transport(transport: number) {
    this.mark(OVER_TCP, transport === TCP)
  }

  /** Direction of the query's first sighting, as Messages.direction. */
  get direction(): number {
    return (this.marks >>> DIRECTION_AT) & TWO_BITS
  }

  set direction(direction: number) {
    this.marks = (this.marks & ~(TWO_BITS << DIRECTION_AT)) | (direction << DIRECTION_AT)
  }

  /** What its socket carries beside it (pools.ts). */
  get socketUse(): number {
    return (this.marks >>> SOCKET_USE_AT) & TWO_BITS
  }

  set socketUse(use: number) {
    this.marks = (this.marks & ~(TWO_BITS << SOCKET_USE_AT)) | (use << SOCKET_USE_AT)
  }

  get nameCut(): boolean {
    return (this.marks & NAME_IS_CUT) !== 0
  }

  set nameCut(is: boolean) {
    this.mark(NAME_IS_CUT, is)
  }

  /** The response was seen in `file` too. */
  get delivered(): boolean {
    return (this.marks & DELIVERED) !== 0
  }

  set delivered(is: boolean) {
    this.mark(DELIVERED, is)
  }

  /** Its client had closed the socket when the response came, and said so (ICMP port unreachable): nobody waited any more. */
  get cameTooLate(): boolean {
    return (this.marks & TOO_LATE) !== 0
  }

  set cameTooLate(is: boolean) {
    this.mark(TOO_LATE, is)
  }

  /** What came in the response's place was a TCP reset, not ICMP. */
  get wasReset(): boolean {
    return (this.marks & WAS_RESET) !== 0
  }

  set wasReset(is: boolean) {
    this.mark(WAS_RESET, is)
  }

  /** The current query was seen behind a translation of its addresses. */
  get translated(): boolean {
    return (this.marks & TRANSLATED) !== 0
  }

  set translated(is: boolean) {
    this.mark(TRANSLATED, is)
  }

  /** It stands among what forwarders may be working on. */
  get isWaiting(): boolean {
    return (this.marks & IS_WAITING) !== 0
  }

  set isWaiting(is: boolean) {
    this.mark(IS_WAITING, is)
  }

  /** A health check or loop probe: nobody's lookup. */
  get infrastructure(): boolean {
    return (this.marks & INFRASTRUCTURE) !== 0
  }

  set infrastructure(is: boolean) {
    this.mark(INFRASTRUCTURE, is)
  }

  /** A forwarder asked it for somebody who was not captured. */
  get isForOthers(): boolean {
    return (this.marks & FOR_OTHERS) !== 0
  }

  set isForOthers(is: boolean) {
    this.mark(FOR_OTHERS, is)
  }

  /** Its lookup is closed, and what it caused is told. */
  get isTold(): boolean {
    return (this.marks & TOLD) !== 0
  }

  set isTold(is: boolean) {
    this.mark(TOLD, is)
  }

  /** The capture holds its response alone: `start` is when that came, and nobody knows how long it took. */
  get withoutQuery(): boolean {
    return (this.marks & WITHOUT_QUERY) !== 0
  }

  set withoutQuery(is: boolean) {
    this.mark(WITHOUT_QUERY, is)
  }

  private mark(bit: number, is: boolean): void {
    this.marks = is ? this.marks | bit : this.marks & ~bit
  }
}
