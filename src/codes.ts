/** IANA tables and issue codes: data only. https://www.iana.org/assignments/dns-parameters */

/** Resource record types by number; an unknown one is written TYPE123 (RFC 3597). */
export const TYPES: Record<number, string> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  10: 'NULL',
  11: 'WKS',
  12: 'PTR',
  13: 'HINFO',
  14: 'MINFO',
  15: 'MX',
  16: 'TXT',
  17: 'RP',
  18: 'AFSDB',
  24: 'SIG',
  25: 'KEY',
  28: 'AAAA',
  29: 'LOC',
  33: 'SRV',
  35: 'NAPTR',
  36: 'KX',
  37: 'CERT',
  39: 'DNAME',
  41: 'OPT',
  42: 'APL',
  43: 'DS',
  44: 'SSHFP',
  45: 'IPSECKEY',
  46: 'RRSIG',
  47: 'NSEC',
  48: 'DNSKEY',
  49: 'DHCID',
  50: 'NSEC3',
  51: 'NSEC3PARAM',
  52: 'TLSA',
  53: 'SMIMEA',
  55: 'HIP',
  59: 'CDS',
  60: 'CDNSKEY',
  61: 'OPENPGPKEY',
  62: 'CSYNC',
  63: 'ZONEMD',
  64: 'SVCB',
  65: 'HTTPS',
  99: 'SPF',
  108: 'EUI48',
  109: 'EUI64',
  249: 'TKEY',
  250: 'TSIG',
  251: 'IXFR',
  252: 'AXFR',
  253: 'MAILB',
  254: 'MAILA',
  255: 'ANY',
  256: 'URI',
  257: 'CAA',
}

export const A = 1
export const NS = 2
export const CNAME = 5
export const SOA = 6
export const PTR = 12
export const HINFO = 13
export const MX = 15
export const TXT = 16
export const AAAA = 28
export const SRV = 33
export const OPT = 41

const CLASSES: Record<number, string> = { 1: 'IN', 3: 'CH', 4: 'HS', 254: 'NONE', 255: 'ANY' }

export const RCODES: Record<number, string> = {
  0: 'NOERROR',
  1: 'FORMERR',
  2: 'SERVFAIL',
  3: 'NXDOMAIN',
  4: 'NOTIMP',
  5: 'REFUSED',
  6: 'YXDOMAIN',
  7: 'YXRRSET',
  8: 'NXRRSET',
  9: 'NOTAUTH',
  10: 'NOTZONE',
  16: 'BADVERS',
  23: 'BADCOOKIE',
}

export const NOERROR = 0
export const FORMERR = 1
export const SERVFAIL = 2
export const NXDOMAIN = 3
export const NOTIMP = 4
export const REFUSED = 5

/** Bits of the header's second 16 (RFC 1035 4.1.1, RFC 4035). */
export const QR = 0x8000
export const AA = 0x0400
export const TC = 0x0200
export const RD = 0x0100
export const RA = 0x0080
export const AD = 0x0020

export const typeName = (type: number): string => TYPES[type] ?? `TYPE${type}`
export const className = (code: number): string => CLASSES[code] ?? `CLASS${code}`
export const rcodeName = (rcode: number): string => RCODES[rcode] ?? `RCODE${rcode}`

