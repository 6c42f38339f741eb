/**
 * Query and decision compared at the start: what is decided on must be asked for, and what is asked for should be
 * decided on.
 *
 * Possible where the claims a decision reads are known: rules, Cedar, `claimsIn`, or an author who says so. What a
 * function reads cannot be seen from outside; there the compiler knows the names of a typed query.
 *
 * Source: OpenID4VP 1.0, section 15.4.2 (minimise what is asked for); requirements/verifier.md, VP-V-DQ-13.
 *
 * @module
 */
import { configurationError } from '@attache/core'
import type { ClaimsQuery, CredentialQuery } from '@attache/openid4vp'

/**
 * Compares what a decision reads with what the query asks for.
 *
 * @param asked The first credential query, whose claims decisions see.
 * @param reads Names of claims, nested ones joined with a dot; a name stands for everything inside.
 * @returns Advice: claims that nobody reads, and `values` that nobody checks again.
 * @throws {TypeError} `policy_reads_unasked`: a decision on a claim that no wallet will ever be asked for.
 */
export function lintRequirement(
  asked: CredentialQuery | undefined,
  reads: readonly string[] | undefined,
): readonly string[] {
  const claims = asked?.claims ?? []
  if (reads === undefined) return claims.filter(({ values }) => values !== undefined).map(trustedValues)
  const names = claims.map(nameOf)
  const unasked = reads.filter((name) => !names.some((one) => overlap(one, name)))
  if (unasked.length > 0) {
    throw configurationError(
      'policy_reads_unasked',
      `The decision reads ${unasked.map(printable).join(', ')}, which the query does not ask for. Ask for it, or decide without it.`,
    )
  }
  const unread = claims.filter((claim) => !reads.some((name) => overlap(nameOf(claim), name)))
  return unread.map((claim) =>
    claim.values === undefined
      ? `The query asks for ${printable(nameOf(claim))}, which no decision reads. Leave it out, or name it in reads.`
      : trustedValues(claim),
  )
}

function trustedValues(claim: ClaimsQuery): string {
  return `The query lists values for ${printable(nameOf(claim))}, which only help a wallet to choose. Check them in the decision as well.`
}

/** The name of a claim as refusals and decisions use it: its path without the marks of lists. */
export function nameOf({ path }: Pick<ClaimsQuery, 'path'>): string {
  return path.filter((element) => element !== null).join('.')
}

const overlap = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`)

const printable = (name: string): string => name.replace(/[^\x20-\x7e]|["\\]/g, '?').slice(0, 64)
