/** The message itself: names, sections, options; and bytes that are missing or lie. */
import { describe, expect, test } from 'vitest'
import {
  CONTENT_CUT,
  EDNS_COOKIE,
  EDNS_DO,
  HAS_A,
  HAS_AAAA,
  HAS_ASKED_TYPE,
  HAS_CNAME,
  HAS_SOA,
  NONE,
} from '../src/model.ts'
import { questionWire, readAnswers } from '../src/wire/answers.ts'
import {
  CLIENT,
  ethernet,
  hex,
  ipv4,
  ipv6,
  query,
  response,
  SERVER,
  tcp,
  udp,
  unreachable,
  unreachable6,
} from './packets.ts'
import { decoded } from './wire-rows.ts'

const frame = (message: Buffer) => ethernet(ipv4({}, udp({}, message)))
const back = (message: Buffer) =>
  ethernet(ipv4({ from: SERVER, to: CLIENT }, udp({ fromPort: 53, toPort: 40_000 }, message)))

const row = (message: Buffer) => {
  const { rows, tables } = decoded([back(message)])
  const name = (id: number) => (id === NONE ? null : tables.names.text(id))
  return { ...rows[0], cnameText: name(rows[0].cname), qnameText: name(rows[0].qname) }
}

/** A response header with so many questions, answers, authority and additional records. */
const header = (questions: number, answers = 0, authority = 0, additional = 0, flags = '8180') =>
  hex(`0001 ${flags} ${[questions, answers, authority, additional].map(n => n.toString(16).padStart(4, '0')).join('')}`)

/** example.com at offset 12, A, IN. */
const QUESTION = hex('07 6578616d706c65 03 636f6d 00 0001 0001')

const SOA = {
  type: 'SOA',
  name: 'example.com',
  ttl: 900,
  data: { mname: 'ns.example.com', rname: 'root.example.com', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 30 },
} as const

describe('a query', () => {
  test('has no response code', () => {
    expect(decoded([frame(query('example.com'))]).rows[0]).toMatchObject({
      rcode: NONE,
      flags: 0x100,
      qtype: 1,
      qclass: 1,
    })
  })

  test('tells its UDP size', () => {
    expect(decoded([frame(query('example.com', { edns: true }))]).rows[0].edns).toBe(1232)
    expect(decoded([frame(query('example.com'))]).rows[0].edns).toBe(NONE)
  })

  test('tells DO and a cookie', () => {
    const opt = hex('00 0029 0200 00008000 000c 000a 0008 0102030405060708')
    const message = Buffer.concat([header(1, 0, 0, 1, '0100'), QUESTION, opt])
    expect(decoded([frame(message)]).rows[0].edns).toBe(512 | EDNS_DO | EDNS_COOKIE)
  })

  test('names are lower-cased and escaped', () => {
    const name = hex('03 41 2e 5c 02 00ff 00')
    const message = Buffer.concat([header(1, 0, 0, 0, '0100'), name, hex('0001 0001')])
    expect(decoded([frame(message)]).lines[0]).toContain(' A a\\.\\\\.\\000\\255')
  })
})

