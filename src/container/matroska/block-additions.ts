import type { SourceWindow } from '../source-window.ts'
import { ElementHeader, MAX_HEADER_BYTES, UNKNOWN_SIZE } from './ebml.ts'
import * as E from './elements.ts'

/** The BlockAddID of an alpha channel (WebM guidelines, BlockAdditions); the default of the element, too (RFC 9559 §5.1.3.5.2.3). */
const ALPHA_ID = 1
/** Children of one element that are looked at. */
const MAX_CHILDREN = 64

/** Where something lies in the file, bytes. */
export type Extent = { readonly offset: number; readonly size: number }

type Child = Extent & { readonly id: number }

/** Where the alpha channel lies in the BlockAdditions of `size` bytes at `offset`; undefined where there is none, or it is broken. */
export async function findAlpha(window: SourceWindow, { offset, size }: Extent): Promise<Extent | undefined> {
  for await (const more of children(window, offset, size)) {
    if (more.id !== E.BLOCK_MORE) continue
    let id = ALPHA_ID
    let additional: Extent | undefined
    for await (const field of children(window, more.offset, more.size)) {
      if (field.id === E.BLOCK_ADDITIONAL) additional = field
      else if (field.id === E.BLOCK_ADD_ID) id = await smallUint(window, field)
    }
    if (id === ALPHA_ID && additional !== undefined) return { offset: additional.offset, size: additional.size }
  }
  return undefined
}

async function* children(window: SourceWindow, offset: number, size: number): AsyncGenerator<Child> {
  const header = new ElementHeader()
  const end = offset + size
  for (let at = offset, count = 0; at < end && count < MAX_CHILDREN; count++) {
    await window.load(at, Math.min(MAX_HEADER_BYTES, end - at))
    const state = header.read(window.bytes, at - window.start, window.bytes.length)
    if (state !== 'ok' || header.size === UNKNOWN_SIZE) return
    const child = { id: header.id, offset: at + header.length, size: header.size }
    at = child.offset + child.size
    if (at > end) return
    yield child
  }
}

async function smallUint(window: SourceWindow, { offset, size }: Extent): Promise<number> {
  if (size > 8) return 0
  await window.load(offset, size)
  let value = 0
  for (const byte of window.view(offset, size)) value = value * 256 + byte
  return value
}
