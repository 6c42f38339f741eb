/**
 * Transaction Codes: what the holder is told on another channel than the offer.
 *
 * Owns making one and recognising it. What is stored is a hash that is salted with the pre-authorized code,
 * which itself is stored as a hash only: six digits cannot be searched from the stored data.
 *
 * Source: OpenID4VCI 1.0, sections 4.1.1, 13.6.1 and 13.6.3.
 *
 * @module
 */
import { equalText, type Random } from '@attache/core'
import type { TransactionCodeInput } from '@attache/openid4vci'
import { textHash } from './stored-record.js'

// No 0, O, 1, I, L: people read these codes to each other.
const TEXT_ALPHABET = '23456789ABCDEFGHJKMNPQRSTUVWXYZ'
const DIGITS = '0123456789'

/** Makes a Transaction Code that obeys its description. `length` defaults to 6. */
export function createTransactionCode(input: TransactionCodeInput, random: Random): string {
  const alphabet = input.inputMode === 'numeric' ? DIGITS : TEXT_ALPHABET
  let code = ''
  while (code.length < (input.length ?? 6)) {
    const [byte = 0] = random(1)
    // Bytes past the last whole multiple would favour the first characters.
    if (byte < 256 - (256 % alphabet.length)) code += alphabet[byte % alphabet.length] ?? ''
  }
  return code
}

/** What is stored of a Transaction Code. */
export function transactionCodeHash(preAuthorizedCode: string, txCode: string): string {
  return textHash(`tx_code ${preAuthorizedCode} ${txCode}`)
}

/** Tells whether a Transaction Code is the one whose hash is stored. */
export function isTransactionCode(preAuthorizedCode: string, txCode: string, hash: string): boolean {
  return equalText(transactionCodeHash(preAuthorizedCode, txCode), hash)
}