describe('a response', () => {
  test('with addresses', () => {
    expect(row(response('example.com', ['192.0.2.1', '192.0.2.2']))).toMatchObject({
      content: HAS_A,
      addresses: 2,
      recordTtl: 30,
      rcode: 0,
    })
  })

  test('with an alias', () => {
    const alias = { type: 'CNAME', name: 'example.com', ttl: 5, data: 'other.example' } as const
    const answer = row(response('example.com', [alias, '192.0.2.1']))
    expect(answer).toMatchObject({ content: HAS_A | HAS_CNAME, addresses: 1, recordTtl: 5, cnameText: 'other.example' })
  })

  test('with addresses of the other family counts none', () => {
    const other = { type: 'AAAA', name: 'example.com', ttl: 5, data: 'fd00::1' } as const
    expect(row(response('example.com', [other]))).toMatchObject({ content: HAS_AAAA, addresses: 0 })
  })

  test('with the record that was asked', () => {
    const text = { type: 'TXT', name: 'example.com', ttl: 5, data: 'hello' } as const
    expect(row(response('example.com', [text], { type: 'TXT' }))).toMatchObject({
      content: HAS_ASKED_TYPE,
      addresses: 0,
    })
  })

  test('negative: the SOA and its TTL (RFC 2308)', () => {
    const answer = row(response('nope.example.com', [], { rcode: 3, authorities: [SOA] }))
    expect(answer).toMatchObject({ rcode: 3, content: HAS_SOA, recordTtl: 30 })
  })

  test('with an extended response code (BADVERS)', () => {
    const opt = hex('00 0029 0200 01000000 0000')
    expect(row(Buffer.concat([header(1, 0, 0, 1), QUESTION, opt]))).toMatchObject({ rcode: 16 })
  })

  test('compressed names, of the question too', () => {
    const cname = hex('c00c 0005 0001 0000000a 0006 03 777777 c00c')
    expect(row(Buffer.concat([header(1, 1), QUESTION, cname])).cnameText).toBe('www.example.com')
  })

  test('one broken record does not break the next: RDLENGTH is the fence', () => {
    const broken = hex('c00c 0005 0001 0000000a 0002 c0ff')
    const good = hex('c00c 0001 0001 0000000a 0004 c0000201')
    expect(row(Buffer.concat([header(1, 2), QUESTION, broken, good]))).toMatchObject({ addresses: 1, state: 0 })
  })
})

describe('bytes that lie', () => {
  test.each<[string, Buffer]>([
    ['a pointer to itself', hex('c00c 0001 0001')],
    ['a pointer forward', hex('c020 0001 0001')],
    ['a pointer into the header', hex('01 61 c002 0001 0001')],
    ['an unknown kind of label', hex('41 61 00 0001 0001')],
    ['a name that never ends', Buffer.alloc(300, 1)],
    ['a name that is cut by the sender', hex('07 6578')],
  ])('%s is malformed, and there is no name', (_, question) => {
    const { lines } = decoded([frame(Buffer.concat([header(1, 0, 0, 0, '0100'), question]))])
    expect(lines).toEqual(['#1 10.244.0.11:40000 > 10.96.0.10:53 udp query 1 malformed'])
  })

  test('counts are rumours', () => {
    expect(row(Buffer.concat([header(1, 65_535, 65_535, 65_535), QUESTION]))).toMatchObject({
      ancount: 65_535,
      content: CONTENT_CUT,
      qnameText: 'example.com',
      state: 2,
    })
  })

  test('a record longer than the message', () => {
    const record = hex('c00c 0001 0001 0000000a 00ff c0000201')
    expect(row(Buffer.concat([header(1, 1), QUESTION, record]))).toMatchObject({
      state: 2,
      content: CONTENT_CUT | HAS_A,
    })
  })

  test('bytes behind the message harm nobody', () => {
    expect(decoded([frame(Buffer.concat([query('example.com'), Buffer.alloc(9)]))]).lines[0]).not.toContain('malformed')
  })

  test('the wire had more than the capture: cut, and not malformed', () => {
    const bytes = frame(query('www.example.com'))
    const shown = [0, 4, 12, 16, 28, 29, 31].map(length => {
      const cut = { bytes: bytes.subarray(0, 42 + length), wireLength: bytes.length }
      const { lines, issues } = decoded([cut])
      return lines[0]?.replace(/.*udp /, '') ?? issues[0]
    })
    expect(shown).toEqual([
      'headers-cut 1',
      'query 1 cut',
      'query 1 cut name-cut',
      'query 1 www cut name-cut',
      'query 1 www.example.com cut name-cut',
      'query 1 www.example.com cut',
      'query 1 www.example.com cut',
    ])
  })
})

