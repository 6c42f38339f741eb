import { describe, expect, test } from 'vitest'
import { createOperatorSignIn } from './operator-sign-in.js'

const AGENTS: Readonly<Record<string, readonly string[]>> = { 'E-1': ['payroll'], 'E-2': ['ledger'] }
const directory = {
  listAgents: async (owner?: string) => (owner === undefined ? ['payroll', 'ledger'] : (AGENTS[owner] ?? [])),
}
const signIn = createOperatorSignIn(
  [
    { name: 'ngozi', password: 'correct horse battery', owner: 'E-1' },
    { name: 'jo', password: 'another long password', owner: 'E-2' },
    { name: 'admin', password: 'of the administrator' },
  ],
  directory,
)
const as = (username: string, password: string) => signIn.signIn({ username, password, now: 0 })

describe('the sign-in of operators', () => {
  test('lets each in by the own name and password, for the own agents', async () => {
    expect(await as('ngozi', 'correct horse battery')).toEqual({ name: 'ngozi', agents: ['payroll'] })
    expect(await as('jo', 'another long password')).toEqual({ name: 'jo', agents: ['ledger'] })
    expect(await as('admin', 'of the administrator')).toEqual({
      name: 'admin',
      agents: ['payroll', 'ledger'],
    })
  })

  test.each([
    ['the password of somebody else', 'ngozi', 'another long password'],
    ['a name nobody has', 'eve', 'correct horse battery'],
    ['a name in another case', 'Ngozi', 'correct horse battery'],
    ['a password with a space more', 'ngozi', 'correct horse battery '],
    ['nothing', '', ''],
    ['a name alone', 'ngozi', ''],
  ])('lets nobody in by %s', async (_, username, password) => {
    expect(await as(username, password)).toBeUndefined()
  })
})
