/**
 * What a route wants signed (RFC 9421): its calls, by the key of their token, and its own answers.
 *
 * A DPoP proof covers method and URL alone. Where somebody between the agent and the API must not be able to change
 * a body or a header field, the call is signed; where the agent must be able to tell that nobody changed the answer,
 * the answer is. Both cost holding a whole body back, so neither is on unless a route says so.
 *
 * Owns what a route may say, and what the metadata says of it. Verifying is in `call-signature.ts`, signing answers
 * in `signed-answer.ts`.
 *
 * Source: RFC 9421, sections 1.4 and 2.4; requirements/sender-constraint.md, HMS-P-01, HMS-P-02 and HMS-R-01.
 *
 * @module
 */
import { configurationError, VerificationError } from '@attache/core'
import type { Signer } from '@attache/keys'
import { type MessageSignatureRule, parseComponent, signatureAlgorithm } from '@attache/oauth'

/** How the calls of a route are signed. */
export interface RequestSignatureRule {
  /** Components beyond the profile's, for example `idempotency-key`; calls without that field are refused. */
  readonly components?: readonly string[]
  /** Largest body, in bytes: it is held back until its digest fits. @default 1048576 */
  readonly maxBodyBytes?: number
}

/** What a route says about signatures. */
export interface MessageSigning {
  /** Whether a call must be signed by the key that its token is bound to. @default not-required */
  readonly requestSignature?: 'required' | 'not-required' | RequestSignatureRule
  /** Whether answers are signed and bound to their request; refusals too, streams cannot be. @default false */
  readonly signResponses?: boolean
}

/** What a route says about signatures, read. */
export interface ReadSigning {
  /** Absent: signatures of calls are not looked at. */
  readonly requests?: { readonly components: readonly string[]; readonly maxBodyBytes: number }
  readonly responses: boolean
}

const MOST_BYTES = 1_048_576
const BYTES_LIMIT = 104_857_600

/**
 * Reads what a route says.
 *
 * @throws {TypeError} `signature_component`: malformed, or no request has it. `signature_body`: a limit that is no
 * whole number from 1 to 104857600.
 */
export function readSigning({ requestSignature, signResponses = false }: MessageSigning): ReadSigning {
  if (requestSignature === undefined || requestSignature === 'not-required') {
    return { responses: signResponses }
  }
  const { components = [], maxBodyBytes = MOST_BYTES } =
    requestSignature === 'required' ? {} : requestSignature
  for (const component of components) checkComponent(component)
  if (!Number.isSafeInteger(maxBodyBytes) || maxBodyBytes < 1 || maxBodyBytes > BYTES_LIMIT) {
    throw configurationError('signature_body', `maxBodyBytes is a whole number from 1 to ${BYTES_LIMIT}.`)
  }
  return { requests: { components, maxBodyBytes }, responses: signResponses }
}

const NEVER = new Set(['signature', 'signature-input', '@status', '@signature-params', '@request-target'])

function checkComponent(text: string): void {
  try {
    const { value, parameters } = parseComponent(text)
    if (!NEVER.has(value.value) && !parameters.has('req') && !parameters.has('tr')) return
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
  }
  throw configurationError(
    'signature_component',
    'A component of requestSignature is malformed, or no request has it.',
  )
}

/** What is known of all routes by now. */
export interface SigningRegister {
  /**
   * Notes a route.
   *
   * @throws {TypeError} `signature_scope`: answers under one scope are signed here and not there, so that a client
   * could not tell a stripped signature from an unsigned route. `signature_signer`: the signer's key cannot sign
   * messages.
   */
  add(scope: string, signing: ReadSigning): void
  /** For the metadata: the scopes under which something is signed. */
  readonly rules: () => readonly MessageSignatureRule[]
}

/** Makes an empty register. */
export function createSigningRegister(signer: Signer): SigningRegister {
  const known = new Map<string, MessageSignatureRule>()
  return {
    add(scope, { requests, responses }) {
      const before = known.get(scope)
      if (before !== undefined && before.responses !== responses) {
        throw configurationError('signature_scope', 'Routes of one scope sign their answers, or none does.')
      }
      if (responses) checkSigner(signer)
      const components = [...new Set([...(before?.components ?? []), ...(requests?.components ?? [])])]
      const asked = requests !== undefined || before?.requests === true
      known.set(scope, { scope, requests: asked, components, responses })
    },
    rules: () => [...known.values()].filter(({ requests, responses }) => requests || responses),
  }
}

function checkSigner(signer: Signer): void {
  try {
    signatureAlgorithm(signer.publicJwk)
  } catch (error) {
    if (!(error instanceof VerificationError)) throw error
    throw configurationError('signature_signer', 'Answers are signed with P-256 or Ed25519 keys only.')
  }
}
