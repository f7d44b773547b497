/**
 * Our own recordings with the truth beside them: lookups against what the applications really asked, hops against the servers' own
 * logs, and the laws that hold for every capture. Runs where the folder of recordings stands beside the project.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import type { Report } from '../src/report/report-types.ts'
import { capturesOf, EVERYWHERE, NODES, PATIENCE, RECORDINGS, run, SHARED, scenarios, toldIn } from './recordings.ts'

const OUT = mkdtempSync(join(tmpdir(), 'dnstrail-recordings-'))
vi.setConfig({ testTimeout: PATIENCE })

function tool(name: string, records: unknown[], args: (ndjson: string) => string[]): Record<string, number> {
  const path = join(OUT, 'records.ndjson')
  writeFileSync(path, records.map(record => `${JSON.stringify(record)}\n`).join(''))
  const line = execFileSync(process.execPath, [join(SHARED, 'tools', name), ...args(path)], { encoding: 'utf8' }).trim()
  const numbers = line.matchAll(/(\w+) (-?[\d.]+)(?= |$)/g)
  return Object.fromEntries([...numbers].map(([, key, value]) => [key, Number(value)]))
}

/** Captures taken at the clients alone: a node's interfaces together, or inside a client's pod. */
const isAtClients = (file: string): boolean =>
  /^(node-.*-any.*|node-a-multi\.pcapng|pod-.*-eth0\.pcap)$/.test(file) &&
  !file.includes('coredns') &&
  !file.endsWith('.gz')

describe.skipIf(scenarios.length === 0)('lookups of the recordings are what the applications asked', () => {
  let labelled = 0
  let labelledRight = 0
  for (const scenario of scenarios) {
    const folder = join(RECORDINGS, scenario)
    const vantage: Record<string, string[]> = JSON.parse(readFileSync(join(folder, 'vantage.json'), 'utf8'))
    test(scenario, async () => {
      for (const file of readdirSync(folder).filter(isAtClients)) {
        const wanted = vantage[file]?.length ?? 0
        const { lookups, report } = await run([join(folder, file)])
        expectLaws(report, lookups)
        expectSearchLists(podsOf(scenario), lookups, report, file)
        if (wanted === 0) continue
        const score = tool('score.mjs', lookups, path => [join(folder, 'truth.json'), path, '--seen', file])
        // Of fewer than 40 lookups one may be wrong.
        const least = wanted < 40 ? 1 - 1.01 / wanted : 0.97
        expect(score.recall, `${file}: recall`).toBeGreaterThanOrEqual(least)
        expect(score.precision, `${file}: precision`).toBeGreaterThanOrEqual(least)
        if (score.outcome !== undefined) expect(score.outcome, `${file}: outcome`).toBeGreaterThanOrEqual(least)
        // All that a lost leg costs, the stub's own timer included.
        if (/^0[56]/.test(scenario)) expect(score.wait, `${file}: wait`).toBe(1)
        labelled += wanted * (score.labelled ?? 0)
        labelledRight += wanted * (score.labelled ?? 0) * (score.label ?? 0)
      }
    })
  }

  test('the resolver is named for most of them, and rightly', () => {
    expect(labelledRight / labelled).toBeGreaterThanOrEqual(0.98)
  })
})

test.skipIf(scenarios.length === 0)('what the files say of pods makes their lists and ndots certain', async () => {
  for (const scenario of ['03-clients', '12-dnspolicy']) {
    const resources = join(RECORDINGS, scenario, 'resources.json')
    const { lookups, report } = await run(capturesOf(scenario, /^node-a-any\.pcap(ng)?$/), { resources })
    expectLaws(report, lookups)
    expect(report.findings.map(({ code }) => code)).not.toContain('resolv-conf-differs')
    for (const { addresses, list, ndots, policy } of podsOf(scenario)) {
      for (const lookup of lookups.filter(({ client }) => addresses.includes(client.address))) {
        expect(lookup.searchList).toEqual(list)
        // The node's own resolv.conf is in no object of the cluster.
        if (policy !== 'Default') expect(lookup.ndots).toEqual({ min: ndots, max: ndots })
      }
    }
  }
})

