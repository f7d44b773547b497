/** DNS that nobody can read: the connections tell who asks whom, once each, and nothing more is claimed. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { reportText } from '../src/report/text.ts'
import { type Packet, pcap } from './files.ts'
import { ethernet, ipv4, ipv6, tcp } from './packets.ts'
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
    { ...cloudflare, name: "Cloudflare's public resolver" },
    { client: '10.244.1.9', server: '8.8.8.8', over: 'https', connections: 1, name: 'Google Public DNS' },
    { client: 'fd00::9', server: '2001:4860:4860::8888', over: 'https', connections: 1, name: 'Google Public DNS' },
  ])
  expect(reportText(report, { width: 120, color: false })).toContain(
    "10.244.1.5 asks 1.1.1.1 (Cloudflare's public resolver) over TLS: 2 connections, not readable",
  )
})
