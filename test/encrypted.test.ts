/** DNS that nobody can read: the connections tell who asks whom, once each, and nothing more is claimed. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reportText } from '../src/report/text.ts'
import { type Packet, pcap } from './files.ts'
import { ethernet, ipv4, ipv6, tcp, udp } from './packets.ts'
import { run } from './recordings.ts'

const at = (seconds: number, bytes: Buffer): Packet => ({ seconds: 1_795_000_000 + seconds, nanos: 0, bytes })

const syn = (from: string, to: string, fromPort: number, toPort: number): Buffer => {
  const layer = tcp({ fromPort, toPort, flags: 'S' })
  return ethernet(to.includes(':') ? ipv6({ from, to }, layer) : ipv4({ from, to }, layer))
}

test('connections to port 853, and to port 443 of a known resolver, are named as encrypted DNS', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'dnstrail-encrypted-')), 'node.pcap')
  const packets = [
    at(0, syn('10.244.1.5', '1.1.1.1', 40000, 853)),
    // The same behind SNAT.
    at(0, syn('172.18.0.3', '1.1.1.1', 40000, 853)),
    at(9, syn('10.244.1.5', '1.1.1.1', 40001, 853)),
    at(10, syn('10.244.1.9', '8.8.8.8', 40001, 443)),
    at(10, syn('fd00::9', '2001:4860:4860::8888', 40001, 443)),
    // A web server, and the other side's ports.
    at(11, syn('10.244.1.9', '93.184.216.34', 40002, 443)),
    at(12, syn('1.1.1.1', '10.244.1.5', 853, 40003)),
  ]
  writeFileSync(file, pcap(packets))
  const { report } = await run([file])
  const cloudflare = { client: '10.244.1.5', server: '1.1.1.1', over: 'tls', connections: 2 }
  expect(report.encrypted).toMatchObject([
    { ...cloudflare, name: 'Cloudflare DNS' },
    { client: '10.244.1.9', server: '8.8.8.8', over: 'https', connections: 1, name: 'Google Public DNS' },
    { client: 'fd00::9', server: '2001:4860:4860::8888', over: 'https', connections: 1, name: 'Google Public DNS' },
  ])
  expect(reportText(report, { width: 120, color: false })).toContain(
    '10.244.1.5 asks 1.1.1.1 (Cloudflare DNS) over TLS: 2 connections, not readable',
  )
})

test('connections of more pairs than are listed are counted', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'dnstrail-encrypted-')), 'many.pcap')
  const packets = Array.from({ length: 1500 }, (_, i) =>
    at(i, syn(`10.9.${i >> 8}.${i & 255}`, '1.1.1.1', 40_000 + i, 853)),
  )
  writeFileSync(file, pcap(packets))
  const { report } = await run([file])
  expect(report.issues).toMatchObject([{ code: 'encrypted-limit', count: 500, firstFrame: null }])
})

/** The first datagram of a QUIC connection: an Initial, filled up to 1,200 bytes. */
function initial(version: number, type: number, length = 1200): Buffer {
  const data = Buffer.alloc(length, 0x5a)
  data[0] = 0xc0 | (type << 4)
  data.writeUInt32BE(version, 1)
  return data
}

const datagram = (from: string, to: string, fromPort: number, toPort: number, data: Buffer): Buffer => {
  const layer = udp({ fromPort, toPort }, data)
  return ethernet(to.includes(':') ? ipv6({ from, to }, layer) : ipv4({ from, to }, layer))
}

test('DNS over QUIC, and HTTP/3 to a known resolver, are named by the datagrams that open a connection', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'dnstrail-encrypted-')), 'node.pcap')
  const packets = [
    // Its ClientHello fills two datagrams, and the first is sent again: one connection.
    at(0, datagram('10.244.1.5', '94.140.14.14', 40000, 853, initial(1, 0))),
    at(0, datagram('10.244.1.5', '94.140.14.14', 40000, 853, initial(1, 0))),
    at(1, datagram('10.244.1.5', '94.140.14.14', 40000, 853, initial(1, 0))),
    // Version 2 numbers its packets otherwise; a handshake packet, a short one and the server's own open nothing.
    at(10, datagram('10.244.1.5', '94.140.14.14', 40001, 853, initial(0x6b3343cf, 1))),
    at(20, datagram('10.244.1.5', '94.140.14.14', 40002, 853, initial(1, 2))),
    at(21, datagram('10.244.1.5', '94.140.14.14', 40003, 853, initial(1, 0, 300))),
    at(22, datagram('94.140.14.14', '10.244.1.5', 853, 40004, initial(1, 0))),
    at(23, datagram('fd00::9', '2606:4700:4700::1111', 40001, 443, initial(1, 0))),
    // A web server.
    at(24, datagram('10.244.1.9', '93.184.216.34', 40002, 443, initial(1, 0))),
  ]
  writeFileSync(file, pcap(packets))
  const { report } = await run([file])
  expect(report.encrypted).toEqual([
    { client: '10.244.1.5', server: '94.140.14.14', over: 'quic', connections: 2, name: 'AdGuard DNS' },
    { client: 'fd00::9', server: '2606:4700:4700::1111', over: 'http3', connections: 1, name: 'Cloudflare DNS' },
  ])
  expect(reportText(report, { width: 120, color: false })).toContain(
    '10.244.1.5 asks 94.140.14.14 (AdGuard DNS) over QUIC: 2 connections, not readable',
  )
})
