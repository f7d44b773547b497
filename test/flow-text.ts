/** Flows as `hubble observe` prints them for people, by the rules of its printer: compact, dict and tab. */

// biome-ignore lint/suspicious/noExplicitAny: a line of JSON, of which the test knows what stands in it
type Fields = Record<string, any>

export interface TextForm {
  form: 'compact' | 'dict' | 'tab'
  /** With the nodes' names. */
  node?: boolean
  time?: (time: string) => string
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Go's time.StampMilli. */
export const stampMilli = (time: string): string => {
  const [year, month, day] = time.slice(0, 10).split('-').map(Number)
  const fraction = (/\.(\d+)/.exec(time)?.[1] ?? '').padEnd(3, '0').slice(0, 3)
  return year === undefined ? '' : `${MONTHS[month! - 1]} ${String(day).padStart(2)} ${time.slice(11, 19)}.${fraction}`
}

const RCODES: Record<number, string> = { 2: 'Server Failure ', 3: 'Non-Existent Domain', 5: 'Query Refused' }

/** The lines of a log of JSON as text; lost events and flows, nothing else is printed. */
export function textLog(jsonLines: readonly string[], { form, node = false, time = stampMilli }: TextForm): string {
  const rows: string[][] = []
  const lines: string[] = []
  for (const json of jsonLines) {
    const { flow, lost_events: lost, time: at } = JSON.parse(json) as Fields
    if (lost) {
      const count = lost.num_events_lost
      if (form === 'compact') lines.push(`${time(at)} EVENTS LOST: ${lost.source} CPU(0) ${count}`)
      else rows.push([time(at), '', lost.source, '', 'EVENTS LOST', '', `CPU(0) - ${count}`])
    }
    if (!flow) continue
    const [source, destination] = [host(flow, 'source'), host(flow, 'destination')]
    const { type, verdict } = kind(flow)
    if (form !== 'compact') {
      rows.push([time(flow.time), flow.node_name, source, destination, type, verdict, summary(flow)])
      continue
    }
    const arrow = flow.is_reply === undefined ? '<>' : flow.is_reply ? '<-' : '->'
    const ends = [`${source} ${identity(flow.source)}`, `${destination} ${identity(flow.destination)}`]
    if (flow.is_reply) ends.reverse()
    const where = node ? ` [${flow.node_name}]` : ''
    lines.push(`${time(flow.time)}${where}: ${ends[0]} ${arrow} ${ends[1]} ${type} ${verdict} (${summary(flow)})`)
  }
  const head = ['TIMESTAMP', 'NODE', 'SOURCE', 'DESTINATION', 'TYPE', 'VERDICT', 'SUMMARY']
  const shown = (row: string[]) => (node ? row : row.filter((_, i) => i !== 1))
  if (form === 'dict') {
    const blocks = rows.map(row => {
      const keys = shown(head)
      return shown(row)
        .map((value, i) => `${`${keys[i]}:`.padStart(12)} ${value}`)
        .join('\n')
    })
    return `${blocks.join('\n------------\n')}\n`
  }
  if (form === 'tab') {
    const table = [head, ...rows].map(shown)
    const widths = table[0]!.map((_, i) => Math.max(...table.map(row => row[i]!.length)) + 3)
    return table
      .map(row =>
        row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('')
          .trimEnd(),
      )
      .join('\n')
      .concat('\n')
  }
  return `${lines.join('\n')}\n`
}

function host(flow: Fields, end: 'source' | 'destination'): string {
  const { pod_name: pod, namespace } = flow[end] ?? {}
  const service = flow[`${end}_service`]
  const address = flow.IP[end] as string
  const port = (flow.l4?.UDP ?? flow.l4?.TCP)?.[`${end}_port`] ?? 0
  const name = pod ? `${namespace}/${pod}` : service ? `${service.namespace}/${service.name}` : address
  if (port === 0) return name
  return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
}

const RESERVED = ['unknown', 'host', 'world', 'unmanaged', 'health', 'init', 'remote-node']

function identity(end: Fields = {}): string {
  const number = end.identity ?? 0
  return number >= 256 ? `(ID:${number})` : `(${RESERVED[number]})`
}

function kind(flow: Fields): { type: string; verdict: string } {
  const { type, sub_type: sub = 0 } = flow.event_type ?? {}
  const denied = flow.verdict === 'DROPPED' || flow.verdict === 'ERROR'
  if (flow.l7) return { type: `dns-${flow.l7.type.toLowerCase()} proxy`, verdict: flow.verdict }
  if (type === 5)
    return { type: `policy-verdict:none ${flow.traffic_direction ?? 'EGRESS'}`, verdict: denied ? 'DENIED' : 'ALLOWED' }
  if (type === 1) return { type: 'Policy denied', verdict: flow.verdict }
  if (type === 7) return { type: 'pre-xlate-fwd', verdict: flow.verdict }
  return {
    type: ['to-endpoint', 'to-proxy', 'to-host', 'to-stack', 'to-overlay'][sub] ?? 'to-network',
    verdict: flow.verdict,
  }
}

function summary(flow: Fields): string {
  const dns = flow.l7?.dns
  if (!dns) {
    const flags = Object.keys(flow.l4.TCP?.flags ?? {})
    return flow.l4.UDP ? 'UDP' : `TCP Flags: ${flags.join(', ')}`
  }
  const types = dns.qtypes?.join(',') ?? ''
  if (flow.l7.type === 'REQUEST') return `DNS Query ${dns.query} ${types}`
  const rcode = dns.rcode ? `RCode: ${RCODES[dns.rcode]}` : ''
  const ips = dns.ips ? `"${dns.ips.join(',')}"` : ''
  const cnames = dns.cnames ? `${ips ? ' ' : ''}CNAMEs: "${dns.cnames.join(',')}"` : ''
  return `DNS Answer ${rcode || ips + cnames} TTL: ${dns.ttl ?? 0} (Proxy ${dns.query} ${types})`
}
