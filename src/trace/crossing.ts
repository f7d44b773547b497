/** How far apart in time two sightings of one packet may be: it crosses a host's network stack, or is seen by two captures. */
import type { Time } from '../model.ts'

/** Sightings of one packet within one capture lie closer than this: it only crosses a host's network stack. */
export const SIGHTING_WINDOW: Time = 2e6
/** Unless it was held up on its way: the IP id tells that it is one packet. Shorter than a resolver's timer, all the same. */
const DELAYED_WINDOW: Time = 4e9
/** Two captures have two clocks. Within this the other capture's sighting is taken for the same packet. */
export const OTHER_CLOCK_WINDOW: Time = 1e9

/** True if two sightings that far apart can be one packet on its way. */
export function isOneCrossing(gap: Time, sameFile: boolean, sameIpId: boolean): boolean {
  const distance = Math.abs(gap)
  if (distance <= SIGHTING_WINDOW) return true
  if (sameFile) return sameIpId && distance <= DELAYED_WINDOW
  return distance <= (sameIpId ? OTHER_CLOCK_WINDOW : OTHER_CLOCK_WINDOW / 2)
}
