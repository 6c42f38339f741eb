/**
 * What servers asked to hear again: DPoP nonces and attestation challenges, each to its own server only.
 *
 * Authorization servers, issuers and APIs are kept apart even where they share an origin: a nonce of one
 * means nothing to the other. Nothing here is secret or worth storing; a restart costs one round trip.
 *
 * Source: RFC 9449, sections 8, 8.2 and 9; attestation-based client authentication -11, section 6.
 *
 * @module
 */
import { ATTESTATION_CHALLENGE_HEADER, createDpopNonceMemory, type DpopNonceMemory } from '@attache/oauth'

/** The parts a server can play. */
export type ServerPart = 'authorization-server' | 'issuer' | 'api'

/** Remembers, per agent and part. */
export interface ServerMemory {
  nonces(agent: string, part: ServerPart): DpopNonceMemory
  /** The newest attestation challenge of an authorization server. */
  challenge(agent: string, authorizationServer: string): string | undefined
  /** Takes the challenge of any answer. */
  noteChallenge(agent: string, authorizationServer: string, headers: Headers): void
  setChallenge(agent: string, authorizationServer: string, challenge: string): void
}

/** Creates an empty memory. */
export function createServerMemory(): ServerMemory {
  const nonces = new Map<string, DpopNonceMemory>()
  const challenges = new Map<string, string>()
  const challengeKey = (agent: string, server: string) => JSON.stringify([agent, server])
  return {
    nonces(agent, part) {
      const key = JSON.stringify([agent, part])
      const known = nonces.get(key) ?? createDpopNonceMemory()
      nonces.set(key, known)
      return known
    },
    challenge: (agent, server) => challenges.get(challengeKey(agent, server)),
    noteChallenge(agent, server, headers) {
      const challenge = headers.get(ATTESTATION_CHALLENGE_HEADER)
      if (challenge !== null && challenge.length <= 2048)
        challenges.set(challengeKey(agent, server), challenge)
    },
    setChallenge: (agent, server, challenge) => {
      challenges.set(challengeKey(agent, server), challenge)
    },
  }
}
