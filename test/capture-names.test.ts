/** What a capture calls its addresses (name resolution blocks) is what the report calls them, unless the user's files know better. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { analyze } from '../src/analyze.ts'
import { reportText } from '../src/report/text.ts'
import { enhancedPacket, interfaceBlock, names, option, section } from './files.ts'
import { ethernet, ipv4, query, response, udp } from './packets.ts'

const FOLDER = mkdtempSync(join(tmpdir(), 'dnstrail-names-'))
afterAll(() => rmSync(FOLDER, { recursive: true }))

const asked = (name: string, id: number) => ethernet(ipv4({}, udp({}, query(name, { id }))))
const answered = (name: string, id: number) =>
  ethernet(
    ipv4(
      { from: '10.96.0.10', to: '10.244.0.11' },
      udp({ fromPort: 53, toPort: 40_000 }, response(name, ['192.0.2.1'], { id })),
    ),
  )

test('names and interfaces of a pcapng are in the report, wherever its blocks stand', async () => {
  const file = join(FOLDER, 'named.pcapng')
  const bytes = [
    section('little'),
    interfaceBlock('little', 1, 0, option('little', 2, 'cali1234')),
    // Three answers make a server of no cluster an upstream.
    ...['example.com', 'example.net', 'example.org'].flatMap((name, i) => [
      enhancedPacket('little', 0, 1_700_000_000_000_000n + BigInt(i * 1_000_000), asked(name, 7 + i)),
      enhancedPacket('little', 0, 1_700_000_000_000_400n + BigInt(i * 1_000_000), answered(name, 7 + i)),
    ]),
    names('little', { '10.244.0.11': 'cart-5d.shop', '10.96.0.10': 'kube-dns' }),
  ]
  writeFileSync(file, Buffer.concat(bytes))
  const report = await analyze({
    files: [file],
    filters: { namespace: null, pod: null, name: null, since: null, until: null },
    hints: { resources: null, roles: [], resolvConf: null, clusterDomain: null },
  })
  expect(report.endpoints.map(({ address, name }) => [address, name])).toEqual([
    ['10.96.0.10', 'kube-dns'],
    ['10.244.0.11', 'cart-5d.shop'],
  ])
  const text = reportText(report, { width: 100, color: false })
  expect(text).toContain('at cali1234')
  expect(text).toContain('cart-5d.shop (10.244.0.11)')
  expect(text).toMatch(/10\.96\.0\.10 +upstream +kube-dns/)
})