describe('ICMP "unreachable"', () => {
  const asked = ipv4({}, udp({}, query('example.com', { id: 7 })))
  const quote = (bytes?: number) => ethernet(ipv4({ from: SERVER, to: CLIENT }, unreachable(asked, bytes)))

  test('is a row with what it quotes', () => {
    const { lines, capture } = decoded([quote()])
    expect(lines).toEqual(['#1 10.244.0.11:40000 > 10.96.0.10:53 udp unreachable 7 A example.com'])
    expect(capture).toMatchObject({ dnsFrames: 1, messages: 0 })
  })

  test('quotes as little as eight bytes of the datagram', () => {
    expect(decoded([quote(28)]).lines).toEqual(['#1 10.244.0.11:40000 > 10.96.0.10:53 udp unreachable'])
  })

  test('in IPv6', () => {
    const packet = ipv6(
      { from: 'fd00::53', to: 'fd00::11' },
      unreachable6(ipv6({}, udp({}, query('example.com', { id: 7 })))),
    )
    expect(decoded([ethernet(packet)]).lines).toEqual([
      '#1 fd00::11:40000 > fd00::53:53 udp unreachable 7 A example.com',
    ])
  })

  test('about a TCP connection', () => {
    const syn = ipv4({}, tcp({ flags: 'S' }))
    const packet = ipv4({ from: SERVER, to: CLIENT }, unreachable(syn, 28))
    expect(decoded([ethernet(packet)]).lines).toEqual(['#1 10.244.0.11:40000 > 10.96.0.10:53 tcp unreachable'])
  })

  test('about something else is none of ours', () => {
    const packet = ipv4({}, unreachable(ipv4({}, udp({ toPort: 443 }, Buffer.alloc(20)))))
    expect(decoded([ethernet(packet)]).capture).toMatchObject({ otherFrames: 1, dnsFrames: 0 })
  })
})

describe('for people', () => {
  test('the data of answers', () => {
    const name = 'example.com'
    const message = response(name, [
      '192.0.2.1',
      { type: 'AAAA', name, data: 'fd00::1' },
      { type: 'CNAME', name, data: 'other.example' },
      { type: 'MX', name, data: { preference: 10, exchange: 'mail.example' } },
      { type: 'TXT', name, data: ['say "hi"', 'b'] },
      { type: 'SRV', name, data: { priority: 1, weight: 2, port: 53, target: 'dns.example' } },
      { type: 'NULL', name, data: Buffer.from([1, 2]) },
    ])
    expect(readAnswers(message, 0, message.length)).toEqual([
      '192.0.2.1',
      'fd00::1',
      'other.example',
      '10 mail.example',
      '"say \\"hi\\"" "b"',
      '1 2 53 dns.example',
      '\\# 2 0102',
    ])
  })

  test('the name of the question in bytes', () => {
    const message = query('a.example')
    expect(questionWire(message, 0, message.length)).toBe('0161076578616d706c6500')
    expect(questionWire(message, 0, 14)).toBeNull()
  })
})

describe('more names or addresses than there is room for', () => {
  const asking = (name: string, from = CLIENT) => ethernet(ipv4({ from }, udp({}, query(name))))

  test('the names that are known go on, whatever their case; messages with others have none', () => {
    const frames = ['a.example', 'b.example', 'c.example', 'A.EXAMPLE', 'c.example'].map(name => asking(name))
    const { rows, tables, issues } = decoded(frames, undefined, undefined, 2)
    expect(rows.map(({ qname }) => (qname === NONE ? null : tables.names.text(qname)))).toEqual([
      'a.example',
      'b.example',
      null,
      'a.example',
      null,
    ])
    expect(issues).toEqual(['names-limit 2'])
  })

  test('messages of further addresses are left out and counted', () => {
    const frames = ['10.0.0.1', '10.0.0.2', '10.0.0.1', '10.0.0.3'].map(from => asking('a.example', from))
    const { lines, issues, capture } = decoded(frames, undefined, undefined, 2)
    expect(lines.map(line => line.slice(0, 11))).toEqual(['#1 10.0.0.1', '#3 10.0.0.1'])
    expect(issues).toEqual(['addresses-limit 2'])
    expect(capture.issueFrames).toBe(2)
  })
})
