/** One captured record on its way from the file reader (input/) to the decoder (wire/decode.ts). One object is reused for all. */

export interface Frame {
  /** Counts from 1 within its file, as Wireshark does. */
  number: number
  /** The record's bytes are bytes[start .. end). Valid only during the call that hands the frame over. */
  bytes: Buffer
  start: number
  end: number
  /** Length on the wire; may be more (cut by the snap length) or, from a lying file, less than end - start. */
  wireLength: number
  seconds: number
  nanos: number
  /** LINKTYPE_ value (https://www.tcpdump.org/linktypes.html). */
  linkType: number
  /** The interface's number and name in a pcapng; NONE and null in a classic pcap. A link layer that knows better (SLL2) overrides it. */
  interfaceIndex: number
  interfaceName: string | null
  /** Messages.direction, where the file tells it of each packet (pcapng); UNKNOWN_DIRECTION else. */
  direction: number
}
