/** Longest name that is taken over, bytes of UTF-8, so that two names and a time fit into the 255 of a file system. */
const MAX_NAME_BYTES = 100

/**
 * What must not be in a file name: controls, ill-formed and unassigned characters, private use, what cannot be seen or turns
 * the reading direction (zero-width, bidi), separators other than the plain space, and what a path or Windows gives meaning.
 */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd\u2800<>:"/\\|?*]/gu
const ODD_SPACE = /(?! )\p{Zs}/gu
/** Look-alikes of `/`, `\`, `.` and `:`, which people and careless programs take for the real ones. */
const LOOKALIKE =
  /[\u2044\u2215\u2571\u29f8\u29f6\uff0f\u2216\u29f5\u29f9\u2572\ufe68\uff3c\u2024\u2025\u2026\ufe52\uff0e\u3002\uff61\ua789\u2236\ufe13\ufe55\uff1a\u02d0]/gu
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i

/**
 * A name from the network as one piece of a file name: normalised (NFC), everything dangerous replaced by `_`, never empty,
 * never hidden, at most 100 bytes. Different names may become equal; who makes files sees to that.
 */
export function safeName(name: string): string {
  const clean = name
    .toWellFormed()
    .normalize('NFC')
    .replaceAll(LOOKALIKE, '_')
    .replaceAll(FORBIDDEN, '_')
    .replaceAll(ODD_SPACE, '_')
    .replace(/^[.\-\s]+/u, (lead) => '_'.repeat(lead.length))
  const piece = cutToBytes(clean, MAX_NAME_BYTES).replace(/[. ]+$/u, (tail) => '_'.repeat(tail.length))
  if (piece === '') return '_'
  return isReserved(piece) ? `_${cutToBytes(piece, MAX_NAME_BYTES - 1)}` : piece
}

/** Whether Windows takes `name` for a device, whatever its ending. */
export function isReserved(name: string): boolean {
  return RESERVED.test(name)
}

/** The longest beginning of `text` of at most `maxBytes` in UTF-8 that does not split what a reader sees as one character. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text
  let kept = ''
  let bytes = 0
  for (const { segment } of new Intl.Segmenter('und', { granularity: 'grapheme' }).segment(text)) {
    bytes += Buffer.byteLength(segment)
    if (bytes > maxBytes) break
    kept += segment
  }
  return kept === '' ? cutToCodePoints(text, maxBytes) : kept
}

/** For a first character that alone is too long: a letter under hundreds of accents. */
function cutToCodePoints(text: string, maxBytes: number): string {
  let kept = ''
  let bytes = 0
  for (const character of text) {
    bytes += Buffer.byteLength(character)
    if (bytes > maxBytes) break
    kept += character
  }
  return kept
}