/** What an issue code means, in a sentence. A code is stable: people search for it. */
export const ISSUES: Record<string, string> = {
  'file-cut':
    'The file ends in the middle of a record: it was cut, or its writer had not finished; what came before was read.',
  'files-joined':
    'Several capture files stand behind each other in one (cat); Wireshark reads such a file only with errors, mergecap joins them properly.',
  'record-length': 'A record claims a length that cannot be; reading went on at the next record that makes sense.',
  'block-length': 'A block of the pcapng contradicts its own lengths.',
  'pcapng-section':
    'A section of the pcapng has an unknown version or byte order; reading went on at the next one that makes sense.',
  'interface-unknown': 'A packet names an interface that the pcapng has not described, so it cannot be decoded.',
  'no-time': 'Packets without a time (simple packet blocks) were given that of the packet before.',
  'compression-damaged': 'The compressed file is damaged or cut; what could be unpacked was read.',
  'read-failed': 'The operating system stopped reading the file with an error; what came before was read.',
  'link-type': 'Packets of a link type that dnstrail does not know.',
  'link-header': 'A link-layer header is too short or contradicts itself.',
  'headers-cut':
    'The snap length of the capture cut packets before their headers ended; use a larger one (tcpdump -s 0).',
  'ip-header': 'An IP header is too short or contradicts itself.',
  'ip-length': 'An IP header claims another length than the packet had; the part that is there was read.',
  'udp-header': 'A UDP header is too short.',
  'udp-length': 'A UDP header claims another length than the datagram had; the part that is there was read.',
  'tcp-header': 'A TCP header is too short or contradicts itself.',
  'gre-header': 'A GRE header is too short.',
  'too-deep': 'A packet in a packet in a packet, and so on: given up.',
  'dns-short': 'Packets on port 53 that are shorter than the header of a DNS message.',
  'dns-elsewhere':
    'Packets have the shape of DNS on a port that no server is known for (no translated query toward port 53 was seen); they were left out. Name the port with --dns-port.',
  'fragments-lost':
    'IP fragments of DNS messages are missing, so the messages are cut. A capture filter "port 53" loses all fragments but the first.',
  'fragments-limit': 'More datagrams in fragments were under way than dnstrail keeps; the oldest were given up.',
  'fragments-overlap': 'IP fragments contradict each other; their datagram was dropped (RFC 5722).',
  'tcp-hole': 'Segments of a DNS connection are missing in the capture; reading went on behind the hole.',
  'tcp-length': 'A DNS message over TCP claims a length that cannot be; reading went on at the next message.',
  'line-cut': 'The flow log ends in the middle of a line: its writer was stopped; all lines before it were read.',
  'line-damaged': 'Lines begin like JSON and are none: they were damaged or cut on their way.',
  'line-not-json': "Lines that are no JSON, such as a program's own messages between the flows, were passed over.",
  'line-encoding':
    'Lines are not valid UTF-8, which Hubble never writes: the file was damaged or converted; what is readable was read.',
  'line-untimed':
    'DNS records are printed without a time, so nothing tells which of them belong to one lookup: print them with their times.',
  'line-too-long': 'Lines are longer than 16 MiB, which no flow is; they were passed over.',
  'flow-aggregated':
    'The exporter aggregated flows (fieldAggregate): a line stands for many flows and cannot be a query; export DNS without aggregation.',
  'flow-fields':
    'DNS flows without time, addresses, kind or name: a field mask left these out; add time, IP, l4 and l7 to it.',
  'node-unavailable':
    "Hubble's relay could not reach nodes, or lost them: their flows are missing from then on, and queries of their pods with them.",
  'addresses-limit': 'DNS packets of more addresses than dnstrail tells apart; they were left out.',
  'names-limit': 'DNS messages with more different names than dnstrail tells apart; their lookups were left out.',
  'pairs-limit':
    'Flows on port 53 between more pairs of client and server than dnstrail tells apart; those of the others are counted, and not listed.',
  'encrypted-limit':
    'Connections for encrypted DNS between more pairs of client and server than dnstrail lists; those of the others are counted here.',
  'sums-limit':
    'A row of the top lists may lack as many as {error} of its queries, and a rare one may be missing; totals are exact. There were more names, clients or search domains than dnstrail sums up, and those with the fewest queries were forgotten.',
  'findings-limit':
    'A finding may miss a rare name, client or server, and its numbers may be too low by as many as {error}; totals are exact. There were more of them than findings keep apart, and those seen least were forgotten.',
  'tcp-forgotten':
    'So many TCP connections with DNS servers were opened that the oldest, on which nothing was under way, were forgotten. No message is lost by that; how long they took to open is not known.',
  'tcp-limit': 'More DNS over TCP was under way than dnstrail keeps; the oldest half messages were given up.',
}
