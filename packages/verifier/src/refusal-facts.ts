/**
 * Why a credential was refused, for the log of whoever runs the verifier: which check, which list lacked what, and
 * the certificates that were shown.
 *
 * Subjects and hashes are public facts of certificates; claims, keys and tokens are in no message of ours.
 *
 * Source: requirements/verifier.md, VP-V-SDJ-04 and VP-V-TRU-01; design, Errors.
 *
 * @module
 */
import {
  isJsonArray,
  isJsonObject,
  isJsonValue,
  type LogFields,
  member,
  VerificationError,
} from '@attache/core'

const MOST_CHARACTERS = 1024

/**
 * Collects what the causes of a refusal say.
 *
 * @returns `check`: codes from the outermost to the innermost; `detail`: the innermost sentences; `chain`: subject
 * and SHA-256 of each certificate, the leaf first.
 */
export function refusalFacts(error: unknown): LogFields {
  const found = read(error)
  return {
    ...(found.codes.length === 0 ? {} : { check: shortened(found.codes.join(' < ')) }),
    ...(found.details.length === 0 ? {} : { detail: shortened(found.details.join(' ')) }),
    ...(found.chain.length === 0 ? {} : { chain: shortened(found.chain.join(' < ')) }),
  }
}

interface Found {
  readonly codes: readonly string[]
  readonly details: readonly string[]
  readonly chain: readonly string[]
}

const NOTHING: Found = { codes: [], details: [], chain: [] }

function read(error: unknown): Found {
  if (error instanceof AggregateError) return error.errors.map(read).reduce(joined, NOTHING)
  if (!(error instanceof VerificationError)) return { ...NOTHING, chain: shownChain(error) }
  const inner = read(error.cause)
  const details = inner.details.length === 0 ? [error.message] : inner.details
  return { codes: [error.code, ...inner.codes], details, chain: inner.chain }
}

// Each trusted issuer was tried on the same credential: what they saw is one chain.
function joined(all: Found, one: Found): Found {
  return {
    codes: [...all.codes, ...one.codes],
    details: [...all.details, ...one.details],
    chain: all.chain.length === 0 ? one.chain : all.chain,
  }
}

// The cause that path validation gives: each certificate as `subject (sha-256 …)`.
function shownChain(cause: unknown): readonly string[] {
  if (!isJsonValue(cause) || !isJsonObject(cause)) return []
  const chain = member(cause, 'chain')
  return chain !== undefined && isJsonArray(chain) ? chain.filter((one) => typeof one === 'string') : []
}

function shortened(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, MOST_CHARACTERS)
}
