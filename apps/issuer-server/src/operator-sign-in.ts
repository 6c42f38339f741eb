/**
 * The built-in sign-in of the authorization code flow: operators from the configuration, for trials.
 *
 * Owns comparing passwords in the same time whatever was typed. A company puts its OpenID Provider here.
 *
 * @module
 */
import { encodeBase64url, equalText, utf8 } from '@attache/core'
import type { Directory, PasswordSignIn } from '@attache/issuer'
import { sha256 } from '@attache/keys'

/** Somebody who may approve. */
export interface Operator {
  readonly name: string
  readonly password: string
  /** Employee id: only for this person's agents. Undefined: for all agents. */
  readonly owner?: string | undefined
}

/** Makes the sign-in of some operators. */
export function createOperatorSignIn(
  operators: readonly Operator[],
  directory: Pick<Directory, 'listAgents'>,
): PasswordSignIn {
  return {
    async signIn({ username, password }) {
      let found: Operator | undefined
      // Every operator is compared, and hashes are of equal length: time tells neither name nor password.
      for (const operator of operators) {
        const nameFits = equalText(hash(operator.name), hash(username))
        const passwordFits = equalText(hash(operator.password), hash(password))
        if (nameFits && passwordFits) found = operator
      }
      return found && { name: found.name, agents: await directory.listAgents(found.owner) }
    },
  }
}

function hash(text: string): string {
  return encodeBase64url(sha256(utf8(text)))
}
