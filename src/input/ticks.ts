/**
 * Time stamps of pcapng: a 64-bit count of ticks, in a unit that each interface chooses (if_tsresol), from an offset (if_tsoffset).
 * They become seconds and nanoseconds with integer arithmetic: a double holds 53 bits, a nanosecond count of today has 61.
 */

export interface Clock {
  ticksPerSecond: number
  offsetSeconds: number
  /** Only where the unit is so fine that doubles cannot count it (finer than 2^-36 s). */
  exact: bigint | null
}

export const MICROSECONDS: Clock = { ticksPerSecond: 1e6, offsetSeconds: 0, exact: null }

/** The clock of an if_tsresol byte: a power of 10, or of 2 where its top bit is set. */
export function newClock(resolution: number, offsetSeconds: number): Clock {
  const exponent = resolution & 0x7f
  const exact = resolution & 0x80 ? 2n ** BigInt(exponent) : 10n ** BigInt(exponent)
  const small = exact <= 2n ** 36n
  return { ticksPerSecond: small ? Number(exact) : 0, offsetSeconds, exact: small ? null : exact }
}

/** Where stampOf puts its answer: an object for each frame would cost more than the division. */
export interface Stamp {
  seconds: number
  nanos: number
}

/** Long division with digits of 16 bits: every intermediate stays below 2^53. */
export function stampOf(clock: Clock, high: number, low: number, stamp: Stamp): void {
  const perSecond = clock.ticksPerSecond
  if (clock.exact !== null) {
    const ticks = (BigInt(high) << 32n) | BigInt(low)
    stamp.seconds = Number(ticks / clock.exact) + clock.offsetSeconds
    stamp.nanos = Number(((ticks % clock.exact) * 1_000_000_000n) / clock.exact)
    return
  }
  const first = Math.floor(high / perSecond)
  const second = (high - first * perSecond) * 0x1_0000 + (low >>> 16)
  const secondQuotient = Math.floor(second / perSecond)
  const third = (second - secondQuotient * perSecond) * 0x1_0000 + (low & 0xffff)
  const thirdQuotient = Math.floor(third / perSecond)
  const rest = third - thirdQuotient * perSecond
  stamp.seconds = first * 0x1_0000_0000 + secondQuotient * 0x1_0000 + thirdQuotient + clock.offsetSeconds
  stamp.nanos =
    perSecond === 1e6
      ? rest * 1000
      : perSecond === 1e9
        ? rest
        : rest < 2 ** 23
          ? Math.floor((rest * 1e9) / perSecond)
          : Number((BigInt(rest) * 1_000_000_000n) / BigInt(perSecond))
}
