import { createMemoryStore } from '@attache/core'
import { describe, expect, test } from 'vitest'
import { createDirectory } from './directory.js'

const NOW = 1_790_000_000
const person = (employeeId: string) => ({
  employee_id: employeeId,
  family_name: 'Okafor',
  given_name: 'Ngozi',
  email: `${employeeId}@acme.example`,
  birth_date: '1984-03-12',
  role: 'Manager',
  region: 'EU',
  department: 'Sales',
  salary_band: 'B7',
  leave_date: '',
  status: 'active',
})

describe('listAgents', () => {
  test('finds the agents of one owner among thousands of others', async () => {
    const directory = createDirectory({ store: createMemoryStore({ clock: () => NOW }) })
    const people = ['E-1', 'E-2'].map((id, at) => ({ line: at + 2, cells: person(id) }))
    await directory.importPeople(people, NOW)
    const agents = Array.from({ length: 2500 }, (_, at) => ({
      line: at + 2,
      cells: { agent: `agent-${at}`, owner: at % 500 === 0 ? 'E-2' : 'E-1', purpose: 'x' },
    }))
    expect(await directory.importAgents(agents, NOW)).toMatchObject({ imported: 2500, refused: [] })

    const own = await directory.listAgents('E-2')
    expect([...own].sort()).toEqual(['agent-0', 'agent-1000', 'agent-1500', 'agent-2000', 'agent-500'])
    expect(await directory.listAgents()).toHaveLength(1000)
    expect(await directory.listAgents('E-3')).toEqual([])
  })
})
