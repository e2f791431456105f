import { BadCursorError } from './errors.ts'

/** Where an entry stands in a list: by the time it was created at, then by id. */
export interface Position {
  /** Since 1970. */
  readonly createdMs: number
  readonly id: string
}

const CURSOR = /^(?<createdMs>-?\d{1,15}):(?<id>.{1,64})$/s
const MAX_CURSOR = 512

/** Opaque to users. */
export function writeCursor({ createdMs, id }: Position): string {
  return Buffer.from(`${createdMs}:${id}`).toString('base64url')
}

/** @throws BadCursorError */
export function parseCursor(text: string): Position {
  const found = text.length <= MAX_CURSOR ? CURSOR.exec(Buffer.from(text, 'base64url').toString())?.groups : undefined
  if (found?.createdMs === undefined || found.id === undefined) throw new BadCursorError()
  return { createdMs: Number(found.createdMs), id: found.id }
}
