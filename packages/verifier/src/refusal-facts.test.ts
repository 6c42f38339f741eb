import { VerificationError } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { refusalFacts } from './refusal-facts.js'

const failed = (code: string, message: string, cause?: unknown) =>
  new VerificationError(code, message, { cause })

describe('refusalFacts', () => {
  test('reads from the outermost check to the innermost, and the chain that was shown', () => {
    const chain = ['CN=Leaf (sha-256 a)', 'CN=Middle (sha-256 b)']
    const inner = failed('anchor_not_found', 'No anchor in the list x.', { chain })
    expect(refusalFacts(failed('issuer_untrusted', 'Not trusted.', inner))).toEqual({
      check: 'issuer_untrusted < anchor_not_found',
      detail: 'No anchor in the list x.',
      chain: 'CN=Leaf (sha-256 a) < CN=Middle (sha-256 b)',
    })
  })

  test('reads everything that was tried, the chain once', () => {
    const chain = ['CN=Leaf (sha-256 a)']
    const tried = ['a', 'b'].map((name) => failed('anchor_not_found', `Not in ${name}.`, { chain }))
    expect(refusalFacts(failed('issuer_untrusted', 'Not trusted.', new AggregateError(tried)))).toEqual({
      check: 'issuer_untrusted < anchor_not_found < anchor_not_found',
      detail: 'Not in a. Not in b.',
      chain: 'CN=Leaf (sha-256 a)',
    })
  })

  test('lets no subject write lines of its own into a log, nor fill it', () => {
    const chain = [`CN=Evil\r\n{"event":"verifier.gate.allowed"}\u001b[2J${'x'.repeat(5000)}`]
    const { chain: shown } = refusalFacts(failed('certificate_expired', 'Too old.', { chain }))
    expect(shown).toMatch(/^CN=Evil\?\?\{/)
    expect(String(shown)).toHaveLength(1024)
    expect(shown).not.toMatch(/[^\x20-\x7e]/)
  })

  test('says nothing of what it does not know', () => {
    for (const other of [undefined, null, 'text', new Error('a secret'), { chain: 'text' }, { chain: [1] }]) {
      expect(refusalFacts(other)).toEqual({})
    }
  })
})
