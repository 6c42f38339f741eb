import { type Span, type SpanOptions, type Tracer, trace } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { createTelemetry } from './telemetry.js'

function recorded() {
  const ended: { name: string; attributes: Record<string, unknown>; failed: boolean }[] = []
  const silent = trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 })
  const startSpan = (name: string, options: SpanOptions = {}): Span => {
    const entry = { name, attributes: { ...options.attributes }, failed: false }
    return Object.assign(Object.create(silent), {
      setAttributes: (more: object) => void Object.assign(entry.attributes, more),
      setStatus: () => {
        entry.failed = true
      },
      end: () => void ended.push(entry),
    })
  }
  const startActiveSpan = (name: string, options: SpanOptions, work: (span: Span) => unknown) =>
    work(startSpan(name, options))
  const tracer: Tracer = Object.assign(Object.create(trace.getTracer('none')), { startSpan, startActiveSpan })
  let now = 0
  const seconds = () => {
    now += 0.2
    return now
  }
  return { ended, ...createTelemetry({ tracer, seconds }) }
}

describe('telemetry', () => {
  test('counts, gauges and times under names an operator can rely on', async () => {
    const { telemetry, metrics, ended } = recorded()
    telemetry.count('wallet.decisions', { event: 'present', outcome: 'refused', code: 'no_rule' })
    telemetry.gauge('wallet.copies_left', { agent: 'payroll' }, 7)
    const answer = await telemetry.operation('wallet.present', { agent: 'payroll' }, async (note) => {
      note({ outcome: 'delivered' })
      return 'done'
    })
    expect(answer).toBe('done')
    const text = await metrics()
    expect(text).toContain(
      'attache_wallet_decisions_total{event="present",outcome="refused",code="no_rule"} 1',
    )
    expect(text).toContain('attache_wallet_copies_left{agent="payroll"} 7')
    expect(text).toContain(
      'attache_wallet_operation_seconds_count{operation="wallet.present",outcome="delivered"} 1',
    )
    expect(text).toContain('le="0.1",operation="wallet.present",outcome="delivered"} 0')
    expect(text).toContain('le="0.25",operation="wallet.present",outcome="delivered"} 1')
    expect(ended).toEqual([
      {
        name: 'wallet.present',
        attributes: { 'attache.agent': 'payroll', 'attache.outcome': 'delivered' },
        failed: false,
      },
    ])
  })

  test('says of a fault that there was one, and nothing of what it said', async () => {
    const { telemetry, metrics, ended } = recorded()
    const work = async () => {
      throw new Error('canary-in-a-message')
    }
    await expect(telemetry.operation('wallet.receive', { agent: 'payroll' }, work)).rejects.toThrow('canary')
    expect(ended).toMatchObject([{ failed: true, attributes: { 'attache.outcome': 'fault' } }])
    expect(JSON.stringify(ended) + (await metrics())).not.toContain('canary')
  })

  test('has a bounded number of series, whatever others put into a code', async () => {
    const { telemetry, metrics } = recorded()
    for (let nth = 0; nth < 5_000; nth += 1)
      telemetry.count('wallet.decisions', { event: 'receive', outcome: 'refused', code: `code_${nth}` })
    telemetry.count('wallet.decisions', { event: 'receive', outcome: 'refused', code: 'two words"\n' })
    telemetry.count('somebody.else', { event: 'receive' })
    const lines = (await metrics())
      .split('\n')
      .filter((line) => line.startsWith('attache_wallet_decisions_total'))
    expect(lines).toHaveLength(501)
    expect(lines.at(-1)).toBe(
      'attache_wallet_decisions_total{event="receive",outcome="refused",code="other"} 4501',
    )
  })
})
