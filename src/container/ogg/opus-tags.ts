import { ByteReader, ByteWriter } from '../../media/bytes.ts'

const MAGIC = 'OpusTags' // RFC 7845 §5.2
/** What we call ourselves; repair completes only files of this vendor. */
export const VENDOR = 'tapedeck'
/** Of a comment's value, characters; so all of them fit into one page. */
const MAX_VALUE_LENGTH = 1024
/** Comments that are looked at in files of others. */
const MAX_COMMENTS = 1000

/** The comment header, RFC 7845 §5.2. */
export interface OpusTags {
  readonly vendor: string
  /** Names in upper case. Of several of one name the first. */
  readonly comments: ReadonlyMap<string, string>
}

/** The comment header packet. */
export function writeOpusTags(comments: Readonly<Record<string, string | undefined>>): Uint8Array {
  const lines = Object.entries(comments).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value.slice(0, MAX_VALUE_LENGTH).toWellFormed()}`],
  )
  const out = new ByteWriter(256).ascii(MAGIC).u32le(VENDOR.length).ascii(VENDOR).u32le(lines.length)
  for (const line of lines) {
    const text = Buffer.from(line)
    out.u32le(text.length).put(text)
  }
  return out.done()
}

/** Reads a comment header packet, or as much as there is of it. @throws MalformedError */
export function parseOpusTags(bytes: Uint8Array): OpusTags {
  const reader = new ByteReader(bytes, 'OpusTags')
  if (reader.ascii(8) !== MAGIC) reader.fail('no magic signature')
  const text = () => Buffer.from(reader.take(reader.u32le())).toString()
  const vendor = text()
  const comments = new Map<string, string>()
  const count = Math.min(reader.u32le(), MAX_COMMENTS)
  for (let i = 0; i < count; i++) {
    const line = text()
    const at = line.indexOf('=')
    const name = line.slice(0, Math.max(0, at)).toUpperCase()
    if (at > 0 && !comments.has(name)) comments.set(name, line.slice(at + 1))
  }
  return { vendor, comments }
}
