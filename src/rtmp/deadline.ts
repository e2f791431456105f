import { RtmpTimeoutError } from './errors.ts'

/**
 * What `work` gives, if it gives it in time; what comes after that goes to `late`.
 * @throws RtmpTimeoutError naming `what`, and whatever `work` throws
 */
export async function inTime<T>(
  what: string,
  timeoutMs: number,
  work: Promise<T>,
  late?: (result: T) => void,
): Promise<T> {
  const timeout = Promise.withResolvers<never>()
  let expired = false
  const timer = setTimeout(() => {
    expired = true
    timeout.reject(new RtmpTimeoutError(what, timeoutMs))
  }, timeoutMs)
  if (late !== undefined) {
    work.then(
      (result) => expired && late(result),
      () => undefined,
    )
  }
  try {
    return await Promise.race([work, timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}
