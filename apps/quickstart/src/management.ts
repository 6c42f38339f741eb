/**
 * The issuer's management API, as an HR system would call it.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  member,
  type OutboundFetch,
  parseJson,
} from '@attache/core'
import { z } from 'zod'

/** What an import did. */
export interface ImportReport {
  readonly imported: number
  readonly refused: readonly { readonly line: number; readonly reason: string }[]
}

/** An offer for one agent, to be handed to its wallet. */
export interface Offer {
  /** `openid-credential-offer://…` */
  readonly offer: string
  /** Empty for a grant without one. */
  readonly txCode: string
}

/** How an offer is redeemed. */
export type Grant = 'pre-authorized_code' | 'authorization_code'

/** Calls of the management API. Each throws when the answer is not a success. */
export interface Management {
  importPeople(csvFile: string): Promise<ImportReport>
  importAgents(csvFile: string): Promise<ImportReport>
  /** @param grant @default 'pre-authorized_code' */
  createOffer(agent: string, by: 'value' | 'reference', grant?: Grant): Promise<Offer>
  /** @returns How many credentials changed. */
  setStatus(agent: string, status: 'invalid' | 'suspended' | 'valid'): Promise<number>
  /** @returns Whether the API answers. */
  answers(): Promise<boolean>
}

/** Creates a client. @param tokenFile The bearer token's file. */
export function createManagement(origin: string, tokenFile: string, fetch: OutboundFetch): Management {
  const headers = () => ({ Authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` })
  const call = async (path: string, type: string, body: string): Promise<JsonValue> => {
    const response = await fetch(`${origin}/manage/v1/${path}`, {
      method: 'POST',
      headers: { ...headers(), 'Content-Type': type },
      body,
      timeoutMs: 30_000,
    })
    const answer = parseJson(await response.text())
    if (response.ok && answer.ok) return answer.value
    throw new Error(refusalOf(path, response.status, answer.ok ? answer.value : null))
  }
  const json = (path: string, body: JsonObject) => call(path, 'application/json', JSON.stringify(body))
  const csv = async (path: string, file: string) =>
    parseImportReport(await call(path, 'text/csv', readCsv(file)))
  return {
    importPeople: (file) => csv('people', file),
    importAgents: (file) => csv('agents', file),
    createOffer: async (agent, by, grant = 'pre-authorized_code') =>
      parseOffer(await json('offers', { agent, by, grant })),
    setStatus: async (agent, status) => parseChanged(await json('credentials/status', { agent, status })),
    answers: () =>
      fetch(`${origin}/manage/v1/credentials`, { headers: headers() }).then(
        (response) => response.ok,
        () => false,
      ),
  }
}

function readCsv(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new Error(`The file ${file} cannot be read (${code}). Put a readable CSV file there.`)
  }
}

function refusalOf(path: string, status: number, answer: JsonValue): string {
  const description = isJsonObject(answer) ? member(answer, 'error_description') : undefined
  return `${path}: ${typeof description === 'string' ? description : `the issuer answered ${status}`}`
}

function parseImportReport(value: JsonValue): ImportReport {
  const refused = z.object({ line: z.number(), reason: z.string() })
  return z.object({ imported: z.number(), refused: z.array(refused) }).parse(value)
}

function parseOffer(value: JsonValue): Offer {
  const { offer, tx_code: txCode } = z
    .object({ offer: z.string(), tx_code: z.string().default('') })
    .parse(value)
  return { offer, txCode }
}

function parseChanged(value: JsonValue): number {
  return z.object({ changed: z.array(z.string()) }).parse(value).changed.length
}
