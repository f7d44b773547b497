/** How many answers there were between an asker and a server, and how many of them took longer than something. */
import type { EdgeSum } from '../trace/sums.ts'
import type { World } from './world.ts'

export const answersOn = ({ direct, wait }: EdgeSum): number => direct.count + wait.count

export const slowOn = ({ direct, wait }: EdgeSum, ms: number): number => direct.countAbove(ms) + wait.countAbove(ms)

/** All of a server's answers. */
export function answersBy(world: World, server: number): number {
  let all = 0
  for (const edge of world.trace.sums.edges.values()) if (edge.to === server) all += answersOn(edge)
  return all
}
