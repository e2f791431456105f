import { BadRequestError } from '../errors.ts'

const MAX_LABELS = 64
/** Identifiers of m-lines are tokens (RFC 5888 §4); browsers count from 0. */
const LABEL = /^(?<mid>[\w.+-]{1,32}):(?<label>[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,64})$/u

/** What stands behind the `?` of a WHIP or WHEP address. What is not known is passed over: other programs add what they like. */
export interface SignallingQuery {
  readonly token: string | undefined
  /** Names of tracks by their `mid`. */
  readonly labels: Readonly<Record<string, string>>
}

/** @throws BadRequestError for labels that cannot be read */
export function signallingQuery(query: unknown): SignallingQuery {
  const given = new Map<string, unknown>(typeof query === 'object' && query !== null ? Object.entries(query) : [])
  const token = firstText(given.get('token'))
  return { token, labels: labelsOf(firstText(given.get('labels'))) }
}

function firstText(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' && first !== '' ? first : undefined
}

function labelsOf(text: string | undefined): Readonly<Record<string, string>> {
  if (text === undefined) return {}
  const parts = text.split(',', MAX_LABELS + 1)
  if (parts.length > MAX_LABELS) throw unreadable(`more than ${MAX_LABELS}`)
  return Object.fromEntries(
    parts.map((part) => {
      const { mid, label } = LABEL.exec(part.trim())?.groups ?? {}
      if (mid === undefined || label === undefined)
        throw unreadable('is not mid:name,mid:name with names of 1 to 64 characters')
      return [mid, label]
    }),
  )
}

function unreadable(message: string): BadRequestError {
  return new BadRequestError([{ path: 'query.labels', message }])
}
