/**
 * From one captured frame to rows of messages: the only door into wire/. Synchronous, never throws; what is wrong with the bytes is
 * a counted issue. Every frame counts in exactly one of the capture's dnsFrames, partFrames, otherFrames and issueFrames.
 */
import { type Decoder, type DecoderOptions, DNS, issue, newState, OTHER, PART } from './decoder.ts'
import { FRAGMENT_SECONDS, giveUpDatagram, MOST_DATAGRAMS } from './fragments.ts'
import type { Frame } from './frame.ts'
import { Generations } from './generations.ts'
import { LINKS } from './links.ts'
import { CONNECTION_SECONDS, dropConnection, MOST_CONNECTIONS } from './tcp.ts'

export type { Decoder, DecoderOptions } from './decoder.ts'

/** A decoder for one capture. */
export function newDecoder(options: DecoderOptions): Decoder {
  const decoder: Decoder = newState(
    options,
    new Generations(FRAGMENT_SECONDS, MOST_DATAGRAMS, (datagram, full) => giveUpDatagram(decoder, datagram, full)),
    new Generations(CONNECTION_SECONDS, MOST_CONNECTIONS, (connection, full) =>
      dropConnection(decoder, connection, full),
    ),
  )
  return decoder
}

/** Reads one frame: appends a row for each message that it completes, and counts it. */
export function decodeFrame(decoder: Decoder, frame: Frame): void {
  const { capture } = decoder
  const { start, end, seconds, linkType } = frame
  decoder.fragments.tick(seconds)
  decoder.connections.tick(seconds)
  decoder.bytes = frame.bytes
  decoder.frame = frame.number
  decoder.seconds = seconds
  decoder.nanos = frame.nanos
  decoder.interfaceIndex = frame.interfaceIndex
  decoder.interfaceName = frame.interfaceName
  decoder.direction = frame.direction
  decoder.linkSource = 0
  decoder.rows = 0
  decoder.depth = 0
  if (linkType !== decoder.linkType) {
    decoder.linkType = linkType
    decoder.link = LINKS.get(linkType) ?? null
  }
  // A file may claim that the wire had less than what it holds.
  const wireEnd = start + frame.wireLength
  if (wireEnd > end) capture.cutFrames++
  const result = decoder.link
    ? decoder.link(decoder, start, end, wireEnd < end ? end : wireEnd)
    : issue(decoder, 'link-type')
  if (result === OTHER) capture.otherFrames++
  else if (result === DNS) capture.dnsFrames++
  else if (result === PART) capture.partFrames++
  else capture.issueFrames++
}

/** The capture has ended: what still waits for its rest goes out as it is. */
export function endDecoder(decoder: Decoder): void {
  for (const states of [decoder.fragments, decoder.connections]) {
    states.turn(false)
    states.turn(false)
  }
}
