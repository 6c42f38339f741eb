/**
 * From the JWS JSON form to the compact form, for a caller that has decided to accept the former.
 *
 * The verifier takes compact texts only and refuses objects; whoever wants the JSON form turns it into the
 * compact form here first, which is also what `sd_hash` is made over.
 *
 * Source: RFC 9901, sections 8.1 to 8.4.
 *
 * @module
 */
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, member } from '@attache/core'
import { refusal } from './errors.js'

/**
 * Rebuilds the compact form.
 *
 * @param serialized Flattened or general JWS JSON form.
 * @param signatureAt Which signature of the general form to keep. @default 0
 * @returns `protected.payload.signature~Disclosure~…~` and the KB-JWT, if there is one.
 * @throws {VerificationError} `sd_jwt_malformed`: not one of the two forms, or `disclosures` or `kb_jwt`
 *   outside the unprotected header of the first signature.
 *
 * Source: RFC 9901, sections 8.1, 8.3 and 8.4.
 */
export function compactFromJson(serialized: JsonValue, signatureAt = 0): string {
  if (!isJsonObject(serialized)) throw refusal('sd_jwt_malformed')
  const signatures = signaturesOf(serialized)
  const [first, ...others] = signatures
  const chosen = signatures[signatureAt]
  if (first === undefined || chosen === undefined) throw refusal('sd_jwt_malformed')
  if (others.some(({ header }) => hasOwnParts(header))) throw refusal('sd_jwt_malformed')

  const jwt = [chosen.protectedHeader, text(member(serialized, 'payload')), chosen.signature].join('.')
  return [jwt, ...disclosuresOf(first.header), keyBindingOf(first.header)].join('~')
}

interface SignatureParts {
  readonly protectedHeader: string
  readonly signature: string
  readonly header: JsonObject
}

function signaturesOf(serialized: JsonObject): readonly SignatureParts[] {
  const listed = member(serialized, 'signatures')
  if (listed === undefined) return [signatureParts(serialized)]
  const mixed = ['protected', 'signature', 'header'].some((name) => Object.hasOwn(serialized, name))
  if (!isJsonArray(listed) || mixed) throw refusal('sd_jwt_malformed')
  return listed.map(signatureParts)
}

function signatureParts(value: JsonValue): SignatureParts {
  if (!isJsonObject(value)) throw refusal('sd_jwt_malformed')
  const header = member(value, 'header') ?? {}
  if (!isJsonObject(header)) throw refusal('sd_jwt_malformed')
  return {
    protectedHeader: text(member(value, 'protected')),
    signature: text(member(value, 'signature')),
    header,
  }
}

function hasOwnParts(header: JsonObject): boolean {
  return Object.hasOwn(header, 'disclosures') || Object.hasOwn(header, 'kb_jwt')
}

function disclosuresOf(header: JsonObject): readonly string[] {
  const listed = member(header, 'disclosures') ?? []
  if (!isJsonArray(listed)) throw refusal('sd_jwt_malformed')
  return listed.map(text)
}

function keyBindingOf(header: JsonObject): string {
  const found = member(header, 'kb_jwt')
  return found === undefined ? '' : text(found)
}

// A tilde inside one part would become a border between two.
function text(value: JsonValue | undefined): string {
  if (typeof value !== 'string' || value === '' || value.includes('~')) throw refusal('sd_jwt_malformed')
  return value
}
