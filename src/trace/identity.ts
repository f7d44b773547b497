/** Who has an address according to the user's files: pods, services and nodes by name. */
import type { PodDns, Role } from '../model.ts'

export interface Identity {
  namespace: string | null
  pod: string | null
  workload: string | null
  node: string | null
  /** What to call it: the pod, the service or the node. */
  name: string | null
  /** Null where the files do not settle it. */
  role: Role | null
  /** What decides the pod's resolv.conf; left out where nobody says. */
  dns?: PodDns
}

/** By address as text. */
export type Identities = Map<string, Identity>
