/** What kubectl says of addresses: the cluster's own DNS is told by labels, whoever installed it. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readResources } from '../src/input/hints.ts'

const pod = (name: string, podIP: string, labels: Record<string, string>, hostNetwork = false) => ({
  kind: 'Pod',
  metadata: { name, namespace: 'kube-system', labels },
  spec: { nodeName: 'node-a', hostNetwork },
  status: { podIP },
})

test.each([
  ['coredns-5d8f', { 'k8s-app': 'kube-dns' }, 'coredns'],
  ['dns-default-x2k4p', { 'dns.operator.openshift.io/daemonset-dns': 'default' }, 'coredns'],
  ['node-local-dns-wx57b', { 'k8s-app': 'node-local-dns' }, 'node-local-cache'],
  ['cart-5d8f', { app: 'cart' }, 'pod'],
])('%s with %j is %s', async (name, labels, role) => {
  const path = join(mkdtempSync(join(tmpdir(), 'dnstrail-hints-')), 'cluster.json')
  // Of a cache in the host's network nothing is said: its address is the node's.
  const items = [pod(name, '10.244.0.11', labels), pod(`${name}-host`, '172.18.0.2', labels, true)]
  writeFileSync(path, JSON.stringify({ items }))
  expect((await readResources(path)).map(({ address, role }) => ({ address, role }))).toEqual([
    { address: '10.244.0.11', role },
  ])
})
