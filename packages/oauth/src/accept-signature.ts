/**
 * `Accept-Signature`: what one side wants signed, so that the other can do it on the next message.
 *
 * Owns both halves, and the refusal of a request whose signature is not what the resource asks for. In a
 * request, the field asks for a signed response; such a response depends on it and is not cached.
 *
 * Source: RFC 9421, sections 5, 5.1 and 5.2.
 *
 * @module
 */
import { ProtocolError, VerificationError } from '@attache/core'
import { parseSignatureInput } from './signature-base.js'
import { type Component, componentId, parseComponent } from './signature-components.js'
import { type BareItem, type Parameters, parseDictionary, serializeDictionary } from './structured-fields.js'

/** One wanted signature. */
export interface AcceptedSignature {
  /** The label to answer under. */
  readonly label: string
  /** Exactly what to cover, as `@method` or `content-digest;req`. */
  readonly components: readonly string[]
  readonly tag: string
  /** To be echoed. */
  readonly nonce?: string | undefined
  /** The key to sign with. */
  readonly keyid?: string | undefined
}

/** Header fields of a response that is signed because the request asked for it (RFC 9421, section 5). */
export const SIGNED_ON_REQUEST_HEADERS = { Vary: 'Accept-Signature', 'Cache-Control': 'no-store' } as const

/**
 * Writes the field.
 *
 * Source: RFC 9421, section 5.1.
 */
export function createAcceptSignature(wanted: AcceptedSignature): string {
  const parameters = new Map<string, BareItem>([
    ['created', { type: 'boolean', value: true }],
    ['expires', { type: 'boolean', value: true }],
    ['tag', { type: 'string', value: wanted.tag }],
  ])
  if (wanted.nonce !== undefined) parameters.set('nonce', { type: 'string', value: wanted.nonce })
  if (wanted.keyid !== undefined) parameters.set('keyid', { type: 'string', value: wanted.keyid })
  const items = wanted.components.map(parseComponent)
  return serializeDictionary(new Map([[wanted.label, { kind: 'inner-list', items, parameters }]]))
}

// What we can honour; a parameter beyond these would be promised and not kept.
const HONOURED = new Set(['created', 'expires', 'tag', 'nonce', 'keyid'])

/**
 * Reads the field.
 *
 * @throws {VerificationError} `accept_signature`: malformed, without `tag`, or with parameters that cannot be
 *   honoured. Then the message is not sent rather than signed in another way.
 *
 * Source: RFC 9421, sections 5.1 and 5.2.
 */
export function parseAcceptSignature(field: string): readonly AcceptedSignature[] {
  const dictionary = parseDictionary(field)
  if (dictionary === undefined || dictionary.size === 0)
    throw refused('The Accept-Signature field is malformed.')
  return [...dictionary].map(([label, member]) => {
    if (member.kind !== 'inner-list') throw refused('Accept-Signature holds inner lists.')
    const { components, parameters } = parseSignatureInput(member)
    return { label, components: components.map(componentText), ...parseParameters(parameters) }
  })
}

function parseParameters(parameters: Parameters): Omit<AcceptedSignature, 'label' | 'components'> {
  for (const [name, value] of parameters) {
    const isFlag = value.type === 'boolean' && value.value
    if (!HONOURED.has(name) || (name === 'created' || name === 'expires') !== isFlag) {
      throw refused('Accept-Signature has a parameter that cannot be honoured.')
    }
  }
  const [tag, nonce, keyid] = ['tag', 'nonce', 'keyid'].map((name) => {
    const value = parameters.get(name)
    if (value !== undefined && value.type !== 'string')
      throw refused('Accept-Signature has a malformed parameter.')
    return value?.value
  })
  if (tag === undefined) throw refused('Accept-Signature needs a tag.')
  return { tag, nonce, keyid }
}

function componentText(component: Component): string {
  return componentId(component).replace(/^"([^"]*)"/, '$1')
}

/**
 * The answer to a request that is not signed as it must be: 401 with the field that says how.
 *
 * @returns The error itself when it is no refusal of a check, so that a fault stays a fault.
 *
 * Source: RFC 9421, section 5; requirements/sender-constraint.md, HMS-P-09.
 */
export function signatureRefusal(error: unknown, wanted: AcceptedSignature): unknown {
  if (!(error instanceof VerificationError) && !(error instanceof ProtocolError)) return error
  const malformed = error.code === 'signature_fields' || error.code === 'invalid_request'
  return new ProtocolError(malformed ? 'invalid_request' : 'invalid_signature', error.message, {
    cause: error,
    headers: { 'Accept-Signature': createAcceptSignature(wanted) },
  })
}

function refused(message: string): VerificationError {
  return new VerificationError('accept_signature', message)
}
