/** The link layers: one row each. https://www.tcpdump.org/linktypes.html */
import { arcnet } from './arcnet.ts'
import { linuxCooked, linuxCooked2 } from './cooked.ts'
import type { Parser } from './decoder.ts'
import { ethernet } from './ethernet.ts'
import { loopback } from './loopback.ts'
import { nflog } from './nflog.ts'
import { pktap } from './pktap.ts'
import { ppp, pppoe } from './ppp.ts'
import { rawIp } from './raw.ts'

/** By LINKTYPE_ number. */
export const LINKS: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [0, loopback],
  [1, ethernet],
  [9, ppp],
  // DLT_RAW is 12, on OpenBSD 14; LINKTYPE_RAW is 101.
  [12, rawIp],
  [14, rawIp],
  [50, ppp],
  [51, pppoe],
  [101, rawIp],
  [108, loopback],
  [113, linuxCooked],
  [129, arcnet],
  [149, pktap],
  // IPV4 and IPV6; the packet knows better.
  [228, rawIp],
  [229, rawIp],
  [239, nflog],
  [258, pktap],
  [276, linuxCooked2],
])
