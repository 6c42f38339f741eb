/**
 * An agent, whole: it calls an API with a plain `fetch` and knows nothing of credentials.
 *
 * @module
 */
import { fetch } from '@attache/agent'

const url = process.env['API_URL'] ?? 'https://localhost:8443/payroll/export'
const response = await fetch(url, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ month: '2026-10' }),
})
console.log(JSON.stringify({ status: response.status, body: await response.json() }))
