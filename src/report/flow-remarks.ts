/** What a flow log cannot tell, in words: one sentence each, with what it means for the numbers. */
import { TEXT_FORMAT } from '../input/hubble.ts'
import type { Capture } from '../model.ts'
import { plural } from '../quantities.ts'
import type { EndpointRow } from './report-types.ts'

export interface Remark {
  grade: 'good' | 'fair' | 'poor'
  text: string
}

export function flowRemarks(captures: Capture[], endpoints: EndpointRow[]): Remark[] {
  const logs = captures.filter(capture => capture.lines !== null)
  if (logs.length === 0) return []
  const remarks: Remark[] = []
  const records = logs.reduce((n, log) => n + log.messages, 0)
  const lost = logs.reduce((n, log) => n + (log.dropped ?? 0), 0)
  if (lost > 0) {
    remarks.push({
      grade: 'fair',
      text: `Hubble lost ${plural(lost, 'event')} of all kinds: a query or response among them looks unanswered here.`,
    })
  }
  if (logs.some(({ format }) => format === TEXT_FORMAT)) {
    remarks.push({
      grade: 'good',
      text: 'The text that Hubble prints has names in place of most addresses, milliseconds, times without a year (the latest that can be is taken), and of DNS records no transport (UDP is taken). -o json tells more.',
    })
  }
  if (logs.length < captures.length) {
    remarks.push({
      grade: 'good',
      text: 'Packets and flows were given together: messages are those of the packets, names of pods and drops those of the flows.',
    })
  } else if (records > 0) {
    remarks.push({
      grade: 'good',
      text: "Hubble tells names, outcomes and times as the nodes' DNS proxies see them: no ids, flags, sizes or EDNS. So bytes, truncation and the kind of resolver stay unknown, and waits are without the way from pod to proxy.",
    })
    const askers = endpoints.filter(endpoint => endpoint.asked > 0)
    if (askers.length > 0 && askers.every(({ role }) => role === 'node-local-cache' || role === 'coredns')) {
      remarks.push({
        grade: 'fair',
        text: 'Nobody but DNS servers asks in this log: what their pods asked is not in it, only what a cache shared by many pods passed on. Lookups are as far as its chains show.',
      })
    }
  } else {
    remarks.push({ grade: 'poor', text: 'The flows have no names: no lookup, no answer and no wait can be told.' })
  }
  return remarks
}
