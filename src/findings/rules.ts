/** All findings, in the order in which the rules run: one that explains others comes before them. A new one is a file and a row here. */
import { aaaaUseless } from './aaaa-useless.ts'
import { corednsUnreachable } from './coredns-unreachable.ts'
import { fiveSecondWait } from './five-second-wait.ts'
import { ndotsWaste } from './ndots-waste.ts'
import type { Rule } from './rule.ts'
import { serviceNameWithoutDot } from './service-name-without-dot.ts'
import { upstreamSilent } from './upstream-silent.ts'
import { upstreamsDisagree } from './upstreams-disagree.ts'
import { uselessSuffix } from './useless-suffix.ts'
import { wasteLeavesCluster } from './waste-leaves-cluster.ts'
import { wildcardSuffix } from './wildcard-suffix.ts'

export const RULES: readonly Rule[] = [
  corednsUnreachable,
  upstreamsDisagree,
  fiveSecondWait,
  upstreamSilent,
  wildcardSuffix,
  ndotsWaste,
  uselessSuffix,
  wasteLeavesCluster,
  serviceNameWithoutDot,
  aaaaUseless,
]
