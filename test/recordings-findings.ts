/**
 * What each recording of a real cluster shows when all its captures are read together, and why its packets justify it. The
 * documentation's table is written from here, and the tests hold the program against it.
 */

export interface Shown {
  code: string
  severity: 'problem' | 'warning' | 'info'
  /** What in the recording is the reason, beyond its search lists. */
  because: string
}

const shown = (severity: Shown['severity'], code: string, because: string): Shown => ({ code, severity, because })

const NDOTS5 = shown('warning', 'ndots-waste', 'pods with ndots:5 ask for full names')
const HOST_DOMAIN = shown(
  'warning',
  'useless-suffix',
  "the node's search domain ap-southeast-1.compute.internal holds nothing",
)
const LEAKS = shown('warning', 'waste-leaves-cluster', "CoreDNS forwards what the node's search domain makes")
const FULL_SERVICE = shown(
  'warning',
  'service-name-without-dot',
  'applications write the full service name without a dot at its end',
)

export const RECORDINGS: Record<string, Shown[]> = {
  '00-search-chain': [
    shown(
      'info',
      'dig-without-search',
      'dig httpd-example without +search is denied, nslookup and the application find it',
    ),
  ],
  '01-glibc-clusterip': [NDOTS5, HOST_DOMAIN, LEAKS],
  '02-nodelocal': [
    NDOTS5,
    shown('info', 'dns-policy', 'a host-network pod with ClusterFirstWithHostNet beside pods with ClusterFirst'),
  ],
  '03-clients': [
    NDOTS5,
    HOST_DOMAIN,
    LEAKS,
    FULL_SERVICE,
    shown('info', 'dig-without-search', 'dig api without +search is denied, the clients find it'),
  ],
  '04-upstreams-disagree': [
    shown(
      'problem',
      'upstreams-disagree',
      'one of the two servers behind "forward" holds corp.example, the other one denies it',
    ),
    NDOTS5,
    HOST_DOMAIN,
    LEAKS,
  ],
  '05-coredns-down': [
    shown('problem', 'coredns-unreachable', 'CoreDNS is killed, then without endpoints, then behind a NetworkPolicy'),
    shown(
      'warning',
      'chain-budget',
      'glibc waits twice 5 s for the first candidate and as long for the name itself: 20 s',
    ),
    NDOTS5,
  ],
  '06-loss-slow-timeout': [
    shown('problem', 'five-second-wait', 'queries and answers are dropped between the nodes'),
    shown('warning', 'upstream-silent', 'the servers of blackhole.example drop everything'),
    shown('problem', 'slow-upstream', 'the servers of slow.example take their time'),
    shown('warning', 'server-errors', 'the server of lame.example refuses what the upstream asks it'),
    shown(
      'warning',
      'answer-too-late',
      'CoreDNS says SERVFAIL after 6 s, when the resolvers of blackhole.example have given up',
    ),
    shown(
      'warning',
      'chain-budget',
      'at 5 % loss a walk of ten queries loses two now and then, and waits out the timer on both',
    ),
    NDOTS5,
    HOST_DOMAIN,
    LEAKS,
  ],
  '07-truncation-tcp-fragments': [
    shown('warning', 'truncation-without-tcp', 'musl 1.2.3 and dig +ignore do not repeat cut answers over TCP'),
    NDOTS5,
  ],
  '08-dualstack-ipv6': [
    NDOTS5,
    HOST_DOMAIN,
    shown('info', 'client-profile', 'musl asks the IPv6 and the IPv4 address of kube-dns at once'),
    shown('problem', 'server-outage', 'in phase "killed" CoreDNS is gone at both addresses'),
  ],
  '09-vxlan': [
    shown('warning', 'node-local-bypassed', 'on node-a pod web asks the cache at 169.254.20.10, pod cart the service'),
    NDOTS5,
    LEAKS,
  ],
  '10-busy': [
    shown(
      'problem',
      'upstreams-disagree',
      '172.18.0.54 answers db.corp.example twice, 172.18.0.53 denies it ten times',
    ),
    NDOTS5,
    HOST_DOMAIN,
    LEAKS,
    FULL_SERVICE,
  ],
  '11-autopath': [
    shown(
      'warning',
      'ndots-waste',
      'a pod that autopath does not know, and names that do not exist, walk the whole list',
    ),
    shown('warning', 'waste-leaves-cluster', 'autopath walks the list on the server, past the upstream'),
    shown('info', 'autopath-seen', 'CoreDNS runs with autopath @kubernetes'),
  ],
  '12-dnspolicy': [
    NDOTS5,
    LEAKS,
    FULL_SERVICE,
    shown('warning', 'dns-policy', 'a pod with policy None searches shop.svc.cluster.local at a server outside'),
  ],
  '13-nodelocal-late-interception': [
    shown('warning', 'node-local-bypassed', 'the rules of node-cache come a minute after its start'),
    NDOTS5,
  ],
  '14-whatif-ndots5': [NDOTS5, HOST_DOMAIN, LEAKS, FULL_SERVICE],
  '15-whatif-ndots2': [
    shown('warning', 'ndots-waste', 'with ndots:2 names of one dot (google.com) are still searched'),
    HOST_DOMAIN,
  ],
}
