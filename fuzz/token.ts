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
/** What a token says and is signed with; the last character of a signature has bits that mean nothing (RFC 4648 §3.5). */
const meaning = (token: string) => {
  const [header, claims, signed] = token.split('.')
  return `${header}.${claims}.${Buffer.from(signed, 'base64url').toString('hex')}`
}
const meanings = new Set(valid.map(meaning))

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
    if (!meanings.has(meaning(text))) throw new Error(`a forged token was taken: ${text}`)
  },
}
