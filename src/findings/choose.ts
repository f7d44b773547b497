/** The findings that the user wants to see, and those that make a script fail. */
import { type Finding, SEVERITIES, type Severity, UserError } from '../model.ts'
import { RULES } from './rules.ts'

export interface Choice {
  /** Codes; null for all. */
  only: string[] | null
  ignore: string[]
  /** Codes and severities. */
  failOn: string[]
}

/** Throws a UserError where a code is none. */
export function checkChoice({ only, ignore, failOn }: Choice): void {
  for (const code of [...(only ?? []), ...ignore]) if (!isCode(code)) throw new UserError(unknown(code))
  for (const word of failOn)
    if (!isCode(word) && !isSeverity(word))
      throw new UserError(`${unknown(word)} It may also be ${SEVERITIES.join(', ')}.`)
}

export const chosen = (findings: readonly Finding[], { only, ignore }: Choice): Finding[] =>
  findings.filter(({ code }) => (only === null || only.includes(code)) && !ignore.includes(code))

/** A severity stands for itself and all that is worse. */
export const fails = (findings: readonly Finding[], { failOn }: Choice): boolean =>
  failOn.some(word =>
    findings.some(({ code, severity }) =>
      isSeverity(word) ? SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(word) : code === word,
    ),
  )

const isCode = (word: string): boolean => RULES.some(({ code }) => code === word)

const isSeverity = (word: string): word is Severity => (SEVERITIES as readonly string[]).includes(word)

const unknown = (word: string): string => `there is no finding "${word}"; "dnstrail explain" lists them all.`
