/** A change in the words of a person, and as the options that ask for it. */
import type { Change } from '../../trace/change.ts'
import { quoted } from '../words.ts'

/** "ndots 2, without the search domain corp.example". */
export function changeInWords({ ndots, trailingDot, dropSuffix, autopath, nodeLocalCache }: Change): string {
  return [
    ndots === null ? '' : `ndots ${ndots}`,
    ...dropSuffix.map(suffix => `without the search domain ${suffix}`),
    ...trailingDot.map(name => `a dot behind ${name}`),
    autopath ? 'autopath in CoreDNS' : '',
    nodeLocalCache ? 'a DNS cache on every node' : '',
  ]
    .filter(Boolean)
    .join(', ')
}

/** "--ndots 2 --drop-suffix corp.example". */
export function changeAsOptions({ ndots, trailingDot, dropSuffix, autopath, nodeLocalCache }: Change): string {
  return [
    ndots === null ? '' : `--ndots ${ndots}`,
    ...dropSuffix.map(suffix => `--drop-suffix ${quoted(suffix)}`),
    ...trailingDot.map(name => `--trailing-dot ${quoted(name)}`),
    autopath ? '--autopath' : '',
    nodeLocalCache ? '--node-local-cache' : '',
  ]
    .filter(Boolean)
    .join(' ')
}
