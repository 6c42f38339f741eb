/**
 * The signature base: the text that is really signed; and the fields that carry a signature.
 *
 * Owns how components and parameters become one text, and how labels tie `Signature-Input` to `Signature`.
 *
 * Source: RFC 9421, sections 2.3, 2.5, 4.1 and 4.2.
 *
 * @module
 */
import { VerificationError } from '@attache/core'
import {
  type Component,
  componentId,
  componentValue,
  type HttpMessage,
  isComponent,
} from './signature-components.js'
import {
  type InnerList,
  type Member,
  type Parameters,
  parseDictionary,
  serializeDictionary,
  serializeMember,
} from './structured-fields.js'

/** What a signature covers, and its parameters in their order. */
export interface SignatureInput {
  readonly components: readonly Component[]
  readonly parameters: Parameters
}

/** A signature of a message, not verified yet. */
export interface LabelledSignature extends SignatureInput {
  readonly label: string
  readonly signature: Uint8Array
}

const MAX_FIELD_LENGTH = 8192
const MAX_COMPONENTS = 64

/**
 * Builds the signature base.
 *
 * @throws {VerificationError} `signature_component`: a component twice, unknown, absent or unusable.
 *
 * Source: RFC 9421, section 2.5.
 */
export function createSignatureBase(input: SignatureInput, message: HttpMessage): string {
  const ids = input.components.map(componentId)
  if (new Set(ids).size !== ids.length || input.components.length > MAX_COMPONENTS) {
    throw new VerificationError('signature_component', 'Each component is covered once, and at most 64 are.')
  }
  const lines = input.components.map(
    (component, index) => `${ids[index]}: ${componentValue(component, message)}`,
  )
  return [...lines, `"@signature-params": ${serializeMember(innerListOf(input))}`].join('\n')
}

function innerListOf(input: SignatureInput): InnerList {
  return { kind: 'inner-list', items: input.components, parameters: input.parameters }
}

/**
 * The two fields of one signature.
 *
 * Source: RFC 9421, sections 4.1 and 4.2.
 */
export function createSignatureFields(signature: LabelledSignature): {
  readonly 'Signature-Input': string
  readonly Signature: string
} {
  const value: Member = {
    kind: 'item',
    value: { type: 'bytes', value: signature.signature },
    parameters: new Map(),
  }
  return {
    'Signature-Input': serializeDictionary(new Map([[signature.label, innerListOf(signature)]])),
    Signature: serializeDictionary(new Map([[signature.label, value]])),
  }
}

/**
 * Reads all signatures of a message.
 *
 * @returns The ones that have both halves; a label in one field only is passed over like a foreign signature.
 * @throws {VerificationError} `signature_missing`: a field is absent; `signature_fields`: it is too long or no
 *   dictionary of its kind.
 *
 * Source: RFC 9421, sections 3.2 (step 1), 4.1 and 4.2.
 */
export function parseSignatureFields(message: HttpMessage): readonly LabelledSignature[] {
  const inputs = parseField(message, 'signature-input')
  const signatures = parseField(message, 'signature')
  return [...inputs].flatMap(([label, input]) => {
    const signature = signatures.get(label)
    if (signature === undefined) return []
    if (input.kind !== 'inner-list' || signature.kind !== 'item' || signature.value.type !== 'bytes') {
      throw malformed('Signature-Input holds inner lists, Signature holds byte sequences.')
    }
    return [{ label, ...parseSignatureInput(input), signature: signature.value.value }]
  })
}

/**
 * Reads one member of `Signature-Input` or `Accept-Signature`.
 *
 * @throws {VerificationError} `signature_component` for an identifier that is no string in lower case.
 *
 * Source: RFC 9421, sections 4.1 and 5.1.
 */
export function parseSignatureInput(input: InnerList): SignatureInput {
  const components = input.items.filter(isComponent)
  if (components.length !== input.items.length) {
    throw new VerificationError('signature_component', 'A component identifier is malformed.')
  }
  return { components, parameters: input.parameters }
}

function parseField(message: HttpMessage, name: string): ReadonlyMap<string, Member> {
  const values = message.headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value)
  if (values.length === 0) throw new VerificationError('signature_missing', 'The message is not signed.')
  const text = values.join(', ')
  const dictionary = text.length > MAX_FIELD_LENGTH ? undefined : parseDictionary(text)
  if (dictionary === undefined) {
    throw malformed('Send Signature-Input and Signature as dictionaries of at most 8192 characters.')
  }
  return dictionary
}

function malformed(message: string): VerificationError {
  return new VerificationError('signature_fields', message)
}
