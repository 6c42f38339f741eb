import type { JsonObject } from '@attache/core'
import {
  encodeTransactionData,
  hashTransactionData,
  parseDcqlQuery,
  parseTransactionData,
} from '@attache/openid4vp'
import { describe, expect, test } from 'vitest'
import { forgedFor, reasonIn } from '../support/forged-presentation.js'
import { createWorld, fetchRequest, postResponse, QUERY } from '../support/presentation-world.js'

const TYPE = 'https://api.example/td/approve-order/v1'
const entry = (more: JsonObject = {}): JsonObject => ({
  type: TYPE,
  credential_ids: ['role_cred'],
  order_id: 'PO-1042',
  ...more,
})
const sha256 = (text: string) => hashTransactionData(text, 'sha-256')

/** Asks with transaction data and answers with whatever KB-JWT members per query. */
async function sign(
  transactionData: readonly JsonObject[],
  members: (texts: readonly string[]) => Readonly<Record<string, JsonObject>>,
  query: JsonObject = QUERY,
) {
  const world = createWorld()
  const started = await world.verifier.startTransaction({
    query,
    transactionData,
    responseMode: 'direct_post',
  })
  const { request, responseUri } = await fetchRequest(world, started.requestUrl)
  const chosen = Object.entries(members(request.transactionData ?? []))
  const entries = chosen.map(async ([id, payload]) => [id, [await forgedFor(request, {}, { payload })]])
  const token = Object.fromEntries(await Promise.all(entries))
  const form = new URLSearchParams({ vp_token: JSON.stringify(token), state: request.state ?? '' })
  const { status } = await postResponse(world, responseUri, form.toString())
  return [status, reasonIn(world.lines)]
}

const one = (payload: JsonObject) => ({ role_cred: payload })
const hashes = (list: readonly string[], alg?: string): JsonObject => ({
  transaction_data_hashes: list,
  ...(alg === undefined ? {} : { transaction_data_hashes_alg: alg }),
})

describe('transaction data', () => {
  test('is hashed as the text that was sent [VP-V-TXD-04]', async () => {
    const vector =
      'eyJ0eXBlIjoiaHR0cHM6Ly9hcGkuZXhhbXBsZS90ZC9hcHByb3ZlLW9yZGVyL3YxIiwiY3JlZGVudGlhbF9pZHMiOlsicm9sZV9jcmVkIl0sInRyYW5zYWN0aW9uX2RhdGFfaGFzaGVzX2FsZyI6WyJzaGEtMjU2Il0sIm9yZGVyX2lkIjoiUE8tMTA0MiIsImFtb3VudCI6IjEyMDAuMDAiLCJjdXJyZW5jeSI6IkVVUiJ9'
    expect(sha256(vector)).toBe('gscGivKPvPc8Yq0DZGfqHrpnDZdKgW82798cWX6l0G4')
    expect(parseTransactionData(vector, parseDcqlQuery(QUERY))).toMatchObject({
      type: TYPE,
      hashAlgorithms: ['sha-256'],
    })

    expect(await sign([entry()], (texts) => one(hashes(texts.map(sha256))))).toEqual([200, 'accepted'])
    const ofJson = await sign([entry()], () => one(hashes([sha256(JSON.stringify(entry()))])))
    expect(ofJson).toEqual([400, 'td_hash_mismatch'])
    expect(encodeTransactionData(entry())).not.toContain('=')
  })

  test('is answered with an algorithm of its list, which is echoed [VP-V-TXD-05]', async () => {
    const listed = entry({ transaction_data_hashes_alg: ['sha-256', 'sha-384'] })
    const by = (alg: 'sha-256' | 'sha-384' | 'sha-512', echo: string | undefined) =>
      sign([listed], (texts) =>
        one(
          hashes(
            texts.map((text) => hashTransactionData(text, alg)),
            echo,
          ),
        ),
      )
    expect(await by('sha-256', 'sha-256')).toEqual([200, 'accepted'])
    expect(await by('sha-384', 'sha-384')).toEqual([200, 'accepted'])
    expect(await by('sha-256', undefined)).toEqual([400, 'td_hash_mismatch'])
    expect(await by('sha-512', 'sha-512')).toEqual([400, 'td_hash_mismatch'])
    expect(await by('sha-384', 'sha-256')).toEqual([400, 'td_hash_mismatch'])
  })

  test('is covered under exactly one of its queries [VP-V-TXD-06]', async () => {
    const query = { credentials: [QUERY.credentials[0] ?? {}, { ...QUERY.credentials[0], id: 'second' }] }
    const both = entry({ credential_ids: ['role_cred', 'second'] })
    const covered = (ids: readonly string[]) =>
      sign(
        [both],
        (texts) => ({
          role_cred: ids.includes('role_cred') ? hashes(texts.map(sha256)) : {},
          second: ids.includes('second') ? hashes(texts.map(sha256)) : {},
        }),
        query,
      )
    expect(await covered(['role_cred'])).toEqual([200, 'accepted'])
    expect(await covered(['second'])).toEqual([200, 'accepted'])
    expect(await covered([])).toEqual([400, 'td_missing'])
    expect(await covered(['role_cred', 'second'])).toEqual([400, 'td_ambiguous'])
  })

  test('is answered with hashes of entries and nothing else [VP-V-TXD-07]', async () => {
    expect(await sign([entry()], (texts) => one(hashes([...texts.map(sha256), sha256('foreign')])))).toEqual([
      400,
      'td_hash_mismatch',
    ])
    expect(await sign([entry()], () => one({ transaction_data_hashes: [] }))).toEqual([400, 'td_malformed'])
    expect(await sign([entry()], () => one({ transaction_data_hashes: [7] }))).toEqual([400, 'td_malformed'])
    expect(await sign([entry()], () => one({}))).toEqual([400, 'td_missing'])
    const two = [entry(), entry({ order_id: 'PO-1043' })]
    expect(await sign(two, (texts) => one(hashes(texts.map(sha256))))).toEqual([200, 'accepted'])
    expect(await sign(two, (texts) => one(hashes(texts.slice(0, 1).map(sha256))))).toEqual([
      400,
      'td_missing',
    ])
  })
})
