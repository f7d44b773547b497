/** What everybody calls a server: by its address, or by its address and the search domains that its cloud gives to machines. */
import { expect, test } from 'vitest'
import { knownAs } from '../src/trace/known-as.ts'
import { rangeOf } from '../src/trace/networks.ts'

const known = (address: string, clients: string[], domains: string[]) =>
  knownAs(
    address,
    () => domains,
    network => clients.some(client => rangeOf(client) === network),
  )

const nameOf = (address: string, clients: string[], domains: string[]): string | null =>
  known(address, clients, domains)?.name ?? null

const AWS = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'eu-west-1.compute.internal']

test('an address that is one resolver everywhere needs no more evidence', () => {
  expect(known('168.63.129.16', [], [])).toEqual({ name: 'Azure DNS', because: '168.63.129.16 is Azure DNS' })
  expect(nameOf('2620:fe::fe', [], AWS)).toBe('Quad9')
  expect(nameOf('fd00:ec2::253', [], [])).toBe('AWS VPC DNS')
  expect(nameOf('127.0.0.53', [], [])).toBe('systemd-resolved')
  expect(nameOf('169.254.25.10', [], [])).toBe('nodelocaldns of kubespray')
  expect(nameOf('172.18.0.53', ['172.18.0.2'], AWS)).toBeNull()
})

test('169.254.169.254 is the resolver of several clouds: the search domains tell which', () => {
  expect(nameOf('169.254.169.254', [], ['c.project-1.internal', 'google.internal'])).toBe('Google Cloud DNS')
  expect(nameOf('169.254.169.254', [], ['nodes.vcn1.oraclevcn.com'])).toBe('Oracle Cloud DNS')
  expect(nameOf('169.254.169.254', [], ['shop.svc.cluster.local'])).toBe('cloud metadata DNS')
})

test("the VPC's base plus two is named where machines of its network ask it and search AWS's domains, not elsewhere", () => {
  expect(known('10.0.0.2', ['10.0.3.17'], AWS)?.because).toBe(
    '10.0.0.2 is AWS VPC DNS (the base of the network plus two): machines there search eu-west-1.compute.internal',
  )
  expect(nameOf('10.0.0.2', ['10.0.3.17'], ['ec2.internal'])).toBe('AWS VPC DNS')
  // Nothing says that this is AWS; another network; not base plus two; a public address.
  expect(nameOf('10.0.0.2', ['10.0.3.17'], ['corp.example', 'notec2.internal'])).toBeNull()
  expect(nameOf('10.0.0.2', ['10.1.3.17'], AWS)).toBeNull()
  expect(nameOf('10.0.0.5', ['10.0.3.17'], AWS)).toBeNull()
  expect(nameOf('54.0.0.2', ['54.0.3.17'], AWS)).toBeNull()
})
