/**
 * Addresses that are the same server in every cluster: data only. Each block names the document that says so. What an operator can
 * change (the address of kube-dns) is no business of this table; what everybody leaves as it is (a node-local cache's link-local
 * address) is, as a name and not as the proof of a role.
 */

export interface WellKnown {
  name: string
  /** Null for a stub on the asker's own loopback: what it is for others its queries tell. */
  role: 'upstream' | 'node-local-cache' | null
}

const UPSTREAMS: readonly (readonly [name: string, ...addresses: string[]])[] = [
  // -- Clouds, inside their networks
  // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  ['Azure DNS', '168.63.129.16'],
  // https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html; the VPC's base + 2 differs from VPC to VPC: CLOUDS
  ['AWS VPC DNS', '169.254.169.253', 'fd00:ec2::253'],
  // https://www.alibabacloud.com/help/en/dns/what-is-private-zone
  ['Alibaba Cloud DNS', '100.100.2.136', '100.100.2.138'],
  // What its images have in resolv.conf
  ['Tencent Cloud DNS', '183.60.83.19', '183.60.82.98'],
  // https://cloud.ibm.com/docs/vpc?topic=vpc-service-endpoints-for-vpc
  ['IBM Cloud DNS', '161.26.0.10', '161.26.0.11'],
  // https://docs.hetzner.com/dns-console/dns/general/recursive-name-servers
  ['Hetzner DNS', '185.12.64.1', '185.12.64.2', '2a01:4ff:ff00::add:1', '2a01:4ff:ff00::add:2'],
  // What droplets are given, in the metadata of many: https://docs.digitalocean.com/reference/api/metadata/dns/
  ['DigitalOcean DNS', '67.207.67.2', '67.207.67.3'],
  // https://help.ovhcloud.com, "Changing the DNS servers of an instance"
  ['OVHcloud DNS', '213.186.33.99'],

  // -- Public
  // https://developers.google.com/speed/public-dns/docs/using and docs/dns64
  [
    'Google Public DNS',
    '8.8.8.8',
    '8.8.4.4',
    '2001:4860:4860::8888',
    '2001:4860:4860::8844',
    '2001:4860:4860::64',
    '2001:4860:4860::6464',
  ],
  // https://developers.cloudflare.com/1.1.1.1/ip-addresses/, with the filtering and the DNS64 ones
  [
    'Cloudflare DNS',
    '1.1.1.1',
    '1.0.0.1',
    '1.1.1.2',
    '1.0.0.2',
    '1.1.1.3',
    '1.0.0.3',
    '2606:4700:4700::1111',
    '2606:4700:4700::1001',
    '2606:4700:4700::1112',
    '2606:4700:4700::1002',
    '2606:4700:4700::1113',
    '2606:4700:4700::1003',
    '2606:4700:4700::64',
    '2606:4700:4700::6400',
  ],
  // https://quad9.net/service/service-addresses-and-features/
  [
    'Quad9',
    '9.9.9.9',
    '9.9.9.10',
    '9.9.9.11',
    '149.112.112.112',
    '149.112.112.10',
    '149.112.112.11',
    '2620:fe::fe',
    '2620:fe::9',
    '2620:fe::10',
    '2620:fe::fe:10',
    '2620:fe::11',
    '2620:fe::fe:11',
  ],
  // https://www.opendns.com/setupguide/
  ['OpenDNS', '208.67.222.222', '208.67.220.220', '2620:119:35::35', '2620:119:53::53'],
  // https://adguard-dns.io/en/public-dns.html
  ['AdGuard DNS', '94.140.14.14', '94.140.15.15', '2a10:50c0::ad1:ff', '2a10:50c0::ad2:ff'],
  // https://www.alidns.com
  ['AliDNS', '223.5.5.5', '223.6.6.6', '2400:3200::1', '2400:3200:baba::1'],
  // https://www.dnspod.com/products/public.dns
  ['DNSPod', '119.29.29.29'],
  // https://www.114dns.com
  ['114DNS', '114.114.114.114', '114.114.115.115'],
]

const NODE_LOCAL: readonly (readonly [name: string, ...addresses: string[]])[] = [
  // 169.254.20.10 needs no name: it is what everybody means by a node-local cache, GKE's too
  // https://kubespray.io/#/docs/advanced/dns-stack; .11 is the second one of its high availability
  ['nodelocaldns of kubespray', '169.254.25.10', '169.254.25.11'],
  // https://learn.microsoft.com/azure/aks/localdns-custom: for the node and dnsPolicy Default, and for ClusterFirst
  ['AKS LocalDNS', '169.254.10.10', '169.254.10.11'],
]

/** Node-local, but for the node itself and pods with dnsPolicy Default: AKS LocalDNS at its first address. */
export const NODES_OWN: ReadonlySet<string> = new Set(['169.254.10.10'])

const STUBS: readonly (readonly [name: string, ...addresses: string[]])[] = [
  // https://www.freedesktop.org/software/systemd/man/systemd-resolved.html; .54 passes on without a cache of its own
  ['systemd-resolved', '127.0.0.53', '127.0.0.54'],
  // https://docs.docker.com/engine/network/#dns-services
  ["Docker's DNS", '127.0.0.11'],
]

/** Asked at the same address in several clouds: which one it is the nodes' search domains tell. */
export const METADATA_RESOLVER = '169.254.169.254'

/** A cloud by the search domains that it gives its machines, and how its resolver is called where the address alone does not tell. */
export interface Cloud {
  domains: readonly string[]
  name: string
  /** The resolver is at METADATA_RESOLVER, or at the address of the network itself, plus two. */
  resolver: 'metadata' | 'base-plus-two'
}

export const CLOUDS: readonly Cloud[] = [
  // https://cloud.google.com/compute/docs/internal-dns; of a GKE cluster too that has Cloud DNS in place of kube-dns
  { domains: ['google.internal'], name: 'Google Cloud DNS', resolver: 'metadata' },
  // https://docs.oracle.com/en-us/iaas/Content/Network/Concepts/dns.htm
  { domains: ['oraclevcn.com'], name: 'Oracle Cloud DNS', resolver: 'metadata' },
  // https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
  { domains: ['compute.internal', 'ec2.internal'], name: 'AWS VPC DNS', resolver: 'base-plus-two' },
]

const tableOf = (
  rows: readonly (readonly [name: string, ...addresses: string[]])[],
  role: WellKnown['role'],
): [string, WellKnown][] =>
  rows.flatMap(([name, ...addresses]) => addresses.map((address): [string, WellKnown] => [address, { name, role }]))

/** By address as text. */
export const WELL_KNOWN: ReadonlyMap<string, WellKnown> = new Map([
  ...tableOf(UPSTREAMS, 'upstream'),
  [METADATA_RESOLVER, { name: 'cloud metadata DNS', role: 'upstream' }],
  ...tableOf(NODE_LOCAL, 'node-local-cache'),
  ...tableOf(STUBS, null),
])
