import { z } from 'zod'
import { LimitError } from '../media/errors.ts'
import { StateDamagedError } from './errors.ts'
import type { NewTask, Task, TaskAttempt } from './task-store.ts'

/** Bytes. */
const MAX_PAYLOAD = 256 * 1024
/** The latest tries are kept. */
export const MAX_LOG = 20
/** What stands in the log of a task that nobody began in time. */
export const EXPIRED = 'it was not begun in time'
/** What stands in the log of a try whose lease ran out. */
export const WORKER_LOST = 'its worker was lost'

/** As JSON. @throws LimitError */
export function writePayload(task: NewTask): string {
  const text = JSON.stringify(task.payload ?? null)
  const sizeBytes = Buffer.byteLength(text)
  if (sizeBytes > MAX_PAYLOAD) {
    throw new LimitError(`payload of task ${task.id}, bytes`, { limit: MAX_PAYLOAD, asked: sizeBytes })
  }
  return text
}

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.issues.push({ code: 'custom', message: 'it is no JSON', input: text })
    return z.NEVER
  }
})
const number = z.union([z.number(), z.string().min(1).transform(Number)]).pipe(z.number())
const attempt = z.object({
  at: z.string(),
  took_ms: z.number(),
  error: z.string().nullable(),
}) satisfies z.ZodType<TaskAttempt>

/** The log, as JSON, with one more try in it. A log that cannot be read begins anew. */
export function appendAttempt(log: string, tried: TaskAttempt): string {
  const before = z.array(attempt).safeParse(json.safeParse(log).data)
  return JSON.stringify([...(before.data ?? []), tried].slice(-MAX_LOG))
}

/** A task as both stores keep it: times and counts as numbers or digits, structures as JSON. */
const keptTask = z.object({
  id: z.string(),
  queue: z.string(),
  key: z.string().nullable(),
  priority: number,
  payload: json,
  due_ms: number,
  expires_ms: number.nullable(),
  state: z.enum(['waiting', 'running', 'done', 'dead', 'cancelled']),
  created_ms: number,
  attempts: number,
  log: json.pipe(z.array(attempt)),
  progress: json,
  result: json,
  finished_ms: number.nullable(),
})

/** The columns, or fields, of a task that `parseTask` reads. */
export const TASK_FIELDS: readonly string[] = Object.keys(keptTask.shape)

/** @throws StateDamagedError */
export function parseTask(fields: Readonly<Record<string, unknown>>): Task {
  const parsed = keptTask.safeParse(fields)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new StateDamagedError(`task ${fields.id}`, `${issue?.path.join('.')}: ${issue?.message}`)
  }
  const { due_ms, expires_ms, created_ms, finished_ms, ...rest } = parsed.data
  return {
    ...rest,
    dueAtMs: due_ms,
    expiresAtMs: expires_ms,
    createdAtMs: created_ms,
    finishedAtMs: finished_ms,
  }
}
