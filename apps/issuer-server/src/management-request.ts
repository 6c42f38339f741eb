/**
 * The bodies of the management API.
 *
 * Owns reading them strictly: an operator's misspelt member is refused, not ignored.
 *
 * @module
 */
import { type JsonValue, ProtocolError } from '@attache/core'
import type { NewOffer, RegisterQuery } from '@attache/issuer'
import { z } from 'zod'

/** A change of status as an operator asks for it. */
export interface StatusRequest {
  readonly query: RegisterQuery
  readonly status: 'valid' | 'invalid' | 'suspended'
}

/** Reads the body of `POST /manage/v1/offers`. @throws {ProtocolError} `invalid_request`. */
export function parseOfferRequest(body: JsonValue): NewOffer {
  const parsed = z
    .strictObject({
      agent: z.string().min(1),
      by: z.enum(['value', 'reference']).default('reference'),
      grant: z.enum(['pre-authorized_code', 'authorization_code']).optional(),
      credential_configuration_ids: z.array(z.string()).min(1).optional(),
      credential_offer_endpoint: z
        .string()
        .regex(/^[a-z][a-z0-9+.-]*:\/\//)
        .optional(),
    })
    .safeParse(body)
  if (!parsed.success) throw malformed(parsed.error)
  const { data } = parsed
  return {
    agent: data.agent,
    by: data.by,
    grant: data.grant,
    configurationIds: data.credential_configuration_ids,
    endpoint: data.credential_offer_endpoint,
  }
}

/** Reads the body of `POST /manage/v1/offers/qr`. @throws {ProtocolError} `invalid_request`. */
export function parseQrRequest(body: JsonValue): { readonly offer: string } {
  const link = z.string().regex(/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]*$/)
  const parsed = z.strictObject({ offer: link }).safeParse(body)
  if (!parsed.success) throw malformed(parsed.error)
  return parsed.data
}

/** Reads the body of `POST /manage/v1/credentials/status`. @throws {ProtocolError} `invalid_request`. */
export function parseStatusRequest(body: JsonValue): StatusRequest {
  const text = z.string().min(1).optional()
  const parsed = z
    .strictObject({ agent: text, owner: text, id: text, status: z.enum(['valid', 'invalid', 'suspended']) })
    .safeParse(body)
  if (!parsed.success) throw malformed(parsed.error)
  const { agent, owner, id, status } = parsed.data
  const queries: RegisterQuery[] = []
  if (agent !== undefined) queries.push({ by: 'agent', agent })
  if (owner !== undefined) queries.push({ by: 'owner', owner })
  if (id !== undefined) queries.push({ by: 'id', id })
  const [query, second] = queries
  if (query !== undefined && second === undefined) return { query, status }
  throw new ProtocolError('invalid_request', 'Name exactly one of agent, owner and id.')
}

/** Reads the body of `POST /manage/v1/deferred`. @throws {ProtocolError} `invalid_request`. */
export function parseDecisionRequest(body: JsonValue): {
  readonly id: string
  readonly decision: 'approved' | 'denied'
} {
  const parsed = z
    .strictObject({ id: z.string().min(1), decision: z.enum(['approved', 'denied']) })
    .safeParse(body)
  if (!parsed.success) throw malformed(parsed.error)
  return parsed.data
}

function malformed(error: z.ZodError): ProtocolError {
  const [issue] = error.issues
  const path = issue?.path.join('.') ?? ''
  const unknown = issue?.code === 'unrecognized_keys' ? ` Unknown: ${issue.keys.join(', ')}.` : ''
  const choice = issue?.code === 'invalid_value' ? ` One of: ${issue.values.join(', ')}.` : ''
  return new ProtocolError(
    'invalid_request',
    `The body is wrong at ${path === '' ? 'the top level' : path}.${unknown}${choice}`,
  )
}
