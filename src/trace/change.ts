/** Another configuration: what of the pods' resolv.conf, the applications' names and the cluster's DNS would change. */

export interface Change {
  /** Null: as it is. */
  ndots: number | null
  /** Names that the applications would end with a dot. */
  trailingDot: readonly string[]
  /** Search domains that would be taken out of the list. */
  dropSuffix: readonly string[]
  /** CoreDNS would walk the search list for the pods that it knows. */
  autopath: boolean
  /** A DNS cache would stand on every node. */
  nodeLocalCache: boolean
}

export const NO_CHANGE: Change = {
  ndots: null,
  trailingDot: [],
  dropSuffix: [],
  autopath: false,
  nodeLocalCache: false,
}

export const isDotted = ({ trailingDot }: Change, base: string): boolean => trailingDot.includes(base)

export const changedList = ({ dropSuffix }: Change, list: readonly string[]): readonly string[] =>
  dropSuffix.length === 0 ? list : list.filter(suffix => !dropSuffix.includes(suffix))
