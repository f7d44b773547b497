/** All findings, in the order in which the rules run: one that explains others comes before them. A new one is a file and a row here. */
import { aaaaNxdomainContradiction } from './aaaa-nxdomain-contradiction.ts'
import { aaaaUseless } from './aaaa-useless.ts'
import { answerTooLate } from './answer-too-late.ts'
import { autopathInconsistent, autopathSeen } from './autopath-seen.ts'
import { blockedPorts } from './blocked-ports.ts'
import { cacheHitShare } from './cache-hit-share.ts'
import { chainBudget } from './chain-budget.ts'
import { clientProfile } from './client-profile.ts'
import { corednsUnreachable } from './coredns-unreachable.ts'
import { delayOutsideServer } from './delay-outside-server.ts'
import { denialCachePressure } from './denial-cache-pressure.ts'
import { digWithoutSearch } from './dig-without-search.ts'
import { distantServer } from './distant-server.ts'
import { dnsPolicy } from './dns-policy.ts'
import { fiveSecondWait } from './five-second-wait.ts'
import { flappingRcode } from './flapping-rcode.ts'
import { hotClient } from './hot-client.ts'
import { kubeDns } from './kube-dns.ts'
import { lostFragments } from './lost-fragments.ts'
import { missingName } from './missing-name.ts'
import { ndotsWaste } from './ndots-waste.ts'
import { negativeTtl } from './negative-ttl.ts'
import { nodeLocalBypassed } from './node-local-bypassed.ts'
import { nodePathFails } from './node-path-fails.ts'
import { ppsNearCloudLimit } from './pps-near-cloud-limit.ts'
import { proxyGap } from './proxy-gap.ts'
import { replicaSkew } from './replica-skew.ts'
import { replicasDisagree } from './replicas-disagree.ts'
import { resolvConfDiffers } from './resolv-conf-differs.ts'
import type { Rule } from './rule.ts'
import { searchAnsweredInstead } from './search-answered-instead.ts'
import { searchLineTooLong } from './search-line-too-long.ts'
import { searchStoppedEarly } from './search-stopped-early.ts'
import { serverErrors } from './server-errors.ts'
import { serverOutage } from './server-outage.ts'
import { serverStalls } from './server-stalls.ts'
import { serviceNameWithoutDot } from './service-name-without-dot.ts'
import { slowUpstream } from './slow-upstream.ts'
import { stubDomains } from './stub-domains.ts'
import { tcpOnlyFailure } from './tcp-only-failure.ts'
import { tcpUpstreamCost } from './tcp-upstream-cost.ts'
import { truncationWithoutTcp } from './truncation-without-tcp.ts'
import { upstreamOutOfDate } from './upstream-out-of-date.ts'
import { upstreamSilent } from './upstream-silent.ts'
import { upstreamsDisagree } from './upstreams-disagree.ts'
import { uselessSuffix } from './useless-suffix.ts'
import { wasteLeavesCluster } from './waste-leaves-cluster.ts'
import { wildcardSuffix } from './wildcard-suffix.ts'

export const RULES: readonly Rule[] = [
  blockedPorts,
  corednsUnreachable,
  serverOutage,
  nodePathFails,
  upstreamsDisagree,
  replicasDisagree,
  upstreamOutOfDate,
  fiveSecondWait,
  delayOutsideServer,
  serverStalls,
  distantServer,
  proxyGap,
  upstreamSilent,
  slowUpstream,
  answerTooLate,
  serverErrors,
  tcpOnlyFailure,
  lostFragments,
  chainBudget,
  aaaaNxdomainContradiction,
  wildcardSuffix,
  searchAnsweredInstead,
  searchStoppedEarly,
  searchLineTooLong,
  truncationWithoutTcp,
  autopathInconsistent,
  nodeLocalBypassed,
  tcpUpstreamCost,
  ppsNearCloudLimit,
  hotClient,
  denialCachePressure,
  replicaSkew,
  flappingRcode,
  negativeTtl,
  ndotsWaste,
  uselessSuffix,
  wasteLeavesCluster,
  serviceNameWithoutDot,
  aaaaUseless,
  dnsPolicy,
  missingName,
  resolvConfDiffers,
  digWithoutSearch,
  autopathSeen,
  stubDomains,
  kubeDns,
  clientProfile,
  cacheHitShare,
]