describe.skipIf(scenarios.length === 0)('hops of the recordings are what the servers logged', () => {
  for (const scenario of scenarios) {
    const folder = join(RECORDINGS, scenario)
    test(scenario, async () => {
      const topology = toldIn(scenario, 'topology.json')
      const { hops, lookups, report } = await run(capturesOf(scenario, NODES))
      expectLaws(report, lookups)
      for (const log of readdirSync(join(folder, 'logs')).filter(file => /^(coredns|node-cache)-.*\.log$/.test(file))) {
        const name = log.replace(/\.log$/, '')
        const pod = topology.pods.find((p: { netns: string }) => p.netns === name)
        const servers: string[] = pod ? [pod.ip, pod.ip6].filter(Boolean) : (topology.nodelocal?.listen ?? [])
        const hits = cacheHitsOf(folder, name)
        const score = tool('score-hops.mjs', hops, path => [
          path,
          join(folder, 'logs', log),
          '--server',
          servers.join(),
          '--truth',
          join(folder, 'truth.json'),
        ])
        expect(score.recall, `${log}: recall`).toBeGreaterThanOrEqual(0.99)
        expect(score.precision, `${log}: precision`).toBeGreaterThanOrEqual(0.99)
        expect(score.rcode, `${log}: rcode`).toBe(1)
        expect(Math.abs(score.p50), `${log}: time at the server`).toBeLessThan(0.5)
        // What a server that stands elsewhere has in its cache, its own node's capture would tell.
        const served = hops.filter(({ to }) => servers.includes(to.address))
        if (hits === null || !served.some(({ servedFrom }) => servedFrom === 'forwarded')) continue
        const cached = served.filter(({ servedFrom, qtype }) => servedFrom === 'cache' && qtype !== 'HINFO').length
        expect(Math.abs(cached - hits), `${log}: ${cached} cache hits of ${hits}`).toBeLessThanOrEqual(hits / 100)
      }
    })
  }
})

