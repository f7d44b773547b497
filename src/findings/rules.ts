/** All findings, in the order in which the rules run: one that explains others comes before them. A new one is a file and a row here. */
import { aaaaNxdomainContradiction } from './aaaa-nxdomain-contradiction.ts'
import { aaaaUseless } from './aaaa-useless.ts'
import { autopathInconsistent, autopathSeen } from './autopath-seen.ts'
import { cacheHitShare } from './cache-hit-share.ts'
import { clientProfile } from './client-profile.ts'
import { corednsUnreachable } from './coredns-unreachable.ts'
import { digWithoutSearch } from './dig-without-search.ts'
import { dnsPolicy } from './dns-policy.ts'
import { fiveSecondWait } from './five-second-wait.ts'
import { flappingRcode } from './flapping-rcode.ts'
import { hotClient } from './hot-client.ts'
import { ndotsWaste } from './ndots-waste.ts'
import { nodeLocalBypassed } from './node-local-bypassed.ts'
import { ppsNearCloudLimit } from './pps-near-cloud-limit.ts'
import { replicaSkew } from './replica-skew.ts'
import type { Rule } from './rule.ts'
import { searchAnsweredInstead } from './search-answered-instead.ts'
import { serviceNameWithoutDot } from './service-name-without-dot.ts'
import { truncationWithoutTcp } from './truncation-without-tcp.ts'
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
  aaaaNxdomainContradiction,
  wildcardSuffix,
  searchAnsweredInstead,
  truncationWithoutTcp,
  autopathInconsistent,
  nodeLocalBypassed,
  ppsNearCloudLimit,
  hotClient,
  replicaSkew,
  flappingRcode,
  ndotsWaste,
  uselessSuffix,
  wasteLeavesCluster,
  serviceNameWithoutDot,
  aaaaUseless,
  dnsPolicy,
  digWithoutSearch,
  autopathSeen,
  clientProfile,
  cacheHitShare,
]
