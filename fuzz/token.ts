import { TokenKeeper } from '../src/api/token.ts'
import type { FuzzTarget } from './target.ts'

const SECRET = Buffer.alloc(32, 7)
const keeper = new TokenKeeper(SECRET)
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const far = 4_000_000_000
const valid = await Promise.all([
  keeper.issue({ user: 'alice', rooms: ['standup'], participant: 'alice', grants: ['publish', 'play'] }, far),
  keeper.issue({ rooms: '*', grants: ['metrics'] }, far),
])
const signature = (token: string) => token.split('.')[2]
const signatures = new Set(valid.map(signature))

/** Tokens: only the very ones that were signed are taken. */
export const target: FuzzTarget = {
  name: 'token',
  seeds: () =>
    [
      ...valid,
      `${part({ alg: 'none' })}.${part({ rooms: '*', grants: ['publish'], exp: far })}.`,
      `${part({ alg: 'HS256', crit: ['b64'], b64: false })}.${part({ exp: far })}.${signature(valid[0])}`,
      `${part({ alg: 'HS512', jwk: {}, kid: '../../x' })}.${part({ exp: 'never' })}.AAAA`,
    ].map((text) => Buffer.from(text)),
  async run(input) {
    const text = Buffer.from(input).toString('latin1')
    await keeper.verify(text)
    if (!signatures.has(signature(text))) throw new Error(`a forged token was taken: ${text}`)
  },
}
