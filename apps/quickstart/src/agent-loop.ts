/**
 * The agent that keeps calling: one line for each answer, until the first refusal.
 *
 * @module
 */
import { fetch } from '@attache/agent'

const url = process.env['API_URL'] ?? 'https://localhost:8443/payroll/export'
const pauseMs = Number(process.env['PAUSE_MS'] ?? '100')

for (;;) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  })
  await response.text()
  console.log(JSON.stringify({ at: Date.now(), status: response.status }))
  if (response.status !== 200) break
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
