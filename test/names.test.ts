/** Names as numbers: the same name, however it came, is one number, and every number gives its name back. */
import { describe, expect, test } from 'vitest'
import { NONE } from '../src/model.ts'
import { Names, textOfName } from '../src/wire/names.ts'

/** Labels as bytes, with the final zero. */
const wire = (...labels: (string | number[])[]): Buffer =>
  Buffer.concat([
    ...labels.map(label => {
      const bytes = typeof label === 'string' ? Buffer.from(label, 'latin1') : Buffer.from(label)
      return Buffer.concat([Buffer.from([bytes.length]), bytes])
    }),
    Buffer.from([0]),
  ])

const intern = (names: Names, bytes: Buffer): number => names.internWire(bytes, 0, bytes.length)

describe('one name is one number', () => {
  test('in any case, and with the final zero or without (0x20, cut captures)', () => {
    const names = new Names()
    const lower = wire('google', 'com')
    const id = intern(names, lower)
    expect(intern(names, wire('GooGLE', 'cOm'))).toBe(id)
    expect(names.internWire(lower, 0, lower.length - 1)).toBe(id)
    expect(names.internText('Google.COM')).toBe(id)
    expect(names.find('google.com')).toBe(id)
    expect(names.size).toBe(1)
  })

  test('written by hand or read from the wire, special bytes and all', () => {
    for (const bytes of [
      wire('a.b', 'c'),
      wire('back\\slash'),
      wire([0, 10, 127, 200], 'x'),
      wire([3, 3, 0x2e, 0x5c], 'zone'),
      wire(),
      wire('x'.repeat(63), 'y'.repeat(63), 'z'.repeat(63), 'w'.repeat(61)),
      wire('Caf\u00c9'),
    ]) {
      const names = new Names()
      const id = intern(names, bytes)
      expect(names.text(id)).toBe(textOfName(bytes, 0, bytes.length).toLowerCase())
      expect(names.internText(names.text(id))).toBe(id)
    }
  })

  test('among thousands that end alike, and where one is the end of another', () => {
    const names = new Names()
    const ends = [
      ['svc', 'cluster', 'local'],
      ['cluster', 'local'],
      ['local'],
      [],
      ['example', 'com', 'svc', 'cluster', 'local'],
    ]
    const ids = new Map<number, string>()
    for (let i = 0; i < 3000; i++)
      for (const end of ends) {
        const labels = [`web${i}`, `Domain${i % 50}`, ...end]
        ids.set(intern(names, wire(...labels)), labels.join('.').toLowerCase())
      }
    for (const end of ends) if (end.length > 0) ids.set(intern(names, wire(...end)), end.join('.'))
    expect(ids.size).toBe(3000 * ends.length + 4)
    expect(names.size).toBe(ids.size)
    for (const [id, text] of ids) {
      expect(names.text(id)).toBe(text)
      expect(names.find(text)).toBe(id)
      expect(names.isService(id)).toBe(text.includes('.svc.'))
    }
  })

  test('a text that no wire name has keeps itself: a flow log may hold anything', () => {
    const names = new Names()
    const texts = [
      'a..b',
      'two words',
      'x'.repeat(64),
      'ends.',
      '\\065',
      'back\\',
      'caf\u00e9.fr',
      `${'abc.'.repeat(80)}com`,
    ]
    const ids = texts.map(text => names.internText(text))
    expect(new Set(ids).size).toBe(texts.length)
    expect(ids.map(id => names.text(id))).toEqual(texts)
    expect(texts.map(text => names.find(text))).toEqual(ids)
    expect(texts.map(text => names.internText(text))).toEqual(ids)
  })

  test('among a hundred thousand others', () => {
    const names = new Names()
    const ids = Array.from({ length: 100_000 }, (_, i) => names.internText(`host${i}.shop.svc.cluster.local`))
    expect(names.size).toBe(100_000)
    for (let i = 0; i < ids.length; i += 997) {
      expect(names.text(ids[i])).toBe(`host${i}.shop.svc.cluster.local`)
      expect(intern(names, wire(`host${i}`, 'shop', 'svc', 'cluster', 'local'))).toBe(ids[i])
    }
    expect(names.find('host100000.shop.svc.cluster.local')).toBe(NONE)
  })
})

test('the names of one search walk have one head', () => {
  const names = new Names()
  const [base, searched, odd, other] = [
    'www.google.com',
    'WWW.google.com.shop.svc.cluster.local',
    'www.no name',
    'ww.google.com',
  ].map(text => names.head(names.internText(text)))
  expect(searched).toBe(base)
  expect(odd).not.toBe(other)
  expect(other).not.toBe(base)
})

test('a service is what has "svc" between other labels', () => {
  const names = new Names()
  const isService = (text: string): boolean => names.isService(names.internText(text))
  expect(isService('cart.shop.svc.cluster.local')).toBe(true)
  expect(isService('_http._tcp.cart.shop.SVC.cluster.local')).toBe(true)
  expect(isService('svc.cluster.local')).toBe(false)
  expect(isService('cart.shop.svc')).toBe(false)
  expect(isService('my.svcs.example')).toBe(false)
})
