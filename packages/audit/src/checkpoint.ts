/**
 * Checkpoints: the head of a trail, signed, to be kept where whoever can edit the trail cannot reach.
 *
 * A chain alone shows edits in the middle; only a checkpoint from outside shows that its end was cut off or that
 * the whole chain was made anew.
 *
 * @module
 */
import { type JsonObject, type NumericDate, VerificationError } from '@attache/core'
import { type JwsAlgorithm, type PublicJwk, parseJws, type Signer, signJws, verifyJws } from '@attache/keys'
import { z } from 'zod'
import type { AuditHead } from './audit-entry.js'

/** Media type of a checkpoint, its `typ`. */
export const CHECKPOINT_TYPE = 'attache-audit-checkpoint+jwt'

/** What a checkpoint says. */
export interface Checkpoint extends AuditHead {
  readonly trail: string
  readonly iat: NumericDate
}

/** Signs a checkpoint; compact JWS. */
export function signCheckpoint(checkpoint: Checkpoint, signer: Signer): Promise<string> {
  const { trail, seq, hash, iat } = checkpoint
  return signJws(
    { header: { typ: CHECKPOINT_TYPE, kid: signer.kid }, payload: { trail, seq, hash, iat } },
    signer,
  )
}

/**
 * Verifies a checkpoint.
 *
 * @param text Compact JWS.
 * @param expected.key The trail's signing key, from configuration, never from the checkpoint.
 * @throws {VerificationError} `audit_checkpoint_malformed`: not the payload of a checkpoint.
 * @throws {VerificationError} `jws_*`: not a JWS, another type or algorithm, or not signed by this key.
 */
export function verifyCheckpoint(
  text: string,
  expected: { readonly key: PublicJwk; readonly algorithms: readonly JwsAlgorithm[] },
): Checkpoint {
  const jws = parseJws(text)
  verifyJws(jws, { typ: CHECKPOINT_TYPE, ...expected })
  return parseCheckpoint(jws.payload)
}

// Built once: building a schema costs a hundred times what it costs to use it.
const payloadSchema = z.object({
  trail: z.string(),
  seq: z.int().nonnegative(),
  hash: z.string().length(43),
  iat: z.int(),
})

function parseCheckpoint(payload: JsonObject): Checkpoint {
  const parsed = payloadSchema.safeParse(payload)
  if (parsed.success) return parsed.data
  throw new VerificationError('audit_checkpoint_malformed', 'The payload is not that of an audit checkpoint.')
}