/** What the server's own metrics counted; null without, and where it was started anew in between. */
function cacheHitsOf(folder: string, server: string): number | null {
  const [before, after] = ['before', 'after'].map(when => {
    const path = join(folder, 'logs', `metrics-${server}-${when}.txt`)
    return existsSync(path) ? readFileSync(path, 'utf8') : null
  })
  if (!before || !after) return null
  const started = (text: string) => /^process_start_time_seconds (.*)$/m.exec(text)?.[1]
  if (started(before) !== started(after)) return null
  const hits = (text: string): number =>
    [...text.matchAll(/^coredns_cache_hits_total\{.*\} (\S+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0)
  return hits(after) - hits(before)
}

describe.skipIf(scenarios.length === 0)('everything that a forwarder asks was caused by somebody', () => {
  for (const scenario of scenarios) {
    test(scenario, async () => {
      const { hops } = await run(capturesOf(scenario, EVERYWHERE))
      const ids = new Set(hops.map(({ id }) => id))
      // What the forwarders ask for themselves is nobody's lookup.
      const asked = hops.filter(({ from, lookup }) => /^(coredns|node-local-cache)$/.test(from.role) && lookup !== null)
      expect(asked.filter(({ causedBy }) => causedBy.length !== 1 || !ids.has(causedBy[0]))).toEqual([])
    })
  }
})

describe.skipIf(scenarios.length === 0)(
  'a wait is the network, the server, the hops it waited for, and what is unexplained',
  () => {
    for (const scenario of scenarios) {
      test(scenario, async () => {
        const { hops } = await run(capturesOf(scenario, EVERYWHERE))
        const whole = hops.filter(({ networkMs }) => networkMs !== null)
        expect(whole.length).toBeGreaterThan(0)
        for (const { id, waitMs, ownMs, networkMs, serverOwnMs, hopsMs, unexplainedMs, retransmissions } of whole) {
          const parts = [networkMs!, serverOwnMs!, hopsMs!, unexplainedMs!]
          expect(Math.min(...parts), id).toBeGreaterThanOrEqual(0)
          expect(sum(parts), id).toBeCloseTo(waitMs!, 5)
          // What the servers ask for themselves has no own time.
          if (ownMs !== null) expect(ownMs + hopsMs!, id).toBeCloseTo(waitMs!, 5)
          if (retransmissions === 0) expect(unexplainedMs, id).toBe(0)
        }
        for (const { networkMs, serverOwnMs, hopsMs, unexplainedMs } of hops)
          expect(new Set([networkMs, serverOwnMs, hopsMs, unexplainedMs].map(part => part === null)).size).toBe(1)
        // In the recordings the nodes are on one machine, and each of them sees its pods and servers.
        const answered = hops.filter(({ to, waitMs }) => to.role === 'coredns' && to.node === null && waitMs !== null)
        const known = answered.filter(({ networkMs }) => networkMs !== null)
        expect(known.length).toBeGreaterThanOrEqual(0.7 * answered.length)
      })
    }
  },
)

const sum = (numbers: number[]): number => numbers.reduce((a, b) => a + b, 0)

test.skipIf(scenarios.length === 0)('what the network dropped was lost between the two nodes', async () => {
  const { hops, report } = await run(capturesOf('06-loss-slow-timeout', NODES))
  // The counters of the rules that dropped at random, and what else its README says was dropped.
  const between = report.losses.filter(({ notSeenIn }) => notSeenIn !== null)
  expect(between).toEqual([
    {
      what: 'response',
      seenIn: 'node-b-any.pcap',
      notSeenIn: 'node-a-any.pcap',
      behind: null,
      inside: null,
      inFrontOf: null,
      count: 21 + 9,
    },
    {
      what: 'query',
      seenIn: 'node-a-any.pcap',
      notSeenIn: 'node-b-any.pcap',
      behind: null,
      inside: null,
      inFrontOf: null,
      count: 25 + 2,
    },
  ])
  const named = (name: string, qtype: string) => hops.find(hop => hop.qname === name && hop.qtype === qtype)?.losses
  expect(named('l1.lossy.example', 'AAAA')).toMatchObject([{ what: 'response', try: 1 }])
  expect(named('l3.lossy.example', 'AAAA')).toMatchObject([{ what: 'query', try: 1 }])
})

describe.skipIf(scenarios.length === 0)('a node alone and all captures together give the same lookups', () => {
  for (const scenario of scenarios) {
    const folder = join(RECORDINGS, scenario)
    test(scenario, async () => {
      const captures = capturesOf(scenario, EVERYWHERE)
      const node = captures.find(file => /node-a-any/.test(file)) ?? join(folder, 'node-a-any.pcapng')
      const alone = (await run([node])).lookups
      const together = (await run(captures)).lookups
      const pods = new Set(alone.filter(({ client }) => client.role === 'pod').map(({ client }) => client.address))
      const told = (lookups: LookupRecord[]): string[] =>
        lookups
          .filter(({ client }) => pods.has(client.address) && isOfNodeA(client.address))
          .map(({ client, name, outcome, queries }) => `${client.address} ${name} ${outcome} ${queries} queries`)
          .sort()
      expect(told(together)).toEqual(told(alone))
      const waits = groupedBy(together, placeOf)
      for (const lookup of alone) {
        if (!pods.has(lookup.client.address) || !isOfNodeA(lookup.client.address)) continue
        const { waitMs, waitInferred } = waits.get(placeOf(lookup))!.shift()!
        expectSame(waitMs, lookup.waitMs, `${lookup.id} ${lookup.name}`)
        expect(waitInferred, `${lookup.id} ${lookup.name}`).toBe(lookup.waitInferred)
      }
    })
  }
})

describe.skipIf(scenarios.length === 0)('a node alone and all captures together give the same hops of its pods', () => {
  for (const scenario of scenarios) {
    test(scenario, async () => {
      const captures = capturesOf(scenario, EVERYWHERE)
      const alone = (await run(captures.filter(file => /node-a-any/.test(file)))).hops
      const together = (await run(captures)).hops
      const same = groupedBy(together, questionOf)
      for (const hop of alone) {
        if (hop.from.role !== 'pod' || !isOfNodeA(hop.from.address)) continue
        const { waitMs, ownMs, losses } = same.get(questionOf(hop))!.shift()!
        // Alone the node can't tell that it was the response that was lost, and counts what was asked again as the same hop.
        if (hop.retransmissions > 0 && waitMs === null && hop.waitMs !== null) {
          expect(losses).toMatchObject([{ what: 'response' }])
          continue
        }
        expectSame(waitMs, hop.waitMs, `${hop.id} ${hop.qname}`)
        // What the cache on the node asks is in the node's capture, too.
        if (hop.to.role === 'node-local-cache') expectSame(ownMs, hop.ownMs, `${hop.id} ${hop.qname}`)
      }
    })
  }
})

function groupedBy<Row>(rows: Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) groups.set(keyOf(row), [...(groups.get(keyOf(row)) ?? []), row])
  return groups
}

/** Milliseconds, the same within 50 us. */
function expectSame(ms: number | null, expected: number | null, what: string): void {
  if (ms === null || expected === null) expect(ms, what).toBe(expected)
  else expect(Math.abs(ms - expected), what).toBeLessThanOrEqual(0.05)
}

const questionOf = ({ from, transport, dnsId, qname, qtype }: HopRecord): string =>
  `${from.address} ${from.port} ${transport} ${dnsId} ${qname} ${qtype}`

/** One pod asks a question once at a time, and two captures stamp it within a millisecond. */
const placeOf = ({ client, name, start }: LookupRecord): string => `${client.address} ${name} ${start.slice(0, 23)}`

/** The recordings give node-a's pods these networks; pods of node-b are seen on node-a only in part. */
const isOfNodeA = (address: string): boolean => address.startsWith('10.244.0.') || address.startsWith('fd00:10:244::')

test.skipIf(scenarios.length === 0)('with NodeLocal DNSCache, external names never pass CoreDNS', async () => {
  const folder = join(RECORDINGS, '02-nodelocal')
  const { lookups, hops } = await run(['node-a-any.pcap', 'node-b-any.pcap'].map(file => join(folder, file)))
  const byId = new Map(hops.map(hop => [hop.id, hop]))
  const external = lookups.filter(({ name }) => /\.(com|org)$/.test(name))
  let forwarded = 0
  let cached = 0
  for (const { candidates } of external) {
    for (const id of candidates.find(({ suffix }) => suffix === null)?.hops ?? []) {
      if (byId.get(id)?.to.role !== 'node-local-cache') continue
      const further = hops.filter(({ causedBy }) => causedBy.includes(id)).map(({ to }) => to.role)
      expect(further.filter(role => role !== 'upstream')).toEqual([])
      if (further.length > 0) forwarded++
      else if (byId.get(id)?.servedFrom === 'cache') cached++
    }
  }
  expect(forwarded).toBeGreaterThan(0)
  expect(cached).toBeGreaterThan(0)
})

interface Pod {
  name: string
  addresses: string[]
  policy: string
  list: string[]
  ndots: number
}

/** The clients of a recording and their resolv.conf; processes in a node's network have no address of their own. */
function podsOf(scenario: string): Pod[] {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  const pods: any[] = toldIn(scenario, 'topology.json').pods
  return pods
    .filter(pod => pod.role === 'client' && !pod.host_network)
    .map(({ netns, ip, ip6, dns_policy, resolv }) => ({
      name: netns,
      addresses: [ip, ip6].filter(Boolean),
      policy: dns_policy,
      list: resolv.search,
      ndots: resolv.ndots ?? 1,
    }))
}

/** Of every pod with at least two complete walks the list is that of its resolv.conf, and ndots is bounded by what it asked for. */
function expectSearchLists(pods: Pod[], lookups: LookupRecord[], { searchLists }: Report, file: string): void {
  for (const { name, addresses, list, ndots } of pods) {
    const mine = lookups.filter(({ client }) => addresses.includes(client.address))
    const complete = mine.filter(({ candidates }) => candidates.length === list.length + 1)
    if (complete.length < 2) continue
    for (const { searchList } of mine) expect(searchList, `${file}: list of ${name}`).toEqual(list)
    const dots = (lookup: LookupRecord): number => lookup.name.split('.').length - 1
    // Of a walk that is there in part nobody knows with which candidate it began.
    const isWhole = mine.every(({ partial }) => !partial)
    const walks = mine.filter(({ candidates, partial }) => candidates.length > 1 && !partial)
    const searched = walks.filter(({ candidates }) => candidates[0].suffix !== null).map(dots)
    const asIs = walks.filter(({ candidates }) => candidates[0].suffix === null).map(dots)
    for (const { min, max } of mine.map(lookup => lookup.ndots)) {
      expect(min ?? 1, `${file}: ndots of ${name}`).toBeLessThanOrEqual(ndots)
      expect(max ?? 15, `${file}: ndots of ${name}`).toBeGreaterThanOrEqual(ndots)
    }
    // What was learned at the end is as narrow as the walks leave open.
    const learned = searchLists.filter(({ client }) => addresses.includes(client)).map(row => row.ndots)
    const least = Math.max(...learned.map(({ min }) => min ?? 0))
    const most = Math.min(...learned.map(({ max }) => max ?? 15))
    if (searched.length > 0) {
      if (isWhole) expect(least, `${file}: ndots of ${name}`).toBe(Math.max(...searched) + 1)
      else expect(least, `${file}: ndots of ${name}`).toBeGreaterThanOrEqual(Math.max(...searched) + 1)
    }
    if (asIs.length > 0) expect(most, `${file}: ndots of ${name}`).toBeLessThanOrEqual(Math.min(...asIs))
  }
}

function expectLaws(report: Report, lookups: LookupRecord[]): void {
  for (const { frames, dnsFrames, partFrames, otherFrames, issueFrames } of report.captures)
    expect(dnsFrames + partFrames + otherFrames + issueFrames).toBe(frames)
  const { queries, needed, wasted, search, fanOut, retransmission, truncation, family } = report.waste
  expect(wasted).toBe(search + fanOut + retransmission + truncation + family)
  expect(queries).toBe(needed + wasted)
  expect(lookups.length).toBe(report.totals.lookups)
  expect(lookups.reduce((n, lookup) => n + lookup.queries, 0)).toBe(queries)
  for (const { name, alternatives, candidates, start, end } of lookups) {
    expect(alternatives.length).toBeLessThanOrEqual(6)
    expect(candidates.length).toBeGreaterThan(0)
    expect(
      candidates.some(candidate => candidate.name.startsWith(name)),
      name,
    ).toBe(true)
    if (end !== null) expect(end >= start).toBe(true)
  }
}

/** What the recordings' own topology says of an address, in the words of our roles; a node's address is host, and cache as a server. */
function trueRoles(description: string, nodelocal: { nodes: string[] } | null): string[] {
  // The cache asks from the node's address, which is the bridge's or the overlay's to a pod of the same node or behind a tunnel.
  const node = /^(node-\w+) (\(node IP\)|pod gateway|flannel)/.exec(description)?.[1]
  if (node && nodelocal?.nodes.includes(node)) return ['host', 'node-local-cache']
  if (/\(CoreDNS\)/.test(description)) return ['coredns']
  if (description.startsWith('pod ')) return ['pod']
  if (description.startsWith('NodeLocal')) return ['node-local-cache', 'host']
  if (description.includes('ClusterIP')) return ['coredns', 'node-local-cache']
  return /upstream resolver|authoritative DNS/.test(description) ? ['upstream'] : ['host']
}

describe.skipIf(scenarios.length === 0)(
  'every address gets its true role, or none, from each capture alone and from all',
  () => {
    for (const scenario of scenarios) {
      test(scenario, async () => {
        const { addresses, nodelocal } = toldIn(scenario, 'topology.json')
        const alone = capturesOf(scenario, /\.(pcap|pcapng|gz)$/).map(file => [file])
        for (const files of [...alone, capturesOf(scenario, NODES), capturesOf(scenario, EVERYWHERE)]) {
          const { endpoints } = (await run(files)).report
          for (const { address, role, seenIn, evidence } of endpoints) {
            expect(evidence, `${address} in ${files.map(file => basename(file)).join()}`).not.toEqual([])
            const description: string | undefined = addresses[address]
            if (description === undefined || role === 'unknown') continue
            expect(
              trueRoles(description, nodelocal),
              `${address} in ${files.map(file => basename(file)).join()}`,
            ).toContain(role)
            const node = / on (node-[ab])/.exec(description)?.[1]
            if (node && seenIn && files.length > 1 && seenIn.startsWith('node-'))
              expect(seenIn, address).toContain(node)
          }
        }
      })
    }
  },
)

test.skipIf(scenarios.length === 0)(
  "05: the service's address is a cache on one node and CoreDNS' on the other, in all combinations of captures",
  async () => {
    const { addresses, nodelocal } = toldIn('05-coredns-down', 'topology.json')
    const all = capturesOf('05-coredns-down', /\.pcap$/)
    for (let chosen = 1; chosen < 1 << all.length; chosen++) {
      const files = all.filter((_, i) => (chosen >> i) & 1)
      const where = files.map(file => basename(file)).join()
      const { hops, report } = await run(files)
      for (const { address, role } of report.endpoints)
        if (role !== 'unknown')
          expect(trueRoles(addresses[address], nodelocal), `${address} in ${where}`).toContain(role)
      const asked = hops.filter(({ to, from }) => to.asked === '10.96.0.10' && from.role === 'pod')
      const rolesOn = (node: string): Set<string> =>
        new Set(asked.filter(({ from }) => addresses[from.address].endsWith(node)).map(({ to }) => to.role))
      expect([...rolesOn('node-a')], where).toEqual(rolesOn('node-a').size > 0 ? ['coredns'] : [])
      expect([...rolesOn('node-b')], where).toEqual(rolesOn('node-b').size > 0 ? ['node-local-cache'] : [])
      if (!files.some(file => file.includes('node-a')) || !files.some(file => file.includes('node-b'))) continue
      const rows = report.endpoints.filter(({ address }) => address === '10.96.0.10').map(({ role }) => role)
      expect(rows.sort(), where).toEqual(['coredns', 'node-local-cache'])
    }
  },
)

test.skipIf(scenarios.length === 0)(
  'caches of two nodes that have taken one address are two, each with its own node',
  async () => {
    // One recording has a cache on node-a, the other one on node-b; the pods and CoreDNS are the same.
    const files = [
      join(RECORDINGS, '02-nodelocal', 'node-a-any.pcap'),
      join(RECORDINGS, '05-coredns-down', 'node-b-any.pcap'),
    ]
    const { hops, report } = await run(files)
    const caches = report.endpoints.filter(({ address }) => address === '10.96.0.10')
    expect(caches.map(({ role, seenIn, served }) => ({ role, seenIn, served }))).toEqual([
      { role: 'node-local-cache', seenIn: 'node-a-any.pcap', served: 183 },
      { role: 'node-local-cache', seenIn: 'node-b-any.pcap', served: 64 },
    ])
    const [a, b] = caches.map(({ evidence }) => evidence.join())
    expect(a).toMatch(/from 172\.18\.0\.2$/)
    expect(b).toMatch(/from 172\.18\.0\.3$/)
    const alone = [...(await run([files[0]])).hops, ...(await run([files[1]])).hops]
    const servedFrom = (all: typeof hops): string[] =>
      all
        .filter(({ to }) => to.asked === '10.96.0.10')
        .map(({ start, qname, servedFrom }) => `${start} ${qname} ${servedFrom}`)
    expect(servedFrom(hops)).toEqual(servedFrom(alone))
  },
)

/** The frames of a Linux cooked capture (SLL2) that one interface saw: what a capture at the other end of it holds. */
function seenAt(file: string, ifindex: number): string {
  const bytes = readFileSync(file)
  const kept = [bytes.subarray(0, 24)]
  for (let at = 24, next = 0; at < bytes.length; at = next) {
    next = at + 16 + bytes.readUInt32LE(at + 8)
    if (bytes.readUInt32BE(at + 16 + 4) === ifindex) kept.push(bytes.subarray(at, next))
  }
  const path = join(OUT, `interface-${ifindex}.pcap`)
  writeFileSync(path, Buffer.concat(kept))
  return path
}

describe.skipIf(scenarios.length === 0)(
  '10: a capture at one of two CoreDNS pods tells what it shows, and no more',
  () => {
    const captures: [pod: string, node: string][] = [
      ['coredns-b', 'node-b-any.pcap'],
      ['coredns-a', 'node-a-any.pcap'],
    ]
    for (const [pod, node] of captures) {
      test(pod, async () => {
        const topology = toldIn('10-busy', 'topology.json')
        const link = topology.interfaces[pod].find(({ name }: { name: string }) => name === 'eth0')
        // The pods of node-b have no cache in front of the service's address, and their node's capture holds all that they ask.
        const whole = (await run([join(RECORDINGS, '10-busy', 'node-b-any.pcap')])).lookups
        const { lookups, report } = await run([seenAt(join(RECORDINGS, '10-busy', node), link.peer_ifindex)])
        expectLaws(report, lookups)
        const partial = lookups.filter(lookup => lookup.partial)
        expect(partial.length).toBeGreaterThan(0.8 * lookups.length)
        expect(report.quality.remarks.join()).toContain(`${partial.length} lookups of ${lookups.length} are partial`)
        for (const lookup of lookups) {
          const { client, name, nameCertain, outcome, queries, waitMs, waste } = lookup
          const same = whole.filter(
            other =>
              other.client.address === client.address &&
              Date.parse(other.start) <= Date.parse(lookup.start) + 1 &&
              Date.parse(other.end ?? other.start) >= Date.parse(lookup.start) - 1 &&
              other.candidates.some(({ name }) => lookup.candidates.some(own => own.name === name)),
          )
          const what = `${client.address} ${name} at ${lookup.start}`
          if (nameCertain)
            expect(
              same.map(({ name }) => name),
              what,
            ).toContain(name)
          if (outcome === 'answered')
            expect(
              same.map(({ outcome }) => outcome),
              what,
            ).toContain('answered')
          if (!lookup.partial)
            expect(
              same.map(other => `${other.name} ${other.outcome} ${other.queries}`),
              what,
            ).toContain(`${name} ${outcome} ${queries}`)
          else {
            expect(['answered', 'not-captured'], what).toContain(outcome)
            expect(waitMs, what).toBeNull()
            if (outcome === 'not-captured') expect(waste, what).toMatchObject({ search: 0, family: 0, nxdomain: 0 })
          }
        }
        for (const { client, searchList, ndots } of report.searchLists) {
          const known = podsOf('10-busy').find(({ addresses }) => addresses.includes(client))
          expect(searchList, client).toEqual(known?.list)
          expect(ndots.min ?? 1, client).toBeLessThanOrEqual(known!.ndots)
          expect(ndots.max ?? 15, client).toBeGreaterThanOrEqual(known!.ndots)
        }
        const codes = report.findings.map(({ code }) => code)
        for (const code of ['search-stopped-early', 'search-answered-instead', 'useless-suffix', 'dns-policy'])
          expect(codes).not.toContain(code)
      })
    }

    test('what a node captured whole is not partial', async () => {
      const files = capturesOf('10-busy', /^node-b-any/)
      for (const captures of [files, capturesOf('10-busy', NODES)]) {
        const { lookups } = await run(captures)
        expect(lookups.filter(({ partial }) => partial)).toEqual([])
      }
    })
  },
)

describe.skipIf(scenarios.length === 0)('who asks for clients that were not captured has no lookups for them', () => {
  // Captures without the clients of a node-local cache (its node's address), and of CoreDNS (as its upstreams see it), and from
  // which address no process of the host asks there.
  const asked: [scenario: string, file: string, forwarder: string, role: string][] = [
    ['02-nodelocal', 'node-b-any.pcap', '172.18.0.2', 'node-local-cache'],
    ['02-nodelocal', 'node-a-eth0.pcap', '172.18.0.2', 'node-local-cache'],
    ['02-nodelocal', 'pod-coredns-b-eth0.pcap', '172.18.0.2', 'node-local-cache'],
    ['05-coredns-down', 'pod-coredns-b-eth0.pcap', '10.244.1.1', 'node-local-cache'],
    ['09-vxlan', 'node-b-any.pcap', '10.244.0.0', 'node-local-cache'],
    ['10-busy', 'node-b-any.pcap', '172.18.0.2', 'node-local-cache'],
    ['13-nodelocal-late-interception', 'node-b-any.pcap', '172.18.0.2', 'node-local-cache'],
    ['14-whatif-ndots5', 'node-b-any.pcap', '172.18.0.2', 'node-local-cache'],
    ['15-whatif-ndots2', 'node-b-any.pcap', '172.18.0.2', 'node-local-cache'],
    ['01-glibc-clusterip', 'upstream-up53-eth0.pcap', '172.18.0.3', 'unknown'],
    ['03-clients', 'upstream-up53-eth0.pcap', '172.18.0.3', 'unknown'],
    ['04-upstreams-disagree', 'upstream-up53-eth0.pcap', '10.244.1.5', 'unknown'],
    ['04-upstreams-disagree', 'upstream-up54-eth0.pcap', '10.244.1.5', 'unknown'],
    ['10-busy', 'upstream-up53-eth0.pcap', '172.18.0.3', 'unknown'],
    ['10-busy', 'upstream-up54-eth0.pcap', '172.18.0.2', 'unknown'],
  ]
  for (const [scenario, file, forwarder, role] of asked) {
    test(`${scenario}: ${forwarder} in ${file}`, async () => {
      const { hops, lookups, report } = await run([join(RECORDINGS, scenario, file)])
      expectLaws(report, lookups)
      expect(lookups.filter(({ client }) => client.address === forwarder)).toEqual([])
      const its = hops.filter(({ from }) => from.address === forwarder)
      expect(new Set(its.map(({ from }) => from.role))).toEqual(new Set([role]))
      // Health checks are counted apart.
      const checks = its.filter(({ qname, qtype }) => qname === '' || qtype === 'HINFO').length
      const row = report.endpoints.find(({ address }) => address === forwarder)
      expect(row).toMatchObject({ role, asked: its.length })
      expect(row?.evidence.length).toBe(2)
      const counted = report.edges.filter(edge => edge.server === null && edge.from === role)
      expect(sum(counted.map(edge => edge.count))).toBeGreaterThanOrEqual(its.length - checks)
    })
  }

  test('10: the processes of a node keep their lookups beside its cache, as the upstream sees them', async () => {
    const atNode = await run([join(RECORDINGS, '10-busy', 'node-a-any.pcap')])
    const atUpstream = await run([join(RECORDINGS, '10-busy', 'upstream-up53-eth0.pcap')])
    const told = ({ lookups }: typeof atNode): string[] =>
      lookups
        .filter(({ client }) => client.address === '172.18.0.2')
        .map(({ client, name, queries }) => `${client.role} ${name} ${queries}`)
    expect(told(atUpstream)).toEqual(told(atNode))
  })
})

test.skipIf(scenarios.length === 0)(
  '13: the service address changes hands from CoreDNS to the node-local cache',
  async () => {
    const { hops } = await run(capturesOf('13-nodelocal-late-interception', NODES))
    const asked = hops.filter(({ to, from }) => to.asked === '10.96.0.10' && from.role === 'pod')
    const roles = asked.map(({ to }) => to.role)
    expect(new Set(roles)).toEqual(new Set(['coredns', 'node-local-cache']))
    // Some answers of CoreDNS are still on their way.
    const changed = roles.indexOf('node-local-cache')
    expect(roles.slice(changed).filter(role => role === 'coredns').length).toBeLessThanOrEqual(2)
  },
)
