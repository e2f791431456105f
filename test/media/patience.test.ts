import { expect, it } from 'vitest'
import { isDoneWithin } from '../../src/media/patience.ts'

const FOR_EVER_MS = 2 ** 31 - 1

it('is true for what is done, also at the last moment', async () => {
  expect(await isDoneWithin(Promise.resolve(), 0)).toBe(true)
  const { promise, resolve } = Promise.withResolvers<void>()
  const answer = isDoneWithin(promise, FOR_EVER_MS) // its timer is gone afterwards, or this process would not end
  resolve()
  expect(await answer).toBe(true)
})

it('is false for what takes longer, which goes on by itself and may fail', async () => {
  const { promise, reject } = Promise.withResolvers<void>()
  expect(await isDoneWithin(promise, 1)).toBe(false)
  reject(new Error('too late for anybody'))
  await new Promise((resolve) => setImmediate(resolve)) // an unhandled rejection would fail the test here
})

it('throws what the work throws meanwhile', async () => {
  await expect(isDoneWithin(Promise.reject(new Error('broken')), FOR_EVER_MS)).rejects.toThrow('broken')
})
