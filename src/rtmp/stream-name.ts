/** A stream name or app as a peer sent it, without its query, and the query. */
export interface NameAndQuery {
  readonly name: string
  readonly query: string
}

/** Cuts at the first question mark: `test?token=x` is `test` with `token=x`. */
export function splitQuery(text: string): NameAndQuery {
  const mark = text.indexOf('?')
  return mark < 0 ? { name: text, query: '' } : { name: text.slice(0, mark), query: text.slice(mark + 1) }
}

/** connect.app or the like without its query and the slashes around it. */
export function appName(text: string): string {
  return splitQuery(text).name.replace(/^\/+|\/+$/g, '')
}

/** The query of the stream name, else of the app, else of tcUrl: peers put it in all of these places. */
export function queryOf(streamName: string, app: string, tcUrl: string): URLSearchParams {
  for (const text of [streamName, app, tcUrl]) {
    const { query } = splitQuery(text)
    if (query !== '') return new URLSearchParams(query)
  }
  return new URLSearchParams()
}
