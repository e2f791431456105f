import { MalformedError } from '../../media/errors.ts'

/** A fragment names some tens of candidates, a whole offer some hundreds of lines. */
const MAX_LINES = 6000
const MAX_LINE_CHARS = 4096
const MAX_CANDIDATES = 200
const MAX_CANDIDATE_CHARS = 512

/** What a peer says of its ICE session after the offer (RFC 8840 §9). */
export interface IceFragment {
  /** Of the session that it speaks of; another than the offer's begins a new one (RFC 8839 §4.4.1.1.1). */
  readonly iceUfrag: string | undefined
  /** `candidate:…` lines. */
  readonly candidates: readonly string[]
}

/**
 * Reads an `application/trickle-ice-sdpfrag`, or the same lines of a whole session description. Other lines are passed over.
 * @throws MalformedError with the number of the line
 */
export function parseIceFragment(text: string): IceFragment {
  const lines = text.split('\n', MAX_LINES + 1)
  if (lines.length > MAX_LINES) throw malformed(MAX_LINES, 'too many lines')
  let iceUfrag: string | undefined
  const candidates: string[] = []
  let isEmpty = true
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index].trimEnd()
    if (line === '') continue
    isEmpty = false
    if (line.length > MAX_LINE_CHARS) throw malformed(index + 1, `longer than ${MAX_LINE_CHARS} characters`)
    if (!/^[a-z]=/.test(line)) throw malformed(index + 1, 'not of the form type=value')
    if (line.startsWith('a=ice-ufrag:')) iceUfrag ??= line.slice('a=ice-ufrag:'.length).trim()
    else if (line.startsWith('a=candidate:')) {
      if (candidates.length === MAX_CANDIDATES) throw malformed(index + 1, `more than ${MAX_CANDIDATES} candidates`)
      if (line.length <= MAX_CANDIDATE_CHARS) candidates.push(line.slice('a='.length))
    }
  }
  if (isEmpty) throw new MalformedError('ICE fragment', 'is empty')
  return { iceUfrag, candidates }
}

function malformed(line: number, what: string): MalformedError {
  return new MalformedError('ICE fragment', `line ${line}: ${what}`)
}
