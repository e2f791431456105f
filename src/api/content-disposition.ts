/** Bytes that may stand as they are in an extended value, RFC 8187 §3.2.1 (attr-char). */
const PLAIN = /[A-Za-z0-9!#$&+.^_`|~-]/

/** RFC 6266: the name twice, in ASCII for old clients and in full for all others. */
export function contentDisposition(name: string, isInline: boolean): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/gu, '_') // RFC 6266 appendix D: no escapes that clients read differently
  const full = [...Buffer.from(name.toWellFormed())].map(extended).join('')
  const extra = ascii === name ? '' : `; filename*=UTF-8''${full}`
  return `${isInline ? 'inline' : 'attachment'}; filename="${ascii}"${extra}`
}

function extended(byte: number): string {
  const character = String.fromCharCode(byte)
  return PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}
